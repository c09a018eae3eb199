"""Entry points of child processes: `train RUN_DIR` trains a run, `queue RUNS_DIR` those that wait; `serve` and `live`
predict for the window.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from io import TextIOWrapper
from pathlib import Path

from training.errors import FAULT, OK, USER_ERROR, UserError
from training.learning.fit.parallel.launch import place
from training.processes.children import lower_priority, stop_signals
from training.storage.runs.events import RunFailed
from training.storage.runs.run import Run
from training.storage.runs.start import TRAIN


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0; 2 if it cannot begin or the run failed, for a reason that the user can mend; else 1."""
    args = _parser().parse_args(arguments)
    try:
        if args.command == "serve":
            from training.learning.inference.serve import serve

            if isinstance(sys.stdin, TextIOWrapper):
                sys.stdin.reconfigure(errors="replace")  # such a line is no request; the next may be one
            serve(sys.stdin, sys.stdout)
            return OK
        if args.command == "live":
            from training.video.live import main as live

            live(Run(args.model), args.source)
            return OK
        if args.command == "queue":
            from training.storage.runs.queue_watch import watch

            watch(args.runs_dir, args.trainer or TRAIN)
            return OK
        if place().rank > 0:
            if args.nice:
                lower_priority()
            from training.learning.fit.train_run import help_to_train

            return help_to_train()
        return _train(Run(args.run), resume=args.resume, nice=args.nice)
    except UserError as error:
        _say(f"{error}\n")
        return USER_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train the run of an existing run folder")
    train.add_argument("run", type=Path, metavar="run_dir")
    train.add_argument("--resume", action="store_true", help="resume from the saved state")
    train.add_argument("--nice", action="store_true", help="run at low priority")
    queue = commands.add_parser("queue", help="train what waits in a project's queue while no window is open")
    queue.add_argument("runs_dir", type=Path, metavar="runs_dir")
    queue.add_argument("trainer", nargs=argparse.REMAINDER, help="the command that trains a run (this program's)")
    commands.add_parser("serve", help="answer requests on stdin, as JSON lines")
    live = commands.add_parser("live", help="write frames of a video or camera and their faces' points to stdout")
    live.add_argument("model", type=Path, help="a run folder, a model.safetensors or a project's starter")
    live.add_argument("source", help="a video file, or a camera's number")
    return parser


def _train(run: Run, *, resume: bool, nice: bool) -> int:
    """SIGTERM and SIGINT end the run after the batch, with the best model kept."""
    stop = threading.Event()
    for number in stop_signals():
        signal.signal(number, lambda *_: stop.set())
    if nice:
        lower_priority()
    # after the handlers are set: loading torch takes a second, in which a stop may arrive
    from training.learning.fit.train_run import train_run

    last = train_run(Run(run.path.resolve()), resume=resume, should_stop=stop.is_set, share=True)
    if not isinstance(last, RunFailed):
        return OK
    _say(f"{last.message} {last.hint}\n{last.traceback}")
    return FAULT if last.is_fault else USER_ERROR


def _say(text: str) -> None:
    """Write to stderr, which is the run's log: its disk may be what failed."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # else the end of Python tries it again


if __name__ == "__main__":
    sys.exit(main())
