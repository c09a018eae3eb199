"""Names and numbers of a project's predictors: its runs, and the starter models that ship with the program.

A run `0007-ml-resnet` has the number 7. A starter `starter-15` has -15: points accepted from it carry that number, so
that their origin is known and they can be undone, as for a run. Its file is `resources/starters/face-15.safetensors`;
in place of a run's folder it has only the path `PROJECT/runs/starter-15`, where nothing exists.
"""

from __future__ import annotations

import os
import re
from importlib.resources import files
from pathlib import Path

from training.errors import UserError

STARTERS = "FKP_STARTERS"  # environment variable: a folder of starters to use instead of the program's
_STARTER = re.compile(r"starter-([1-9]\d{0,3})")
_FILE = re.compile(r"face-([1-9]\d{0,3})\.safetensors")


def starters_folder() -> Path:
    """Where the starter models are; the folder need not exist."""
    return Path(os.environ.get(STARTERS) or str(files("resources") / "starters"))


def starter_name(file: Path) -> str:
    """`starter-15` of `face-15.safetensors`; "" for a file of another name."""
    found = _FILE.fullmatch(file.name)
    return f"starter-{found.group(1)}" if found else ""


def is_starter(run: str) -> bool:
    """Whether this is the name of a starter model rather than of a run."""
    return _STARTER.fullmatch(run) is not None


def starter_file(run: str) -> Path | None:
    """The model file of a starter, whether it exists or not; None for the name of a run."""
    found = _STARTER.fullmatch(run)
    return starters_folder() / f"face-{found.group(1)}.safetensors" if found else None


def run_number(run: str) -> int:
    """The number in a run's name: 7 of `0007-ml-resnet`, -15 of `starter-15`. Raises UserError where there is none."""
    starter = _STARTER.fullmatch(run)
    if starter:
        return -int(starter.group(1))
    digits = run.split("-", 1)[0]
    if not digits.isdecimal() or not 0 < int(digits) < 2**31:
        raise UserError(f"{run!r} is not the name of a run, which begins with a number, as in `0001-ml-resnet`.")
    return int(digits)


def run_title(number: int) -> str:
    """`run 7` or `starter-15`: the origin of a point."""
    return f"starter-{-number}" if number < 0 else f"run {number}"
