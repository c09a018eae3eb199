"""The `fkp` command line: dispatches to the modules in `training.commands` and maps errors to exit codes.

Exit codes: 0 on success; 2 for an error the user can fix, with one sentence on stderr; 130 for Ctrl-C; 1 for an
internal error, with a traceback in the log file. A command module has `add_arguments(parser)` and `run(args)`; only the
requested one is imported, to keep start-up fast.
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
from training.errors import BROKEN_PIPE, FAULT, INTERRUPTED, USER_ERROR, UserError

ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Free space or choose another folder"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "Change the permissions or choose another folder"),
}


@dataclass(frozen=True)
class Command:
    """A command. module: its name in `training.commands`; help: one line of help text."""

    module: str
    help: str


COMMANDS: dict[str, Command] = {
    "demo": Command("demo", "create a project of synthetic faces to experiment with"),
    "import": Command("import_", "import a Kaggle CSV, or a folder with .pts files or a CSV, into a project"),
    "info": Command("info", "summarise a project: samples, splits, missing labels, runs, problems"),
    "recipes": Command("recipes", "list the recipes that can be trained, with their sizes"),
    "labels": Command(
        "labels", "check whether the labels are shifted to one side, using mirrored faces, and correct it"
    ),
    "poses": Command("poses", "show the head poses in a project and the effect of balancing by pose"),
    "train": Command("train", "train a recipe on a project"),
    "resume": Command("resume", "resume a run that was stopped or interrupted"),
    "search": Command("search", "random search over a recipe's settings"),
    "experiment": Command("experiment", "reproduce a table from the papers: train, measure, compare"),
    "evaluate": Command("evaluate", "report the errors of a run on a split"),
    "predict": Command("predict", "write a model's predicted keypoints to a CSV"),
    "fill": Command("fill", "predict every face of a project and accept the missing points"),
    "adjust": Command("adjust", "calibrate a model to your labels"),
    "export": Command("export", "export labels as Kaggle CSV, submission, CSV or .pts, or a model as ONNX"),
    "doctor": Command("doctor", "check versions, devices, Qt's libraries and write access"),
}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises UserError instead of printing usage and exiting."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message[0].upper()}{message[1:].rstrip('.')}. See `{self.prog} --help`.")


def build_parser(command: str | None = None) -> Parser:
    """The parser; only `command` gets its arguments (None: every command does)."""
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
    """Run one command and return its exit code."""
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
    except Exception:  # last resort: no caller is left to report it
        return _fault(words)


def _say(sentence: str, code: int) -> int:
    print(" ".join(sentence.split()), file=sys.stderr)
    return code


def _fault(words: list[str]) -> int:
    from training.commands.shared.fault_log import write_fault

    where = write_fault(words)
    error = sys.exc_info()[1]
    return _say(f"Internal error ({type(error).__name__}: {error}). {where}", FAULT)


if __name__ == "__main__":
    sys.exit(main())
