"""Evaluates a run's best model on a split of its project, against the current labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.errors import UserError
from training.faces.images.reading import resize_points
from training.faces.measures.metrics import UNREADABLE, Evaluation, evaluate
from training.faces.measures.protocols import Protocol, ProtocolRow, chosen_rows, get_protocol, measure_rows
from training.learning.inference.predictor import Predictor
from training.storage.project.project import Project
from training.storage.project.tables.packed_columns import split_word
from training.storage.runs.inputs.data import load_readable
from training.storage.runs.run import Run

_CHUNK = 512
SPLITS = ("train", "val", "test")


def evaluate_protocol(
    project: Project, run: Run, name: str, *, device: str = "auto"
) -> tuple[Protocol, tuple[ProtocolRow, ...]]:
    """Evaluate the run's model, without calibration, by a protocol of `training.faces.measures.protocols`.

    Raises UserError.
    """
    protocol = get_protocol(name, project.schema)
    index, faces = project.index(), project.faces()
    rows = chosen_rows(protocol, [split_word(split) for split in index.splits.tolist()], faces.subsets)
    some = np.logical_or.reduce(list(rows.values()))
    ids = index.ids[some]
    sizes = np.stack([index.widths, index.heights], axis=1).astype(np.int32)[some]
    pred = predict_faces(load_for(project, run, device, adjusted=False), project, ids, sizes=sizes)
    table = measure_rows(
        protocol,
        {subset: chosen[some] for subset, chosen in rows.items()},
        pred,
        project.labels(ids).vouched_points,
        schema=project.schema,
        sizes=sizes,
        boxes=faces.boxes[some],
    )
    return protocol, table


def evaluate_run(
    project: Project, run: Run, split: str = "val", *, device: str = "auto", adjusted: bool = True
) -> Evaluation:
    """Evaluate the run's predictions on a split. left_out: reason -> number of samples that do not count.

    adjusted: False evaluates the bare model, without the calibration in use. Raises UserError.
    """
    if split not in SPLITS:
        raise UserError(f"The split must be one of {', '.join(SPLITS)}, not {split!r}.")
    predictor = load_for(project, run, device, adjusted=adjusted)
    index = project.index()
    chosen = index.splits == SPLITS.index(split)
    if not chosen.any():
        raise UserError(f"The project {project.name} has no samples in its {split} split.")
    ids = index.ids[chosen]
    sizes = np.stack([index.widths, index.heights], axis=1).astype(np.int32)
    pred, unreadable = predict_samples(predictor, project, ids, sizes=sizes[chosen])
    if not len(pred):
        raise UserError(f"None of the {len(ids):,} images can be read. {next(iter(unreadable.values()))}")
    read = ~np.isin(ids, list(unreadable))
    found = evaluate(pred, project.labels(ids[read]).vouched_points, project.schema, sizes=sizes[chosen][read])
    return replace(found, left_out={**found.left_out, UNREADABLE: len(unreadable)}) if unreadable else found


def load_for(project: Project, run: Run, device: str, *, adjusted: bool) -> Predictor:
    """The run's model, with or without the calibration. Raises UserError if its keypoints are not the project's."""
    predictor = Predictor.load(run, device, adjusted=adjusted)
    if predictor.info.schema.keypoints != project.schema.keypoints:
        raise UserError(f"The model of {run.name} has different keypoints from the project {project.name}.")
    return predictor


def predict_faces(predictor: Predictor, project: Project, ids: np.ndarray, *, sizes: np.ndarray) -> np.ndarray:
    """As `predict_samples`, but points [N, K, 2] of all samples, NaN where the image cannot be read."""
    found, unreadable = predict_samples(predictor, project, ids, sizes=sizes)
    points = np.full((len(ids), len(project.schema), 2), np.nan)
    points[~np.isin(ids, list(unreadable))] = found
    return points


def predict_samples(
    predictor: Predictor, project: Project, ids: np.ndarray, *, sizes: np.ndarray
) -> tuple[np.ndarray, dict[int, str]]:
    """Points [M, K, 2] in original px of the samples whose image can be read, and id -> reason for the others.

    sizes: [N, 2], width and height of the originals.
    """
    side = predictor.info.config.network.input_size
    parts: list[np.ndarray] = []
    unreadable: dict[int, str] = {}
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        images, gone = load_readable(project, some, predictor.info.config)
        unreadable |= gone
        if len(images):
            read = ~np.isin(some, list(gone))
            points = predictor.predict_points(images, predictor.schemes_of(project.path, some[read]))
            parts.append(resize_points(points, (side, side), sizes[start : start + _CHUNK][read]))
    return np.concatenate(parts) if parts else np.zeros((0, len(predictor.schema), 2)), unreadable
