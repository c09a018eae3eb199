"""Measures of predicted points against labels, in pixels of the original image, each defined once.

pred and target are [N, K, 2]; NaN in target is an unlabelled point, which never counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from training.faces.labels.schema import KeypointSchema

AUC_LIMIT, FAILURE_LIMIT = 0.08, 0.10
UNREADABLE = "picture cannot be read"  # a reason in `--json`, as older versions write it
CED_AXIS: tuple[float, ...] = tuple(round(i * 0.002, 3) for i in range(101))  # 0 to 0.2
DETECTION_LIMIT = 0.10


def point_errors(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Euclidean distances [N, K] in pixels; NaN where unlabelled."""
    return np.sqrt(np.square(np.asarray(pred, np.float64) - target).sum(axis=-1))


def rmse(pred: np.ndarray, target: np.ndarray) -> float:
    """Root mean squared error over all labelled *coordinates* together, as on Kaggle; NaN without any."""
    squared = np.square(np.asarray(pred, np.float64) - target)
    present = squared[np.isfinite(squared)]
    return float(np.sqrt(present.mean())) if present.size else float("nan")


def per_keypoint_error(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Mean distance [K] in pixels; NaN for a keypoint nobody labelled."""
    return _nanmean(point_errors(pred, target), axis=0)


def normaliser(
    target: np.ndarray, kind: str, schema: KeypointSchema, *, sizes: np.ndarray, boxes: np.ndarray | None = None
) -> np.ndarray:
    """The length [N] that a face's errors are divided by, px; NaN where the face lacks it.

    interocular, interpupil: distance between the means of the schema's two groups of keypoints, all of them labelled.
    box: sqrt(width * height) of the labelled points' bounding box, for fully labelled faces only (otherwise it would
    depend on which are missing). face_box: sqrt(width * height) of the box given by the data set, which for AFLW-Full's
    square boxes is their width (Wing loss paper, 7.1). width: the image's width. sizes: [N, 2], width and height.
    boxes: [N, 4], x, y, width, height as given by the source; None or NaN where it gives none.
    """
    if kind == "width":
        length = sizes[:, 0].astype(np.float64)
    elif kind == "face_box":
        length = np.full(len(target), np.nan) if boxes is None else np.sqrt(boxes[:, 2] * boxes[:, 3])
    elif kind == "box":
        length = np.sqrt((target.max(axis=1) - target.min(axis=1)).prod(axis=-1))
    else:
        left, right = schema.interocular if kind == "interocular" else schema.interpupil
        if not left or not right:
            return np.full(len(target), np.nan)
        ends = target[:, list(left)].mean(axis=1) - target[:, list(right)].mean(axis=1)
        length = np.sqrt(np.square(ends).sum(axis=-1))
    return np.where(length > 0, length, np.nan)


def nme_per_face(pred: np.ndarray, target: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """[N]: mean distance of a face's labelled points divided by its length, NaN where either is missing."""
    return _nanmean(point_errors(pred, target), axis=1) / lengths


def ced(errors: np.ndarray, axis: Sequence[float] = CED_AXIS) -> np.ndarray:
    """Cumulative error distribution: the fraction of counted faces whose error is at most axis[i]; NaN without any."""
    counted = np.sort(errors[np.isfinite(errors)])
    if not counted.size:
        return np.full(len(axis), np.nan)
    return np.searchsorted(counted, np.asarray(axis), side="right") / counted.size


def auc(errors: np.ndarray, limit: float = AUC_LIMIT) -> float:
    """Area under the CED from 0 to limit, divided by limit: computed exactly; 1 is perfect."""
    counted = errors[np.isfinite(errors)]
    return float(np.maximum(0, limit - counted).mean() / limit) if counted.size else float("nan")


def failure_rate(errors: np.ndarray, limit: float = FAILURE_LIMIT) -> float:
    """The fraction of counted faces whose error exceeds limit."""
    counted = errors[np.isfinite(errors)]
    return float((counted > limit).mean()) if counted.size else float("nan")


def detection_error(pred: np.ndarray, target: np.ndarray, *, sizes: np.ndarray) -> np.ndarray:
    """[N, K]: distance divided by the image's width (masked-loss paper, Eq. 7, with the square it omits)."""
    return point_errors(pred, target) / sizes[:, :1]


def detection_failures(pred: np.ndarray, target: np.ndarray, *, sizes: np.ndarray) -> float:
    """Average error rate of the masked-loss paper: the fraction of labelled points with a detection error above
    10 %."""
    return failure_rate(detection_error(pred, target, sizes=sizes).ravel(), DETECTION_LIMIT)


@dataclass(frozen=True)
class Evaluation:
    """All measures of one run on one split. nme_* and the following are NaN where no face has the normaliser.

    auc, failure_rate and ced use `normaliser`. per_keypoint: mean distance in px per keypoint. left_out: reason ->
    number of samples not counted ("no label", "no interocular distance", "no box: labels missing").
    """

    n: int
    rmse: float
    nme_interocular: float
    nme_interpupil: float
    nme_box: float
    nme_width: float
    normaliser: str
    auc: float
    failure_rate: float
    detection_failures: float
    ced: tuple[float, ...]
    per_keypoint: tuple[float, ...]
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def nme(self) -> float:
        """The NME with `normaliser`."""
        return float(getattr(self, f"nme_{self.normaliser}"))


LACKS = {
    "face_box": "no face box: the source gave none",
    "interocular": "no interocular distance: an eye is not labelled",  # likewise
    "interpupil": "no interpupil distance: an eye is not labelled",
    "box": "no box: not every point is labelled",
}


def evaluate(pred: np.ndarray, target: np.ndarray, schema: KeypointSchema, *, sizes: np.ndarray) -> Evaluation:
    """All measures of predictions [N, K, 2] against labels. sizes [N, 2]: width and height of the images."""
    labelled = np.isfinite(target).all(axis=-1).any(axis=1)
    left_out = {"no label": int((~labelled).sum())} if not labelled.all() else {}
    pred, target, sizes = pred[labelled], target[labelled], sizes[labelled]
    faces: dict[str, np.ndarray] = {}
    for kind in ("interocular", "interpupil", "box", "width"):
        faces[kind] = nme_per_face(pred, target, normaliser(target, kind, schema, sizes=sizes))
        missing = int((~np.isfinite(faces[kind])).sum())
        if missing and kind in LACKS and (kind == "box" or getattr(schema, kind)[0]):
            left_out[LACKS[kind]] = missing
    main = next((k for k in ("interocular", "box") if np.isfinite(faces[k]).any()), "width")
    return Evaluation(
        n=int(labelled.sum()),
        rmse=rmse(pred, target),
        **{f"nme_{kind}": float(_nanmean(values, axis=0)) for kind, values in faces.items()},
        normaliser=main,
        auc=auc(faces[main]),
        failure_rate=failure_rate(faces[main]),
        detection_failures=detection_failures(pred, target, sizes=sizes),
        ced=tuple(float(v) for v in ced(faces[main])),
        per_keypoint=tuple(float(v) for v in per_keypoint_error(pred, target)),
        left_out=left_out,
    )


def _nanmean(values: np.ndarray, axis: int) -> np.ndarray:
    """np.nanmean without its warning: NaN where there are no values."""
    present = np.isfinite(values)
    count = present.sum(axis=axis)
    total = np.where(present, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
