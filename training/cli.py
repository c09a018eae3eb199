"""`fkp`: everything the window does, for the terminal and for scripts.

Exit codes: 0; 2 for what the user can mend, with one sentence on stderr; 130 for Ctrl-C; 1 for a fault of ours, with a
traceback in the log file. A command is a module in `training.commands` with `add_arguments(parser)` and `run(args)`;
only the one asked for is imported, so that each starts at once.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from training import __version__
from training.errors import UserError

ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Free space or choose another folder"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "Change the permissions or choose another folder"),
}
OK, FAULT, USER_ERROR, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


@dataclass(frozen=True)
class Command:
    """A command: its module in `training.commands`, and what it does in one line."""

    module: str
    help: str


COMMANDS: dict[str, Command] = {
    "demo": Command("demo", "make a project of synthetic faces to try things out"),
    "import": Command("import_", "bring a Kaggle CSV, a folder with .pts or with a CSV into a project"),
    "info": Command("info", "what is in a project: samples, splits, missing labels, runs, problems"),
    "recipes": Command("recipes", "the recipes one can train, and their sizes"),
    "labels": Command("labels", "do the labels sit off to one side, as mirrored faces tell; mend it"),
    "poses": Command("poses", "which way the faces of a project look, and what balancing by pose makes of it"),
    "train": Command("train", "train a recipe on a project"),
    "resume": Command("resume", "go on with a run that was stopped or cut off"),
    "search": Command("search", "try settings of a recipe at random, and keep the best"),
    "experiment": Command("experiment", "run a table of the papers: train, measure, say what agrees"),
    "evaluate": Command("evaluate", "the errors of a run on a split"),
    "predict": Command("predict", "write the keypoints a model finds into a CSV"),
    "fill": Command("fill", "predict all faces of a project and accept the missing points"),
    "adjust": Command("adjust", "fit a model to your way of placing points, from the faces you have labelled"),
    "export": Command("export", "write labels as Kaggle CSV, submission, CSV or .pts, or a model as ONNX"),
    "doctor": Command("doctor", "check versions, devices, Qt's libraries and write access"),
}


class Parser(argparse.ArgumentParser):
    """argparse, with one sentence on stderr for a wrong call."""

    def error(self, message: str) -> NoReturn:
        """Raise UserError; `main` prints it."""
        raise UserError(f"{message[0].upper()}{message[1:].rstrip('.')}. See `{self.prog} --help`.")


def build_parser(command: str | None = None) -> Parser:
    """The parser; only `command` (None: each of them) has its arguments."""
    parser = Parser(prog="fkp", description="Facial keypoints on the command line: import, train, fill, export.")
    parser.add_argument("--version", action="version", version=f"FKP Studio {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for name, entry in COMMANDS.items():
        sub = subparsers.add_parser(name, help=entry.help, description=f"{entry.help[0].upper()}{entry.help[1:]}.")
        if command in (None, name):
            module = importlib.import_module(f"training.commands.{entry.module}")
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        args = build_parser(next((w for w in words if w in COMMANDS), "")).parse_args(words)
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except SystemExit as end:  # --help and --version
        return int(end.code or 0)
    except UserError as error:
        return _say(str(error), USER_ERROR)
    except KeyboardInterrupt:
        return _say("Interrupted.", INTERRUPTED)
    except BrokenPipeError:  # `fkp info ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        if error.errno not in ADVICE:
            return _fault(words)
        where = f"{error.filename}: " if error.filename else ""
        return _say(f"{where}{error.strerror}. {ADVICE[error.errno]}, and try again.", USER_ERROR)
    except Exception:  # the last resort of the program: nobody above us can tell the user
        return _fault(words)


def _say(sentence: str, code: int) -> int:
    print(" ".join(sentence.split()), file=sys.stderr)
    return code


def _fault(words: list[str]) -> int:
    from training.commands.shared.fault_log import write_fault

    path = write_fault(words)
    error = sys.exc_info()[1]
    return _say(f"FKP Studio made a mistake ({type(error).__name__}: {error}). The details are in {path}.", FAULT)


if __name__ == "__main__":
    sys.exit(main())
