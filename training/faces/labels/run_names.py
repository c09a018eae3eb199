"""Names and numbers of a project's predictors: its runs, and the starter models that ship with the program.

A run `0007-ml-resnet` has the number 7. A starter `starter-15` has -15: points accepted from it carry that number, so
that their origin is known and they can be undone, as for a run. Its file is `resources/starters/face-15.safetensors`;
in place of a run's folder it has only the path `PROJECT/runs/starter-15`, where nothing exists.
"""

from __future__ import annotations

import re

from training.errors import UserError

_STARTER = re.compile(r"starter-([1-9]\d{0,3})")


def is_starter(run: str) -> bool:
    """Whether this is the name of a starter model rather than of a run."""
    return _STARTER.fullmatch(run) is not None


def starter_points(run: str) -> int | None:
    """How many points a starter finds, 15 of `starter-15`; None for the name of a run."""
    found = _STARTER.fullmatch(run)
    return int(found.group(1)) if found else None


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
