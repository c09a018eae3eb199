"""Known head poses of a project's samples: `poses.csv` in its folder, with columns sample, yaw, pitch, roll in degrees.

yaw > 0 turns the face towards larger x. The demo project has this file; users may add one for their own data.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.errors import UserError

POSES = "poses.csv"
_COLUMNS = ("sample", "yaw", "pitch", "roll")
_MAX_BYTES = 1 << 30


def write_poses(project: Path, names: Sequence[str], poses: np.ndarray) -> None:
    """poses: float [N, 3], of the samples `names`."""
    with (project / POSES).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows([name, *(f"{angle:.3f}" for angle in row)] for name, row in zip(names, poses, strict=True))


def read_yaw(project: Path, names: Sequence[str]) -> np.ndarray | None:
    """The yaw float [N] of the samples `names`, degrees, NaN where the file lacks it; None where there is no file.

    Raises UserError for an unreadable file.
    """
    path = project / POSES
    if not path.is_file():
        return None
    if path.stat().st_size > _MAX_BYTES:
        raise UserError(f"{path} is too large for a table of poses. Remove it, or write one line per sample.")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            known = {row["sample"]: _angle(row["yaw"]) for row in csv.DictReader(file)}
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise UserError(
            f"{path} cannot be read: it needs the columns sample and yaw, in degrees ({error}). Fix or remove it."
        ) from error
    return np.array([known.get(name, math.nan) for name in names], np.float64)


def _angle(text: str) -> float:
    return float(text) if text else math.nan
