"""Starter models: networks that ship with the program, so that photos get predictions before anything is trained.

Each is `resources/starters/face-K.safetensors` for K keypoints, a model file like those that runs write. In a project a
starter is used like a run named `starter-K`; see training.faces.labels.run_names. Only a file's header and mean shape
are read.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import safetensors

from training.errors import UserError
from training.faces.images.face_detector import ROOM
from training.faces.labels.schema import IBUG_68, KeypointSchema
from training.files.json_values import parse_json
from training.files.tensors import open_tensors
from training.storage.runs.listing import RunInfo
from training.storage.runs.run import Run, starter_name, starters_folder
from training.storage.runs.settings.config import RunConfig

CARD = "CARD.md"  # beside the starters: what they were trained on and how accurate they are
_HEADER, _MEAN_SHAPE = "fkp-studio", "origin"  # as training.learning.inference.checkpoint writes them

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Starter:
    """A starter model as described by its file. card: the text about all starters, "" if there is none.

    room: margin around a face's box (see training.faces.images.face_detector), a fraction of the box on each side, as
    in its training crops.
    """

    name: str  # "starter-15"
    path: Path
    schema: KeypointSchema
    config: RunConfig
    card: str
    room: float

    @property
    def title(self) -> str:
        return f"{len(self.schema)} points ({self.schema.name})"


def starters(folder: Path | None = None) -> tuple[Starter, ...]:
    """All readable starters, the one with the fewest keypoints first. folder: instead of the program's own."""
    where = folder or starters_folder()
    files = [path for path in where.glob("face-*.safetensors") if starter_name(path)] if where.is_dir() else []
    found = []
    for path in files:
        try:
            found.append(_read(path))
        except UserError as error:
            log.warning("a starter was left out: %s", error)
    return tuple(sorted(found, key=lambda starter: len(starter.schema)))


def starter_for(schema: KeypointSchema) -> Starter | None:
    """The starter that finds exactly these keypoints, if there is one."""
    return next((starter for starter in starters() if starter.schema.keypoints == schema.keypoints), None)


def room_for(schema: KeypointSchema) -> float:
    """The margin with which faces of these keypoints are cropped: as their starter expects it."""
    starter = starter_for(schema)
    return ROOM if starter is None else starter.room


def starter_runs(runs_dir: Path, schema: KeypointSchema) -> list[RunInfo]:
    """The starters of a project with these keypoints, as runs."""
    starter = starter_for(schema)
    return [] if starter is None else [_as_run(starter, runs_dir)]


def _as_run(starter: Starter, runs_dir: Path) -> RunInfo:
    return RunInfo(
        run=Run(runs_dir / starter.name),
        recipe=starter.config.recipe,
        status="done",
        config=starter.config,
        created=starter.path.stat().st_mtime,
        last=None,
        best=None,
        message="",
        label_hash="",
    )


def _read(path: Path) -> Starter:
    try:
        status = path.stat()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); install FKP Studio again.") from error
    return _as_it_was(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)  # asked for every face that is cropped
def _as_it_was(path: Path, _written: int, _size: int) -> Starter:
    try:
        with open_tensors(path, framework="numpy") as stored:
            values = parse_json((stored.metadata() or {})[_HEADER])
            schema, config = KeypointSchema.from_json(values["schema"]), RunConfig.from_json(values["config"])
            room = _room(stored.get_tensor(_MEAN_SHAPE), schema, config)
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a valid FKP Studio model ({error}); install FKP Studio again.") from error
    card = path.with_name(CARD)
    return Starter(starter_name(path), path, schema, config, card.read_text("utf-8") if card.is_file() else "", room)


def _room(mean_shape: np.ndarray, schema: KeypointSchema, config: RunConfig) -> float:
    """The room from the expected points [K, 2], input px. Only the 68 points span the whole face. Raises ValueError."""
    shape = mean_shape.astype(np.float64)
    if shape.shape != (len(schema), 2) or not np.isfinite(shape).all():
        raise ValueError("its mean shape is not a point for each keypoint")
    size = np.ptp(shape, axis=0).max()
    if schema.keypoints != IBUG_68.keypoints or size <= 0:
        return ROOM
    return float(np.clip((config.network.input_size / size - 1) / 2, 0.0, 1.0))
