"""What a run keeps on the disk while it trains: the best model, and all that is needed to resume exactly."""

from __future__ import annotations

import math
from typing import Any

from training.errors import UserError
from training.faces.measures.calibration import Calibration
from training.learning.fit.resuming.optimizer_state import restore_optimizer
from training.learning.fit.resuming.saved_values import MOST, SavedValues
from training.learning.fit.step.trainer import Trainer
from training.learning.inference.checkpoint import ModelInfo, load_resume, save_model, save_resume
from training.learning.inference.device import DTYPES
from training.learning.models.staged.base import StagedNet
from training.storage.runs.run import Run

_POSITION = (  # what of the trainer is saved as plain values
    "precision",
    "threads",
    "epoch",
    "batch",
    "step_count",
    "elapsed",
    "seen",
    "best_rmse",
    "best_nme",
    "best_epoch",
)
_MOST_THREADS = 1 << 22  # of all processes
_MOST_SECONDS = 1e12


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
    """Go back to what `save` wrote. Raises UserError if it is missing, damaged, or of another run.

    Each part is compared with what this run needs before anything uses it.
    """
    state = load_resume(run.resume)
    try:
        _restore(trainer, SavedValues(state))
    except ValueError as error:
        raise UserError(
            f"The saved state {run.resume} is damaged or does not belong to this run ({error}); bring back a copy of it, "
            "or train again."
        ) from error


def position(run: Run) -> tuple[int, int]:
    """The whole epochs, and the batches of the next one, that the saved state has. Raises UserError."""
    try:
        state = SavedValues(load_resume(run.resume))
        return state.whole("epoch"), state.whole("batch")
    except ValueError as error:
        raise UserError(f"The saved state {run.resume} lacks its position ({error}); train again.") from error


def _restore(trainer: Trainer, saved: SavedValues) -> None:
    model, average = trainer.model, trainer.average.average
    model.load_state_dict(saved.tensors("model", model.state_dict()))
    average.load_state_dict(saved.tensors("average", average.state_dict()))
    trainer.step_count = saved.whole("step_count")
    trainer.epoch = saved.whole("epoch", most=trainer.config.budget.epochs or MOST)
    if trainer.stages.count > 1:
        trainer.stages.from_json(saved.inside("stages"), step=trainer.step_count, epoch=trainer.epoch)
        _check_stage(trainer)
        trainer.prepare_stage()
    restore_optimizer(
        trainer.optimizer, saved.inside("optimizer"), steps=trainer.step_count - trainer.stages.first_step
    )
    _restore_position(trainer, saved)
    trainer.watch.from_json(saved.inside("doctor"))
    if trainer.hard_points is not None:
        trainer.hard_points.errors = saved.tensor("hard_points", trainer.hard_points.errors)
    if trainer.self_training is not None:
        trainer.self_training.from_json(saved.inside("self_training"))


def _check_stage(trainer: Trainer) -> None:
    """The stage is part of the weights, too."""
    for network in (trainer.model, trainer.average.average):
        if isinstance(network, StagedNet) and network.number != trainer.stages.number:
            raise ValueError(f"the weights are not of stage {trainer.stages.number}")


def _restore_position(trainer: Trainer, saved: SavedValues) -> None:
    wanted = trainer.config.machine.precision
    trainer.precision = saved.text("precision", DTYPES if wanted == "auto" else (wanted,))
    trainer.threads = saved.whole("threads", least=1, most=_MOST_THREADS)
    trainer.batch = saved.whole("batch", most=trainer.batches)
    trainer.seen = saved.whole("seen", most=len(trainer.stages.rows))
    trainer.loss_sum.fill_(saved.number("loss_sum", or_nan=True))
    trainer.elapsed = saved.number("elapsed", least=0, most=_MOST_SECONDS)
    trainer.best_epoch = saved.whole("best_epoch", most=trainer.epoch + 1)
    trainer.best_rmse = saved.number("best_rmse", least=0)
    trainer.best_nme = saved.number("best_nme", least=0, or_nan=True)
