"""A training written into its run folder: lock, events, metrics, and a last event whatever happens."""

from __future__ import annotations

import errno
import json
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from training.errors import UserError
from training.files.sentences import writing
from training.learning.fit.event_log import EventLog, cut_events, keep_lines
from training.learning.fit.parallel.connection import joined
from training.learning.fit.parallel.launch import processes
from training.learning.fit.parallel.ranks import Ranks
from training.learning.fit.saved_state import position
from training.learning.fit.training_loop import SAVE_SECONDS, fit, make_trainer, take_part
from training.learning.inference.device import keep_memory
from training.processes.locks import Lock
from training.storage.runs.events import INTERNAL, Event, RunFailed, RunFinished, RunStarted
from training.storage.runs.folder import can_resume, has_begun, load_config, read_events
from training.storage.runs.inputs.data import RunData
from training.storage.runs.listing import read_run
from training.storage.runs.run import Run

_LOCK_SECONDS = 2.0


def train_run(
    run: Run,
    *,
    resume: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    on_event: Callable[[Event], None] = lambda _: None,
    data: RunData | None = None,
    save_seconds: float = SAVE_SECONDS,
    share: bool = False,
) -> Event:
    """Train the run of this folder; each event is written into events.jsonl, then given to on_event.

    Returns the last event, RunFinished or RunFailed: an error in training is not raised but reported. should_stop, or a
    file `stop` in the folder, ends the run with the best model kept. share: start the other processes that the run's
    settings ask for. Raises UserError if it cannot begin.
    """
    keep_memory()
    with _locked(run):
        if resume:
            check_resumable(run)
            with writing(run.stop):
                run.stop.unlink(missing_ok=True)
        elif has_begun(run):
            raise UserError(f"The run {run.name} was already started: resume it, or train again.")
        stop, saved = run.stop, resume and run.resume.is_file()
        count = processes(load_config(run)) if share and not should_stop() else 1
        with joined(count) as ranks:
            ranks.from_first(json.dumps([str(run.path.absolute()), saved]))
            events = fit(
                run,
                resume=saved,
                should_stop=lambda: should_stop() or stop.exists() or ranks.stop_asked,
                data=data,
                save_seconds=save_seconds,
                ranks=ranks,
            )
            if resume:
                events = _going_on(run, events) if saved else _starting_over(run, events)
            return _drive(run, events, on_event)


def help_to_train() -> int:
    """Take part in a training that another process leads: do this process's part of each step. 0; raises UserError.

    A signal asks all processes to stop; the leading one keeps the best model and dismisses this one.
    """
    keep_memory()
    with joined() as ranks:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: _ask_to_stop(ranks))
        path, resume = json.loads(ranks.from_first())
        take_part(make_trainer(Run(Path(path)), resume=resume, ranks=ranks))
    return 0


def _ask_to_stop(ranks: Ranks) -> None:
    ranks.stop_here = True


def _drive(run: Run, events: Iterator[Event], on_event: Callable[[Event], None]) -> Event:
    last: Event = RunFailed("Nothing was trained.", "")
    log = EventLog(run)
    try:
        for event in _safely(_logged(log, events)):
            if isinstance(event, RunFailed):
                log.last_word(event)
            on_event(event)
            last = event
    finally:
        log.close()
    return last


def _logged(log: EventLog, events: Iterator[Event]) -> Iterator[Event]:
    """The events, each after it was written; RunFailed is left to the last word."""
    for event in events:
        if not isinstance(event, RunFailed):
            log.write(event)
        yield event


def _going_on(run: Run, events: Iterator[Event]) -> Iterator[Event]:
    """The events of a run that is resumed. Old ones that come again are cut once the saved state is known to fit."""
    first = next(events)
    cut_events(run, *position(run))
    yield first
    yield from events


def _starting_over(run: Run, events: Iterator[Event]) -> Iterator[Event]:
    """The events of a run that was interrupted before its first save: it begins again, with the same outcome."""
    first = next(events)
    keep_lines(run.events, lambda _: False)
    yield first
    yield from events


def check_resumable(run: Run) -> None:
    """Raises UserError if the run is finished or left nothing to resume from."""
    events, _ = read_events(run, progress=False)
    ends = [e for e in events if isinstance(e, (RunStarted, RunFinished))]
    if ends and isinstance(ends[-1], RunFinished) and ends[-1].reason == "done":
        raise UserError(
            f"The run {run.name} has used its budget; there is nothing to resume. Train again with a larger one."
        )
    if not can_resume(run):
        raise UserError(f"The saved state of the run {run.name} was removed ({run.resume}); train again.")


def _safely(events: Iterator[Event]) -> Iterator[Event]:
    """The events; an error becomes RunFailed with advice."""
    try:
        yield from events
    except UserError as error:
        yield RunFailed(str(error), "")
    except OSError as error:
        yield RunFailed(*_disk(error), traceback.format_exc())
    except (MemoryError, RuntimeError) as error:
        message = f"{type(error).__name__}: {error}".strip(": ")
        yield RunFailed(message, _hint(error), traceback.format_exc())
    except Exception as error:
        yield RunFailed(
            f"{type(error).__name__}: {error}",
            INTERNAL,
            traceback.format_exc(),
        )


def _disk(error: OSError) -> tuple[str, str]:
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
        return "The disk is full.", "What was saved is intact. Free some space, then resume the run."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.filename or 'The run folder'} cannot be written.", "Check its permissions, then resume the run."
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}The disk reports an error ({error.strerror or error}).", "Check the disk, then resume the run."


def _hint(error: BaseException) -> str:
    text = str(error).lower()
    if (
        isinstance(error, MemoryError)
        or "out of memory" in text
        or "can't allocate memory" in text
        or "not enough memory" in text
    ):
        return "There was not enough memory: use a smaller batch size or input size, or close other programs."
    return INTERNAL


@contextmanager
def _locked(run: Run) -> Iterator[None]:
    """Hold the run's lock. Raises UserError if another process trains it or the folder cannot be written."""
    read_run(run)  # refuses a folder that is not a run
    lock = Lock(run.lock)
    try:
        free = lock.acquire(wait=_LOCK_SECONDS)
    except OSError as error:
        raise UserError(f"The run folder {run} cannot be written: {error.strerror}.") from error
    if not free:
        raise UserError(f"The run {run.name} is being trained by another process.")
    with lock:
        yield
