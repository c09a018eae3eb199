"""Binary encoding of a sample's labels, as in the table `labels` with one row per sample.

A row is K points (float64 x, y), K states and K origins; if a model placed any point, also K run numbers (int32) and K
confidences (float32). The length distinguishes the two: 18 K or 26 K bytes. Little-endian.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from training.errors import UserError
from training.faces.labels.labels import Labels, Origin, PointState


@lru_cache(maxsize=32)
def row_type(keypoints: int, *, model: bool) -> np.dtype:
    """The packed row of one sample; with `model` also runs and confidences."""
    fields: list[tuple] = [("points", "<f8", (keypoints, 2)), ("states", "u1", keypoints), ("origins", "u1", keypoints)]
    if model:
        fields += [("runs", "<i4", keypoints), ("confidences", "<f4", keypoints)]
    return np.dtype(fields)


def pack(labels: Labels) -> np.ndarray:
    """B samples as a structured array [B] of the long row type."""
    rows = np.empty(len(labels), row_type(labels.states.shape[1], model=True))
    for name in rows.dtype.names or ():
        rows[name] = getattr(labels, name)
    return rows


def unpack(rows: np.ndarray) -> Labels:
    """The labels of `pack`'s rows, copied."""
    return Labels(
        **{name: np.array(rows[name], dtype=rows[name].dtype.newbyteorder("=")) for name in rows.dtype.names or ()}
    )


def encode(labels: Labels) -> list[bytes]:
    """One row of bytes per sample, in the short form if no model placed any of its points."""
    count, keypoints = labels.states.shape
    of_model = (labels.runs != 0).any(axis=1) | np.isfinite(labels.confidences).any(axis=1)
    result = [b""] * count
    for model in (False, True):
        where = np.flatnonzero(of_model == model)
        if not where.size:
            continue
        rows = np.empty(len(where), row_type(keypoints, model=model))
        for name in rows.dtype.names or ():
            rows[name] = getattr(labels, name)[where]
        raw, size = rows.tobytes(), rows.dtype.itemsize
        for n, i in enumerate(where.tolist()):
            result[i] = raw[n * size : (n + 1) * size]
    return result


def decode(rows: Sequence[bytes], keypoints: int) -> Labels:
    """The labels of `encode`'s rows. Raises UserError for a row of any other length or with other values."""
    labels = Labels.empty(len(rows), keypoints)
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    done = 0
    for model in (False, True):
        kind = row_type(keypoints, model=model)
        where = np.flatnonzero(lengths == kind.itemsize)
        if not where.size:
            continue
        joined = b"".join(rows) if len(where) == len(rows) else b"".join([rows[i] for i in where.tolist()])
        part = np.frombuffer(joined, kind)
        for name in kind.names or ():
            getattr(labels, name)[where] = part[name]
        done += len(where)
    if done != len(rows):
        raise UserError(
            f"The project is damaged: {len(rows) - done} of the labels read do not have {keypoints} keypoints."
        )
    _check(labels)
    return labels


def _check(labels: Labels) -> None:
    if labels.states.max(initial=0) > PointState.ABSENT or labels.origins.max(initial=0) > Origin.INTERPOLATED:
        raise UserError("The project is damaged: some of the labels read are in a state that does not exist.")
    if not np.isfinite(labels.points[labels.mask]).all():
        raise UserError("The project is damaged: some of the points read have no coordinates.")
