"""What a run keeps on the disk while it trains: the best model, and all that is needed to resume exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from training.errors import UserError
from training.faces.measures.calibration import Calibration
from training.learning.fit.trainer import Session
from training.learning.inference.checkpoint import ModelInfo, load_resume, save_model, save_resume
from training.storage.runs.run import Run

_POSITION: dict[str, Callable[[Any], Any]] = {  # what of a session is saved as plain values
    "precision": str,
    "threads": int,
    "epoch": int,
    "batch": int,
    "step_count": int,
    "elapsed": float,
    "seen": int,
    "best_rmse": float,
    "best_nme": float,
    "best_epoch": int,
}


def info(session: Session, calibration: Calibration | None = None) -> ModelInfo:
    """The header of the run's model file."""
    values = {"rmse": session.best_rmse, "nme": session.best_nme, "epoch": float(session.best_epoch)}
    found = {name: value for name, value in values.items() if math.isfinite(value)}
    return ModelInfo(
        session.config,
        session.data.schema,
        session.precision,
        metrics=found,
        calibration=calibration,
        schemes=session.data.scheme_names,
    )


def save_best(session: Session, run: Run) -> None:
    """Write the best model, unless it is on the disk already."""
    if session.best is not None:
        save_model(run.model, session.best, info(session))
        session.best = None


def save(session: Session, run: Run) -> None:
    """Write the best model and all that is needed to resume exactly."""
    save_best(session, run)
    state: dict[str, Any] = {name: getattr(session, name) for name in _POSITION}
    state["loss_sum"] = float(session.loss_sum)
    state["doctor"] = session.doctor.to_json()
    if session.hard_points is not None:
        state["hard_points"] = session.hard_points.errors
    if session.self_training is not None:
        state["self_training"] = session.self_training.to_json()
    state["stages"] = session.stages.to_json()
    state["model"] = session.model.state_dict()
    state["average"] = session.average.average.state_dict()
    state["optimizer"] = session.optimizer.state_dict()
    save_resume(run.resume, state)


def restore(session: Session, run: Run) -> None:
    """Go back to what `save` wrote. Raises UserError if it is missing, damaged or of another network."""
    state = load_resume(run.resume)
    try:
        session.model.load_state_dict(state["model"])
        session.average.average.load_state_dict(state["average"])
        if session.stages.count > 1:
            session.stages.from_json(state["stages"])
            session.prepare_stage()
        session.optimizer.load_state_dict(state["optimizer"])
        session.loss_sum.fill_(state["loss_sum"])
        session.doctor.from_json(state["doctor"])
        if session.hard_points is not None:
            session.hard_points.errors = state["hard_points"].to(session.device)
        if session.self_training is not None:
            session.self_training.from_json(state["self_training"])
        for name, kind in _POSITION.items():
            setattr(session, name, kind(state[name]))
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        raise UserError(f"The saved state of {run.name} does not fit its settings ({error}); train again.") from error
