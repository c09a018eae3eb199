"""fit(): the training of a run as a generator of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from training.assist.offsets.label_offsets import offset_troubles
from training.faces.labels.splits import spread_rows
from training.learning.fit.parallel.ranks import Ranks
from training.learning.fit.saved_state import info, restore, save, save_best
from training.learning.fit.trainer import Session
from training.learning.fit.troubles.label_scale import label_troubles
from training.learning.fit.troubles.watch import no_val_split, not_a_number, stage_2_no_better, unreadable_pictures
from training.learning.fit.validation import calibrate, evaluate
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
    session = open_session(run, resume=resume, data=data, ranks=ranks)
    if session.balance is not None and not resume:
        write_balance(run, session.balance)
    yield _started(session)
    if session.data.val_is_train and not resume:
        yield no_val_split(len(session.data.val))
    if session.data.left_out and not resume:
        yield unreadable_pictures(session.data.left_out)
    if not resume:
        yield from label_troubles(session.data.original_points(), session.data.sizes)
        yield from _offset_troubles(session)
    with ranks.connected():
        yield from _Loop(run, session, should_stop, save_seconds).train()
        ranks.dismiss()


def open_session(run: Run, *, resume: bool, ranks: Ranks, data: RunData | None = None) -> Session:
    """The run ready for its next step, the same in all processes that share it. Raises UserError in each of them."""
    session = ranks.together(lambda: _load_session(run, resume=resume, ranks=ranks, data=data))
    if not ranks.alone:
        ranks.check(session.data.fingerprint())
    session.precision = ranks.from_first(session.precision)
    ranks.share_layers(session.model)
    session.share()
    return session


def _load_session(run: Run, *, resume: bool, ranks: Ranks, data: RunData | None) -> Session:
    config = load_config(run)
    set_threads(ranks.threads(config.machine.threads))
    session = Session(config, data if data is not None else load_run_data(run, config), ranks)
    if resume:
        restore(session, run)
        set_threads(ranks.threads(session.threads))  # another number would round sums otherwise
    else:
        session.load_pretrained()
        session.settle()
    return session


def take_part(session: Session) -> None:
    """Do the steps of a training that another process leads, until it has no further."""
    at: tuple[int, int] | None = None
    for step in session.ranks.steps():
        session.epoch, session.batch = step.epoch, step.batch
        if step.next_stage:
            session.next_stage(step.done)
            continue
        if at != (step.epoch, session.stages.number):
            at, batches = (step.epoch, session.stages.number), session.epoch_rows()
        session.train_step(batches[step.batch], done=step.done)


class _Loop:
    """Goes through the epochs until the budget is used or a stop is asked for."""

    def __init__(self, run: Run, session: Session, should_stop: Callable[[], bool], save_seconds: float) -> None:
        self.run, self.session, self.should_stop, self.save_seconds = run, session, should_stop, save_seconds
        self.config: RunConfig = session.config
        self.began = time.perf_counter() - session.elapsed
        self.last_event = self.last_save = time.perf_counter()
        self.seen_at_event = session.seen
        self.speed = 0.0
        self.save_cost = 0.0
        self.stopped = self.failed = False

    def train(self) -> Iterator[Event]:
        if self.session.step_count == 0:
            yield self._save()  # from now on the run can be resumed; and a folder that can't be written shows at once
        while self._done() < 1 and not self.stopped:
            yield from self._batches()
            if self.stopped:
                break
            yield from self._end_of_epoch()
            if self.failed:
                return
        yield from self._finish()

    def _done(self) -> float:
        """How much of the budget is used: 0..1, by epochs or minutes, whichever ends first."""
        session, config = self.session, self.config
        session.elapsed = time.perf_counter() - self.began
        by_epochs = (
            (session.epoch + session.batch / session.batches) / config.budget.epochs if config.budget.epochs else 0.0
        )
        by_minutes = session.elapsed / (60 * config.budget.minutes) if config.budget.minutes else 0.0
        return min(1.0, max(by_epochs, by_minutes))

    def _batches(self) -> Iterator[Event]:
        """The batches left of the epoch under way, unless the budget ends or a stop is asked for."""
        for rows in self.session.epoch_rows()[self.session.batch :]:
            self.session.train_step(rows, done=self._done())
            now = time.perf_counter()
            if now - self.last_event >= min(max(_EVENT_SECONDS[0], self.session.elapsed / 3000), _EVENT_SECONDS[1]):
                yield self._progress(now)
                yield from self.session.doctor.alarm()
            if self._is_time_to_save():
                yield self._save()
            if self.should_stop():
                self.stopped = True
                return
            if self.config.budget.minutes and (self._done() >= 1 or self.session.stages.is_over(self._done())):
                return

    def _progress(self, now: float) -> Progress:
        session = self.session
        seen = session.seen - self.seen_at_event
        self.speed = _smooth(self.speed, seen / max(now - self.last_event, 1e-9))
        self.last_event, self.seen_at_event = now, session.seen
        done = self._done()
        return Progress(
            epoch=session.epoch + 1,
            batch=session.batch,
            batches=session.batches,
            loss=session.train_loss,
            images_per_second=self.speed,
            done=done,
            seconds_left=session.elapsed * (1 - done) / max(done, 1e-6),
            stage=session.stages.number,
            stages=session.stages.count,
        )

    def _end_of_epoch(self) -> Iterator[Event]:
        """Evaluate, report, save. The save comes after the event: a resumed run cuts the events to what was saved."""
        now = time.perf_counter()
        yield self._progress(now)
        yield from self.session.doctor.alarm()
        if not self.session.train_loss < float("inf"):
            yield from self._fail()
            return
        result = self._evaluate()
        yield result
        yield from self.session.doctor.check(result, done=self._done())
        self.session.end_epoch()
        self.seen_at_event = 0
        self.last_event = time.perf_counter()
        begins = self.session.stages.is_over(self._done()) and self._done() < 1
        if begins:
            self.session.next_stage(self._done())
        if begins or self._done() >= 1 or self._is_time_to_save():
            yield self._save()

    def _evaluate(self) -> EpochDone:
        done = self._done()
        return evaluate(self.session, rate=self.session.rate(done), speed=self.speed)

    def _is_time_to_save(self) -> bool:
        waited = time.perf_counter() - self.last_save
        return waited >= self.save_seconds and (self.save_seconds == 0 or waited >= self.save_cost / _SAVE_SHARE)

    def _save(self) -> CheckpointSaved:
        start = time.perf_counter()
        self._done()  # brings the elapsed time up to date
        save(self.session, self.run)
        self.last_save = time.perf_counter()
        self.save_cost = self.last_save - start
        known = self.session.best_epoch > 0
        return CheckpointSaved(self.session.epoch, self.session.best_rmse if known else float("nan"))

    def _fail(self) -> Iterator[Event]:
        self.failed = True
        save_best(self.session, self.run)
        trouble = not_a_number(self.session.epoch + 1, best_epoch=self.session.best_epoch)
        yield trouble
        yield RunFailed(trouble.sentence, NAN_HINT)

    def _finish(self) -> Iterator[Event]:
        """Save; a run stopped in its first epoch is evaluated as it is, so that there is a model. Then the confidence."""
        session = self.session
        if self.stopped:
            yield self._save()
            if session.best_epoch == 0:
                yield self._evaluate()
        if session.best is not None:
            save_best(session, self.run)
        if not self.stopped and 0 < session.best_epoch <= session.stages.first_epoch:
            yield stage_2_no_better(self.config.network.stage_split)
        self._calibrate()
        epochs = session.epoch + (1 if session.batch else 0)
        reason = "stopped" if self.stopped else "done"
        yield RunFinished(reason, epochs, session.best_epoch, session.best_rmse, session.best_nme, session.elapsed)

    def _calibrate(self) -> None:
        """Put the confidence calibration into the best model's file, and beside it how the model's errors correlate."""
        if self.run.model.is_file():
            model, _ = load_model(self.run)
            weights = model.state_dict()
            calibration, fill = calibrate(self.session, weights)
            save_model(self.run.model, weights, info(self.session, calibration))
            if fill is not None:
                fill.save(self.run.fill)


def _smooth(old: float, new: float) -> float:
    return new if old == 0 else 0.8 * old + 0.2 * new


def _offset_troubles(session: Session) -> list[Trouble]:
    """Whether the labels of some train faces are shifted to one side."""
    data = session.data
    rows = spread_rows(data.train, _OFFSET_FACES)
    groups = rows if data.groups is None else data.groups[rows]
    return offset_troubles(
        lambda n: data.pictures[rows[n : n + 1]][0], data.points[rows], data.schema, groups,
        scale=float(np.median(data.sizes[rows, 0])) / data.side, modelled=session.config.network.label_offset,
    )  # fmt: skip


def _started(session: Session) -> RunStarted:
    config, data = session.config, session.data
    return RunStarted(
        recipe=config.recipe,
        parameters=count_parameters(session.model),
        train_samples=len(data.train),
        train_points=int(data.mask[data.train].sum()),
        val_samples=0 if data.val_is_train else len(data.val),
        device=str(session.device) if session.ranks.alone else f"{session.ranks.place.count} x {session.device}",
        precision=session.precision,
        threads=session.threads,
        epochs=config.budget.epochs,
        minutes=config.budget.minutes,
        epoch=session.epoch,
        mean_shape_rmse=session.mean_shape_rmse,
        started_from=session.started_from,
        schemes=data.scheme_names,
    )
