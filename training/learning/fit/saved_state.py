"""What a run keeps on the disk while it trains: the best model, and all that is needed to resume exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from training.errors import UserError
from training.faces.measures.calibration import Calibration
from training.learning.fit.step.trainer import Trainer
from training.learning.inference.checkpoint import ModelInfo, load_resume, save_model, save_resume
from training.storage.runs.run import Run

_POSITION: dict[str, Callable[[Any], Any]] = {  # what of the trainer is saved as plain values
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


def info(trainer: Trainer, calibration: Calibration | None = None) -> ModelInfo:
    """The header of the run's model file."""
    values = {"rmse": trainer.best_rmse, "nme": trainer.best_nme, "epoch": float(trainer.best_epoch)}
    found = {name: value for name, value in values.items() if math.isfinite(value)}
    return ModelInfo(
        trainer.config,
        trainer.data.schema,
        trainer.precision,
        metrics=found,
        calibration=calibration,
        schemes=trainer.data.scheme_names,
    )


def save_best(trainer: Trainer, run: Run) -> None:
    """Write the best model, unless it is on the disk already."""
    if trainer.best is not None:
        save_model(run.model, trainer.best, info(trainer))
        trainer.best = None


def save(trainer: Trainer, run: Run) -> None:
    """Write the best model and all that is needed to resume exactly."""
    save_best(trainer, run)
    state: dict[str, Any] = {name: getattr(trainer, name) for name in _POSITION}
    state["loss_sum"] = float(trainer.loss_sum)
    state["doctor"] = trainer.watch.to_json()
    if trainer.hard_points is not None:
        state["hard_points"] = trainer.hard_points.errors
    if trainer.self_training is not None:
        state["self_training"] = trainer.self_training.to_json()
    state["stages"] = trainer.stages.to_json()
    state["model"] = trainer.model.state_dict()
    state["average"] = trainer.average.average.state_dict()
    state["optimizer"] = trainer.optimizer.state_dict()
    save_resume(run.resume, state)


def restore(trainer: Trainer, run: Run) -> None:
    """Go back to what `save` wrote. Raises UserError if it is missing, damaged or of another network."""
    state = load_resume(run.resume)
    try:
        trainer.model.load_state_dict(state["model"])
        trainer.average.average.load_state_dict(state["average"])
        if trainer.stages.count > 1:
            trainer.stages.from_json(state["stages"])
            trainer.prepare_stage()
        trainer.optimizer.load_state_dict(state["optimizer"])
        trainer.loss_sum.fill_(state["loss_sum"])
        trainer.watch.from_json(state["doctor"])
        if trainer.hard_points is not None:
            trainer.hard_points.errors = state["hard_points"].to(trainer.device)
        if trainer.self_training is not None:
            trainer.self_training.from_json(state["self_training"])
        for name, kind in _POSITION.items():
            setattr(trainer, name, kind(state[name]))
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        raise UserError(f"The saved state of {run.name} does not fit its settings ({error}); train again.") from error
