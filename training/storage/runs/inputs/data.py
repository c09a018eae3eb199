"""The images and labels of a run: one uint8 array at network size, in memory or in a file, with points scaled to it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from training.errors import UserError
from training.faces.images.reading import resize_points
from training.faces.labels.labels import Origin, PointState
from training.faces.labels.schema import KeypointSchema
from training.faces.labels.splits import numbered, spread_rows
from training.storage.project.network_pixels import MappedImages, network_images, read_images
from training.storage.project.project import Project
from training.storage.runs.inputs.memory import free_memory
from training.storage.runs.inputs.snapshot import Snapshot, load_snapshot
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig

_CHUNK = 512
_SHARE = 0.5  # of the free memory that a run's images may take
MAX_VAL = 2000  # images evaluated per epoch; evenly spread if there are more


@dataclass(frozen=True)
class RunData:
    """N samples with side S.

    images: uint8 [N, S, S] or [N, S, S, 3]; a stand-in for images larger than memory supports only len, shape and
    [rows]. points: float32 [N, K, 2], px of the image at side S, NaN where unlabelled. sizes: int32 [N, 2], width and
    height of the originals. train, val: int64 rows. val_is_train: there is no val split, so val holds rows of train.
    left_out: a sentence per sample whose image cannot be read. weight: float32 [N, K], loss weight of each point; None:
    all equal. groups: int64 [N], equal for images of one person or photo; None: unknown. ids: int64 [N], the samples of
    a project; None if they are from none. unset: bool [N, K], points not yet reviewed. schemes: int64 [N], index into
    scheme_names; None if there is one.
    """

    images: np.ndarray | MappedImages
    points: np.ndarray
    sizes: np.ndarray
    train: np.ndarray
    val: np.ndarray
    schema: KeypointSchema
    val_is_train: bool = False
    left_out: tuple[str, ...] = ()
    weight: np.ndarray | None = None
    groups: np.ndarray | None = None
    ids: np.ndarray | None = None
    unset: np.ndarray | None = None
    schemes: np.ndarray | None = None
    scheme_names: tuple[str, ...] = ()

    @property
    def side(self) -> int:
        """S, in pixels."""
        return int(self.images.shape[1])

    @property
    def mask(self) -> np.ndarray:
        """bool [N, K]: points with a label."""
        return np.isfinite(self.points).all(axis=-1)

    def fingerprint(self) -> str:
        """Identifies the labels, the rows and some of the images: equal if two processes train on the same data."""
        found = hashlib.sha256(repr((self.images.shape, self.left_out)).encode())
        for values in (self.points, self.sizes, self.train, self.val, self.images[:16], self.images[-16:]):
            found.update(np.ascontiguousarray(values).data)
        return found.hexdigest()

    def original_points(self) -> np.ndarray:
        """points in px of the original images."""
        return resize_points(self.points, (self.side, self.side), self.sizes)

    def to_original(self, points: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Points [n, K, 2] of rows, px at side S -> px of the original images."""
        return resize_points(points, (self.side, self.side), self.sizes[rows])

    def mean_shape(self) -> np.ndarray:
        """[K, 2]: mean of the train rows' labels, px at side S; the image's centre for a keypoint without labels."""
        points = self.points[self.train].astype(np.float64)
        present = np.isfinite(points)
        mean = np.where(present, points, 0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
        return np.where(present.any(axis=0), mean, (self.side - 1) / 2).astype(np.float32)


def load_run_data(run: Run, config: RunConfig, *, memory: int | None = None) -> RunData:
    """The run's label snapshot with the images of its project (the folder above `runs`). Raises UserError.

    memory: bytes that images may use, None for half of what is free; if they need more, they are kept in a file.
    """
    snapshot = load_snapshot(run)
    points = np.where(_is_used(snapshot, config)[..., None], snapshot.points, np.nan)
    train, val = choose_rows(points, snapshot.splits, rows=config.data.rows)
    used = np.union1d(train, val if len(val) else train[:0])
    with Project.open(run.path.parent.parent, read_only=True) as project:
        images, unreadable = _run_images(project, snapshot.ids[used], config, memory=memory)
        groups = numbered(project.groups())[snapshot.ids[used] - 1]
    gone = np.array(list(unreadable), np.int64)
    groups = groups[~np.isin(snapshot.ids[used], gone)]
    used, train, val = (rows[~np.isin(snapshot.ids[rows], gone)] for rows in (used, train, val))
    if not len(train):
        raise UserError(f"There is nothing to train on: no image can be read. {next(iter(unreadable.values()))}")
    scaled = resize_points(
        points[used], snapshot.sizes[used], (config.network.input_size, config.network.input_size)
    ).astype(np.float32)
    train, val = np.searchsorted(used, train), np.searchsorted(used, val)
    fallback = spread_rows(train, MAX_VAL) if not len(val) else val
    return RunData(
        images,
        scaled,
        snapshot.sizes[used],
        train,
        fallback,
        snapshot.schema,
        val_is_train=not len(val),
        left_out=tuple(unreadable.values()),
        weight=point_weights(snapshot, config, used),
        groups=groups,
        ids=snapshot.ids[used],
        unset=snapshot.states[used] == PointState.UNSET,
        schemes=None if snapshot.schemes is None else snapshot.schemes[used],
        scheme_names=() if snapshot.scheme_names is None else tuple(snapshot.scheme_names.tolist()),
    )


def choose_rows(points: np.ndarray, splits: np.ndarray, *, rows: str) -> tuple[np.ndarray, np.ndarray]:
    """The rows to train on (all labelled ones, or the complete ones) and the labelled val rows. Raises UserError."""
    present = np.isfinite(points).all(axis=-1)
    usable = present.all(axis=1) if rows == "complete" else present.any(axis=1)
    train = np.flatnonzero((splits == 0) & usable)
    if not len(train):
        what = (
            "has every point labelled; use a recipe with a masked loss"
            if rows == "complete"
            else "has a labelled point"
        )
        raise UserError(f"There is nothing to train on: no sample of the train split {what}.")
    return train, spread_rows(np.flatnonzero((splits == 1) & present.any(axis=1)), MAX_VAL)


def _run_images(
    project: Project, ids: np.ndarray, config: RunConfig, *, memory: int | None
) -> tuple[np.ndarray | MappedImages, dict[int, str]]:
    """As `load_readable`; from a file if the images would take too much memory, which is estimated beforehand."""
    if math.prod(_shape(len(ids), config)) <= (_SHARE * free_memory() if memory is None else memory):
        return load_readable(project, ids, config)
    return network_images(project, ids, size=config.network.input_size, channels=config.network.channels)


def load_readable(project: Project, ids: np.ndarray, config: RunConfig) -> tuple[np.ndarray, dict[int, str]]:
    """The images at network size of the samples whose image can be read, and id -> reason for the others."""
    images = np.empty(_shape(len(ids), config), np.uint8)
    unreadable: dict[int, str] = {}
    for start in range(0, len(ids), _CHUNK):
        rows = slice(start, start + _CHUNK)
        images[rows] = read_images(project, ids[rows], images.shape[1:], unreadable)
    return (images[~np.isin(ids, list(unreadable))] if unreadable else images), unreadable


def load_images(project: Project, ids: np.ndarray, config: RunConfig) -> np.ndarray:
    """The images at network size, uint8 [N, S, S] or [N, S, S, 3]."""
    images = np.empty(_shape(len(ids), config), np.uint8)
    for start in range(0, len(ids), _CHUNK):
        rows = slice(start, start + _CHUNK)
        images[rows] = project.images(ids[rows], size=config.network.input_size, channels=config.network.channels)
    return images


def _shape(count: int, config: RunConfig) -> tuple[int, ...]:
    size = config.network.input_size
    return (count, size, size) if config.network.channels == 1 else (count, size, size, 3)


def point_weights(snapshot: Snapshot, config: RunConfig, rows: np.ndarray) -> np.ndarray | None:
    """float32 [len(rows), K]: model_weight for points accepted from a model, 1 for all others; None where all are 1."""
    by_model = _by_model(snapshot)[rows]
    if config.objective.model_weight == 1 or not by_model.any():
        return None
    return np.where(by_model, config.objective.model_weight, 1).astype(np.float32)


def _is_used(snapshot: Snapshot, config: RunConfig) -> np.ndarray:
    """bool [N, K]: points with coordinates.

    Points accepted from a model count in train only, where they are weighted.
    """
    of_model = _by_model(snapshot)
    if config.objective.model_weight > 0:
        of_model &= (snapshot.splits != 0)[:, None]
    return _has_point(snapshot) & ~of_model


def _by_model(snapshot: Snapshot) -> np.ndarray:
    """bool [N, K]: points accepted from a model, as far as the snapshot records it."""
    return np.zeros(snapshot.states.shape, bool) if snapshot.origins is None else snapshot.origins == Origin.MODEL


def _has_point(snapshot: Snapshot) -> np.ndarray:
    state = snapshot.states
    return ((state == PointState.VISIBLE) | (state == PointState.OCCLUDED)) & np.isfinite(snapshot.points).all(axis=-1)
