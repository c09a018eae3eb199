"""fit(): the training of a run as a generator of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from training.assist.offsets.label_offsets import offset_troubles
from training.faces.labels.splits import spread_rows
from training.learning.fit.parallel.ranks import Ranks
from training.learning.fit.saved_state import info, restore, save, save_best
from training.learning.fit.step.trainer import Trainer
from training.learning.fit.troubles.label_scale import label_troubles
from training.learning.fit.troubles.watch import no_val_split, not_a_number, stage_2_no_better, unreadable_images
from training.learning.fit.validation import calibrate, validate
from training.learning.inference.checkpoint import load_model, save_model
from training.learning.inference.device import set_threads
from training.learning.models.registry import count_parameters
from training.storage.runs.events import (
    CheckpointSaved,
    EpochDone,
    Event,
    Progress,
    RunFailed,
    RunFinished,
    RunStarted,
    Trouble,
)
from training.storage.runs.folder import load_config
from training.storage.runs.inputs.balance import write_balance
from training.storage.runs.inputs.data import RunData, load_run_data
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig

_EVENT_SECONDS = (0.2, 1.0)  # between Progress events: at first, and in long runs
SAVE_SECONDS = 10.0  # between saves, at least
_SAVE_SHARE = 0.05  # of the time, at most
_OFFSET_FACES = 1000  # train faces looked at for labels that are shifted to one side

NAN_HINT = "Resume with nothing changed will fail again: train again with a learning rate three to ten times smaller."


def fit(
    run: Run,
    *,
    resume: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    data: RunData | None = None,
    save_seconds: float = SAVE_SECONDS,
    ranks: Ranks | None = None,
) -> Iterator[Event]:
    """Train the run of this folder and yield its events; models and states are written into the folder, events are not.

    should_stop is asked after each batch: True ends the run with the best model kept. data: instead of the project's
    images. save_seconds: between saves, at least. ranks: the processes that share the training; this one leads. Raises
    UserError for what the user can fix, OSError for a full disk; what was saved before stays whole.
    """
    ranks = ranks or Ranks()
    trainer = make_trainer(run, resume=resume, data=data, ranks=ranks)
    if trainer.balance is not None and not resume:
        write_balance(run, trainer.balance)
    yield _started(trainer)
    if trainer.data.val_is_train and not resume:
        yield no_val_split(len(trainer.data.val))
    if trainer.data.left_out and not resume:
        yield unreadable_images(trainer.data.left_out)
    if not resume:
        yield from label_troubles(trainer.data.original_points(), trainer.data.sizes)
        yield from _offset_troubles(trainer)
    with ranks.connected():
        yield from _Loop(run, trainer, should_stop, save_seconds).train()
        ranks.dismiss()


def make_trainer(run: Run, *, resume: bool, ranks: Ranks, data: RunData | None = None) -> Trainer:
    """The run ready for its next step, the same in all processes that share it. Raises UserError in each of them."""
    trainer = ranks.together(lambda: _load_trainer(run, resume=resume, ranks=ranks, data=data))
    if not ranks.alone:
        ranks.check(trainer.data.fingerprint())
    trainer.precision = ranks.from_first(trainer.precision)
    ranks.share_layers(trainer.model)
    trainer.share()
    return trainer


def _load_trainer(run: Run, *, resume: bool, ranks: Ranks, data: RunData | None) -> Trainer:
    config = load_config(run)
    set_threads(ranks.threads(config.machine.threads))
    trainer = Trainer(config, data if data is not None else load_run_data(run, config), ranks)
    if resume:
        restore(trainer, run)
        set_threads(ranks.threads(trainer.threads))  # another number would round sums otherwise
    else:
        trainer.load_pretrained()
        trainer.settle()
    return trainer


def take_part(trainer: Trainer) -> None:
    """Do the steps of a training that another process leads, until it has no further."""
    at: tuple[int, int] | None = None
    for step in trainer.ranks.steps():
        trainer.epoch, trainer.batch = step.epoch, step.batch
        if step.next_stage:
            trainer.next_stage(step.done)
            continue
        if at != (step.epoch, trainer.stages.number):
            at, batches = (step.epoch, trainer.stages.number), trainer.epoch_rows()
        trainer.train_step(batches[step.batch], done=step.done)


class _Loop:
    """Goes through the epochs until the budget is used or a stop is asked for."""

    def __init__(self, run: Run, trainer: Trainer, should_stop: Callable[[], bool], save_seconds: float) -> None:
        self.run, self.trainer, self.should_stop, self.save_seconds = run, trainer, should_stop, save_seconds
        self.config: RunConfig = trainer.config
        self.began = time.perf_counter() - trainer.elapsed
        self.last_event = self.last_save = time.perf_counter()
        self.seen_at_event = trainer.seen
        self.speed = 0.0
        self.save_cost = 0.0
        self.stopped = self.failed = False

    def train(self) -> Iterator[Event]:
        if self.trainer.step_count == 0:
            yield self._save()  # from now on the run can be resumed; and a folder that can't be written shows at once
        while (self._done() < 1 or self._is_epoch_trained()) and not self.stopped:
            yield from self._batches()
            if self.stopped:
                break
            yield from self._end_of_epoch()
            if self.failed:
                return
        yield from self._finish()

    def _done(self) -> float:
        """How much of the budget is used: 0..1, by epochs or minutes, whichever ends first."""
        trainer, config = self.trainer, self.config
        trainer.elapsed = time.perf_counter() - self.began
        by_epochs = (
            (trainer.epoch + trainer.batch / trainer.batches) / config.budget.epochs if config.budget.epochs else 0.0
        )
        by_minutes = trainer.elapsed / (60 * config.budget.minutes) if config.budget.minutes else 0.0
        return min(1.0, max(by_epochs, by_minutes))

    def _is_epoch_trained(self) -> bool:
        """Whether an epoch has all its steps, but not its end: the run was interrupted between the two."""
        return 0 < self.trainer.batches <= self.trainer.batch

    def _batches(self) -> Iterator[Event]:
        """The batches left of the epoch under way, unless the budget ends or a stop is asked for."""
        for rows in self.trainer.epoch_rows()[self.trainer.batch :]:
            self.trainer.train_step(rows, done=self._done())
            now = time.perf_counter()
            if now - self.last_event >= min(max(_EVENT_SECONDS[0], self.trainer.elapsed / 3000), _EVENT_SECONDS[1]):
                yield self._progress(now)
                yield from self.trainer.watch.alarm()
            if self._is_time_to_save():
                yield self._save()
            if self.should_stop():
                self.stopped = True
                return
            if self.config.budget.minutes and (self._done() >= 1 or self.trainer.stages.is_over(self._done())):
                return

    def _progress(self, now: float) -> Progress:
        trainer = self.trainer
        seen = trainer.seen - self.seen_at_event
        self.speed = _smooth(self.speed, seen / max(now - self.last_event, 1e-9))
        self.last_event, self.seen_at_event = now, trainer.seen
        done = self._done()
        return Progress(
            epoch=trainer.epoch + 1,
            batch=trainer.batch,
            batches=trainer.batches,
            loss=trainer.train_loss,
            images_per_second=self.speed,
            done=done,
            seconds_left=trainer.elapsed * (1 - done) / max(done, 1e-6),
            stage=trainer.stages.number,
            stages=trainer.stages.count,
        )

    def _end_of_epoch(self) -> Iterator[Event]:
        """Evaluate, report, save. The save comes after the event: a resumed run cuts the events to what was saved."""
        now = time.perf_counter()
        yield self._progress(now)
        yield from self.trainer.watch.alarm()
        if not self.trainer.train_loss < float("inf"):
            yield from self._fail()
            return
        result = self._validate()
        yield result
        yield from self.trainer.watch.check(result, done=self._done())
        self.trainer.end_epoch()
        self.seen_at_event = 0
        self.last_event = time.perf_counter()
        begins = self.trainer.stages.is_over(self._done()) and self._done() < 1
        if begins:
            self.trainer.next_stage(self._done())
        if begins or self._done() >= 1 or self._is_time_to_save():
            yield self._save()

    def _validate(self) -> EpochDone:
        done = self._done()
        return validate(self.trainer, rate=self.trainer.rate(done), speed=self.speed)

    def _is_time_to_save(self) -> bool:
        waited = time.perf_counter() - self.last_save
        return waited >= self.save_seconds and (self.save_seconds == 0 or waited >= self.save_cost / _SAVE_SHARE)

    def _save(self) -> CheckpointSaved:
        start = time.perf_counter()
        self._done()  # brings the elapsed time up to date
        save(self.trainer, self.run)
        self.last_save = time.perf_counter()
        self.save_cost = self.last_save - start
        known = self.trainer.best_epoch > 0
        return CheckpointSaved(self.trainer.epoch, self.trainer.best_rmse if known else float("nan"))

    def _fail(self) -> Iterator[Event]:
        self.failed = True
        save_best(self.trainer, self.run)
        trouble = not_a_number(self.trainer.epoch + 1, best_epoch=self.trainer.best_epoch)
        yield trouble
        yield RunFailed(trouble.sentence, NAN_HINT)

    def _finish(self) -> Iterator[Event]:
        """Save; a run stopped in its first epoch is evaluated as it is, so that there is a model.

        Then the confidence.
        """
        trainer = self.trainer
        if self.stopped:
            yield self._save()
            if trainer.best_epoch == 0:
                yield self._validate()
        if trainer.best is not None:
            save_best(trainer, self.run)
        if not self.stopped and 0 < trainer.best_epoch <= trainer.stages.first_epoch:
            yield stage_2_no_better(self.config.network.stage_split)
        self._calibrate()
        epochs = trainer.epoch + (1 if trainer.batch else 0)
        reason = "stopped" if self.stopped else "done"
        yield RunFinished(reason, epochs, trainer.best_epoch, trainer.best_rmse, trainer.best_nme, trainer.elapsed)

    def _calibrate(self) -> None:
        """Put the confidence calibration into the best model's file, and beside it how the model's errors correlate."""
        if self.run.model.is_file():
            model, _ = load_model(self.run)
            weights = model.state_dict()
            calibration, fill = calibrate(self.trainer, weights)
            save_model(self.run.model, weights, info(self.trainer, calibration))
            if fill is not None:
                fill.save(self.run.fill)


def _smooth(old: float, new: float) -> float:
    return new if old == 0 else 0.8 * old + 0.2 * new


def _offset_troubles(trainer: Trainer) -> list[Trouble]:
    """Whether the labels of some train faces are shifted to one side."""
    data = trainer.data
    rows = spread_rows(data.train, _OFFSET_FACES)
    groups = rows if data.groups is None else data.groups[rows]
    return offset_troubles(
        lambda n: data.images[rows[n : n + 1]][0],
        data.points[rows],
        data.schema,
        groups,
        scale=float(np.median(data.sizes[rows, 0])) / data.side,
        modelled=trainer.config.network.label_offset,
    )


def _started(trainer: Trainer) -> RunStarted:
    config, data = trainer.config, trainer.data
    return RunStarted(
        recipe=config.recipe,
        parameters=count_parameters(trainer.model),
        train_samples=len(data.train),
        train_points=int(data.mask[data.train].sum()),
        val_samples=0 if data.val_is_train else len(data.val),
        device=str(trainer.device) if trainer.ranks.alone else f"{trainer.ranks.place.count} x {trainer.device}",
        precision=trainer.precision,
        threads=trainer.threads,
        epochs=config.budget.epochs,
        minutes=config.budget.minutes,
        epoch=trainer.epoch,
        mean_shape_rmse=trainer.mean_shape_rmse,
        started_from=trainer.started_from,
        schemes=data.scheme_names,
    )
