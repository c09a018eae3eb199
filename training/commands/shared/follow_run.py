"""Runs a training in this process and shows its events. Ctrl-C stops it after the batch and keeps the best model."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import dumps
from types import FrameType

from training.commands.shared.output import note, say
from training.errors import FAULT, OK, UserError
from training.processes.children import stop_signals
from training.storage.runs.events import (
    EpochDone,
    Event,
    Progress,
    RunFailed,
    RunFinished,
    RunStarted,
    Trouble,
    to_line,
)
from training.storage.runs.inputs.marking_schemes import scheme_words
from training.storage.runs.run import Run

STOPPING = "Stopping after this batch; the best model is kept."
_PIPE = 13  # the number of SIGPIPE, which not every system has


def follow(run: Run, *, json: bool, resume: bool = False) -> int:
    """Train the run to its end; returns the exit code. The last line on stdout is the run folder.

    Raises UserError if it cannot start, or fails for a reason that the user can fix.
    """
    stops: list[int] = []
    with stop_at_signals(stops.append, STOPPING):
        from training.learning.fit.train_run import train_run  # takes a second, in which a Ctrl-C may come

        with _shown(stops, json=json) as show:
            ending = train_run(run, resume=resume, should_stop=lambda: bool(stops), on_event=show, share=True)
    if _PIPE in stops:
        return 128 + _PIPE
    say(dumps({"run": str(run)}, ensure_ascii=False) if json else _folder(run, ending))
    if isinstance(ending, RunFailed):
        return _failed(run, ending)
    return 128 + stops[0] if stops else OK


def help_others() -> int:
    """Take part in a training led by the first process: what torchrun's other processes do."""
    from training.learning.fit.train_run import help_to_train

    return help_to_train()


def _folder(run: Run, ending: Event) -> str:
    if isinstance(ending, RunFinished):
        note(
            f"{ending.reason} after {ending.epochs} epochs in {ending.seconds / 60:.1f} min: "
            f"val rmse {ending.rmse:.3f} px, nme {ending.nme:.4f} (epoch {ending.best_epoch})"
        )
    return str(run)


def _failed(run: Run, ending: RunFailed) -> int:
    message = ending.message if ending.message.endswith((".", "!", "?")) else f"{ending.message}."
    sentence = f"The run {run} failed: {message} {ending.hint}".strip()
    if not ending.is_fault:
        raise UserError(sentence)
    from training.commands.shared.fault_log import append_fault

    where = append_fault(f"{sentence}\n{ending.traceback}")
    note(f"{sentence} {where}")
    return FAULT


@contextmanager
def stop_at_signals(asked: Callable[[int], object], words: str) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) calls `asked` with the signal number and prints `words`; the second exits."""
    once = False

    def on_signal(number: int, _frame: FrameType | None) -> None:
        nonlocal once
        if once:
            raise KeyboardInterrupt
        once = True
        asked(number)
        note(f"\n{words} Press Ctrl-C again to exit at once.")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = {number: signal.signal(number, on_signal) for number in stop_signals()}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@contextmanager
def _shown(stops: list[int], *, json: bool) -> Iterator[Callable[[Event], None]]:
    """How events are shown: JSON lines on stdout, a bar on a terminal, else one line per epoch on stderr."""
    if json:
        yield lambda event: _json_line(event, stops)
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield lambda event: _line(event, note)


def _json_line(event: Event, stops: list[int]) -> None:
    """Print the event; if the reader has gone (`| head`), request a stop that keeps the best model."""
    if _PIPE in stops:
        return
    try:
        print(to_line(event, time=time.time()), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        stops.append(_PIPE)


@contextmanager
def _bar() -> Iterator[Callable[[Event], None]]:
    from tqdm import tqdm

    layout = "{desc} {percentage:3.0f}% |{bar}| {elapsed}{postfix}"
    with tqdm(total=1.0, desc="start", bar_format=layout, leave=False, file=sys.stderr) as bar:

        def show(event: Event) -> None:
            if isinstance(event, Progress):
                stage = f" (stage {event.stage} of {event.stages})" if event.stages > 1 else ""
                bar.set_description_str(f"epoch {event.epoch}{stage}", refresh=False)
                bar.set_postfix_str(
                    f"{_left(event.seconds_left)} left, loss {event.loss:.4g}, {event.images_per_second:,.0f} images/s",
                    refresh=False,
                )
                bar.update(max(event.done - bar.n, 0.0))
            else:
                _line(event, lambda text: tqdm.write(text, file=sys.stderr))

        yield show


def _left(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}" if seconds >= 0 else "?"


def _line(event: Event, write: Callable[[str], None]) -> None:
    if isinstance(event, RunStarted):
        write(
            f"{event.recipe}: {event.parameters:,} parameters, {event.train_samples:,} train faces with "
            f"{event.train_points:,} points, {event.val_samples:,} val faces, "
            f"{event.device} {event.precision}, {event.threads} threads"
            + (f", started from {event.started_from}" if event.started_from else "")
            + (f"\n{scheme_words(event.schemes)}" if event.schemes else "")
        )
    elif isinstance(event, EpochDone):
        write(
            f"epoch {event.epoch:4d}{f'  stage {event.stage}' if event.stages > 1 else ''}  "
            f"train {event.train_loss:.4g}  val {event.val_loss:.4g}  rmse {event.rmse:.3f} px  "
            f"nme {event.nme:.4f}  {event.images_per_second:,.0f} images/s{'  best' if event.best else ''}"
        )
    elif isinstance(event, Trouble):
        write(f"! {event.sentence}")
