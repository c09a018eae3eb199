"""Known head poses of a project's samples: `poses.csv` in its folder, with columns sample, yaw, pitch, roll in degrees.

yaw > 0 turns the face towards larger x. The demo project has this file; users may add one for their own data.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.errors import UserError
from training.files.regular import read_bytes
from training.files.replacing import replacing
from training.files.sentences import reading

POSES = "poses.csv"
_COLUMNS = ("sample", "yaw", "pitch", "roll")
_MAX_BYTES = 256 << 20  # a million samples take a sixth of it


def write_poses(project: Path, names: Sequence[str], poses: np.ndarray) -> None:
    """Write the poses float [N, 3] of the samples `names` into a project's folder."""
    import pandas as pd

    table = pd.DataFrame(poses, index=pd.Index(names, name=_COLUMNS[0]), columns=list(_COLUMNS[1:]))
    with replacing(project / POSES) as file:
        table.to_csv(file, float_format="%.3f", lineterminator="\r\n")


def read_yaw(project: Path, names: Sequence[str]) -> np.ndarray | None:
    """The yaw float [N] of the samples `names`, degrees, NaN where the file lacks it; None where there is no file.

    Raises UserError for an unreadable file.
    """
    path = project / POSES
    if not path.exists():
        return None
    with reading(path):
        file = io.BytesIO(read_bytes(path, limit=_MAX_BYTES))
    import pandas as pd

    try:
        table = pd.read_csv(file, usecols=["sample", "yaw"], dtype=str, keep_default_na=False, index_col=False)
        known = dict(zip(table["sample"], (float(text or "nan") for text in table["yaw"]), strict=True))
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        what = str(error).splitlines()[0]
        raise UserError(
            f"{path} cannot be read: it needs the columns sample and yaw, in degrees ({what}). Fix or remove it."
        ) from error
    return np.array([known.get(name, math.nan) for name in names], np.float64)
