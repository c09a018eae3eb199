"""The per-keypoint offset that adapts a model to one annotator, stored beside the model.

`adjust.json` lies beside a run's model (for a starter, in a hidden file among the project's runs): {"format": 1,
"offset": [[x, y], ...] in px of the network's input, added to its predictions, "faces": how many it was fitted on,
"before" and "after": RMSE in px on faces it was not fitted on}.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np

from training.errors import UserError
from training.files.json_values import read_json
from training.files.replacing import replacing
from training.files.sentences import writing
from training.storage.runs.run import Run

FORMAT = 1
_MOST = 1 << 20  # bytes


@dataclass(frozen=True)
class Adjustment:
    """offset: float64 [K, 2], px of the network's input. faces: number it was fitted on. before, after: RMSE in
    original px on faces left out of the fit.
    """

    offset: np.ndarray
    faces: int
    before: float
    after: float

    def in_images(self, sizes: np.ndarray, side: int) -> np.ndarray:
        """[N, K, 2]: the offsets in px of images of sizes [N, 2] (width, height), for a network with inputs of
        `side`."""
        return np.asarray(self.offset * (np.asarray(sizes, np.float64) / side)[:, None])


def adjust_stamp(run: Run) -> str:
    """Distinguishes an adjustment from later ones; "" if there is none."""
    try:
        status = run.adjustment.stat()
    except OSError:
        return ""
    return f"+{status.st_mtime_ns}-{status.st_size}"


def read_adjustment(run: Run, *, keypoints: int) -> Adjustment | None:
    """The adjustment in use, if any. Raises UserError for a damaged file or one for other keypoints."""
    path = run.adjustment
    try:
        values = read_json(path, limit=_MOST)
        offset = np.array(values["offset"], np.float64)
        if values["format"] != FORMAT or offset.shape != (keypoints, 2) or not np.isfinite(offset).all():
            raise ValueError(f"it is not an offset for each of {keypoints} keypoints")
        if type(values["faces"]) is not int or values["faces"] < 0:
            raise ValueError("it was fitted on no number of faces")
        return Adjustment(offset, values["faces"], _number(values["before"]), _number(values["after"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise UserError(f"{path} cannot be read ({error}). Remove it, or calibrate again with `fkp adjust`.") from error


def write_adjustment(run: Run, adjustment: Adjustment) -> None:
    """Raises UserError where it cannot be written."""
    path = run.adjustment
    values = {
        "format": FORMAT,
        "offset": np.round(adjustment.offset, 4).tolist(),
        "faces": adjustment.faces,
        "before": adjustment.before if math.isfinite(adjustment.before) else None,
        "after": adjustment.after if math.isfinite(adjustment.after) else None,
    }
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(json.dumps(values, allow_nan=False).encode())


def remove_adjustment(run: Run) -> bool:
    """Returns whether there was an adjustment. Raises UserError where it cannot be removed."""
    path = run.adjustment
    there = path.is_file()
    with writing(path):
        path.unlink(missing_ok=True)
    return there


def _number(value: float | None) -> float:
    """Raises TypeError or OverflowError for what is no number."""
    return math.nan if value is None else float(abs(value))
