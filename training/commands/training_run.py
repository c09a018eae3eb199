"""Runs a training in this process and shows its events; Ctrl-C stops it after the batch, with the best model kept."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from training.cli import FAULT, INTERRUPTED, OK
from training.commands.output import note, say
from training.errors import UserError
from training.events import EpochDone, Event, Progress, RunFailed, RunFinished, RunStarted, Trouble, to_line


def follow(run_dir: Path, *, json: bool, resume: bool = False) -> int:
    """Train the run to its end; the exit code. The last line on stdout names the run folder."""
    from training.trainer import train_run

    stop = threading.Event()
    ending: list[Event] = []
    with _stop_at_interrupt(stop), _shown(json=json) as show:

        def on_event(event: Event) -> None:
            if isinstance(event, (RunFinished, RunFailed)):
                ending.append(event)
            show(event)

        train_run(run_dir, resume=resume, should_stop=stop.is_set, on_event=on_event)
    return _end(run_dir, ending[-1] if ending else None, interrupted=stop.is_set(), json=json)


def _end(run_dir: Path, ending: Event | None, *, interrupted: bool, json: bool) -> int:
    if isinstance(ending, RunFailed):
        if ending.traceback:
            note(f"The run {run_dir} failed: {ending.message} {ending.hint}")
            return FAULT
        raise UserError(f"The run {run_dir} failed: {ending.message} {ending.hint}")
    if isinstance(ending, RunFinished) and not json:
        note(
            f"{ending.reason} after {ending.epochs} epochs in {ending.seconds / 60:.1f} min: "
            f"val rmse {ending.rmse:.3f} px, nme {ending.nme:.4f} (epoch {ending.best_epoch})"
        )
    say(str(run_dir) if not json else _folder_line(run_dir))
    return INTERRUPTED if interrupted else OK


def _folder_line(run_dir: Path) -> str:
    from json import dumps

    return dumps({"run": str(run_dir)}, ensure_ascii=False)


@contextmanager
def _stop_at_interrupt(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C asks for a stop, the second one ends at once."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        note("\nStopping after this batch; the best model is kept. Ctrl-C once more ends at once.")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = signal.signal(signal.SIGINT, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, old)


@contextmanager
def _shown(*, json: bool) -> Iterator[Callable[[Event], None]]:
    """How events are shown: JSON lines on stdout, a bar on a terminal, else a line an epoch on stderr."""
    if json:
        yield lambda event: print(to_line(event, time=time.time()), flush=True)
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield lambda event: _line(event, note)


@contextmanager
def _bar() -> Iterator[Callable[[Event], None]]:
    from tqdm import tqdm

    layout = "{desc} {percentage:3.0f}% |{bar}| {elapsed} {postfix}"
    with tqdm(total=1.0, desc="start", bar_format=layout, leave=False, file=sys.stderr) as bar:

        def show(event: Event) -> None:
            if isinstance(event, Progress):
                bar.set_description_str(f"epoch {event.epoch}", refresh=False)
                bar.set_postfix_str(
                    f"{_left(event.seconds_left)} left, loss {event.loss:.4g}, {event.images_per_second:,.0f} img/s",
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
            f"{event.recipe}: {event.parameters:,} parameters, {event.train_samples:,} faces with {event.train_points:,} points, "
            f"{event.val_samples:,} val faces, {event.device} {event.precision}, {event.threads} threads"
        )
    elif isinstance(event, EpochDone):
        write(
            f"epoch {event.epoch:4d}  train {event.train_loss:.4g}  val {event.val_loss:.4g}  rmse {event.rmse:.3f} px  "
            f"nme {event.nme:.4f}  {event.images_per_second:,.0f} img/s{'  best' if event.best else ''}"
        )
    elif isinstance(event, Trouble):
        write(f"! {event.sentence}")
