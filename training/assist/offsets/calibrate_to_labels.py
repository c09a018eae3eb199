"""Fits a model to one annotator's labels by a constant offset per keypoint.

The offset is the mean of label - prediction in px of the network's input. (As fractions of the inter-ocular distance,
rotated upright with the face, it was 0.1 to 4 % worse on three pairs of model and labels, and never better.) With few
faces each keypoint's mean is shrunk towards the common offset, and that towards zero, by empirical Bayes (Efron and
Morris, 1975), with variances over groups, since faces of one person are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.errors import UserError
from training.faces.images.reading import resize_points
from training.faces.labels.splits import spread_rows
from training.storage.project.project import Project
from training.storage.project.tables.label_table import blocks
from training.storage.project.tables.packed_columns import read_sizes
from training.storage.runs.inputs.snapshot import load_snapshot
from training.storage.runs.model.adjustment import Adjustment, remove_adjustment, write_adjustment
from training.storage.runs.model.prediction_stamp import (
    NotPredictedError,
    model_config,
    note_predicted,
    raw_predictions,
)
from training.storage.runs.run import Run

FEWEST = 20  # labelled faces
FOLDS = 50
MOST = 20_000  # faces, evenly spread: more do not improve the estimate
WORTH = 0.005  # of the RMSE: a smaller gain does not justify predicting all faces again

Predict = Callable[[np.ndarray], np.ndarray]  # ids [N] -> points [N, K, 2] of the bare model, NaN where it has none


@dataclass(frozen=True)
class Fit:
    """adjustment: what would be used. before, after: [K], RMSE per keypoint on faces left out of the fit, in original
    px, NaN without labels. groups: how many people or photos it was fitted on.
    """

    adjustment: Adjustment
    before: np.ndarray
    after: np.ndarray
    groups: int

    @property
    def helps(self) -> bool:
        """Whether it improves predictions on faces it was not fitted on by a worthwhile amount."""
        return self.adjustment.after < (1 - WORTH) * self.adjustment.before

    @property
    def sentence(self) -> str:
        a = self.adjustment
        verdict = "" if self.helps else " It does not help: this model already matches your labels."
        return (
            f"RMSE {a.before:.2f} → {a.after:.2f} px on faces it was not calibrated on "
            f"({a.faces:,} faces of {self.groups:,} people or photos, each left out in turn).{verdict}"
        )


def fit_offsets(residual: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The offset [K, 2] of residuals label - prediction [N, K, 2], NaN where unlabelled. groups: int64 [N] from 0."""
    there = np.isfinite(residual).all(axis=-1)
    count = there.sum(axis=0)[:, None].astype(np.float64)  # [K, 1]
    mean = np.where(there[..., None], residual, 0).sum(axis=0) / np.maximum(count, 1)
    sums = np.zeros((int(groups.max()) + 1, *mean.shape))
    np.add.at(sums, groups, np.where(there[..., None], residual - mean, 0))
    spread = np.square(sums).sum(axis=0).sum(axis=0) / max(
        count.sum(), 1
    )  # [2]: variance, times the number of correlated faces in a group
    variance = np.where(count > 0, spread / np.maximum(count, 1), np.inf)  # [K, 2], of the mean
    weight = np.where(count > 0, 1 / np.maximum(variance, 1e-12), 0)
    common = (weight * mean).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-12)
    labelled = count[:, 0] > 0
    between = (
        np.maximum((np.square(mean - common) - variance)[labelled].mean(axis=0), 0) if labelled.any() else np.zeros(2)
    )
    kept = between / np.maximum(between + variance, 1e-12)  # [K, 2], 0 for a keypoint nobody labelled
    sure = np.maximum(1 - 1 / np.maximum(weight.sum(axis=0) * np.square(common), 1e-12), 0)
    return np.asarray(sure * common + kept * (mean - common))


def left_out(residual: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """[N, K, 2]: residual minus the offset fitted without the face's own group (in 50 folds if there are more
    groups)."""
    fold = np.random.default_rng(0).permutation(int(groups.max()) + 1)[groups] % FOLDS
    rest = np.full(residual.shape, np.nan)
    for part in np.unique(fold).tolist():
        out = fold == part
        if not out.all():
            rest[out] = residual[out] - fit_offsets(residual[~out], groups[~out])
    return rest


def fit_run(project: Project, run: Run, *, predict: Predict | None = None) -> Fit:
    """Fit the model of a run or starter to the labels of faces that it was not trained on.

    predict: called if any of these lacks a prediction by the current model. Raises UserError with fewer than 20 faces,
    NotPredictedError without `predict` where predictions are missing, and Cancelled where the database's progress does.
    """
    ids = spread_rows(_labelled(project, run), MOST)
    _check_enough(len(ids), run)
    try:
        pred = raw_predictions(project, run, ids)
    except NotPredictedError:
        if predict is None:
            raise
        pred = predict(ids)
    read = np.isfinite(pred).all(axis=(1, 2))
    _check_enough(int(read.sum()), run)
    return _fit(project, run, ids[read], pred[read])


def _labelled(project: Project, run: Run) -> np.ndarray:
    """Ids of the faces that the run was not trained on and that have labels not made by a model; read block by
    block."""
    kept = project.kept_ids()
    new = blocks(project.database, kept[~_trained_on(run, len(project))[kept - 1]])
    found = [block[project.labels(block).vouched.any(axis=1)] for block in new]
    return np.concatenate([np.zeros(0, np.int64), *found])


def _check_enough(faces: int, run: Run) -> None:
    if faces < FEWEST:
        raise UserError(
            f"Calibration needs {FEWEST} labelled faces that {run.name} was not trained on; there {_are(faces)}. "
            "Label more faces (those in val count too)."
        )


def _fit(project: Project, run: Run, ids: np.ndarray, pred: np.ndarray) -> Fit:
    side, labels, sizes = model_config(run).network.input_size, project.labels(ids), read_sizes(project.database, ids)
    residual = resize_points(labels.vouched_points, sizes, (side, side)) - resize_points(pred, sizes, (side, side))
    names = [name or f"alone {n}" for n, name in enumerate(project.groups(ids))]
    groups = np.unique(names, return_inverse=True)[1]
    if groups.max() == 0:
        raise UserError(
            "All these faces are of one person or photo, so the gain on others cannot be measured. Label more faces."
        )
    rest, scale = left_out(residual, groups), (sizes / side)[:, None]
    before, after = residual * scale, rest * scale
    adjustment = Adjustment(fit_offsets(residual, groups), len(ids), float(_rmse(before)), float(_rmse(after)))
    return Fit(adjustment, _rmse(before, axis=(0, 2)), _rmse(after, axis=(0, 2)), int(groups.max()) + 1)


def to_json(fit: Fit, titles: Sequence[str]) -> dict[str, Any]:
    a = fit.adjustment
    keypoints = {"offset": a.offset, "keypoint_before": fit.before, "keypoint_after": fit.after}
    per_keypoint = {name: dict(zip(titles, values.tolist(), strict=True)) for name, values in keypoints.items()}
    return {"faces": a.faces, "people": fit.groups, "rmse_before": a.before, "rmse_after": a.after, **per_keypoint}


def from_json(values: Mapping[str, Any]) -> Fit:
    """The fit of `to_json`, where null stands for NaN."""
    names = ("offset", "keypoint_before", "keypoint_after")
    columns = {name: np.array(list(values[name].values()), np.float64) for name in names}
    adjustment = Adjustment(columns["offset"], values["faces"], values["rmse_before"], values["rmse_after"])
    return Fit(adjustment, columns["keypoint_before"], columns["keypoint_after"], values["people"])


def use_fit(run: Run, fit: Fit) -> None:
    """Apply the adjustment to the model's predictions from now on; stored predictions become outdated."""
    note_predicted(run, "")
    write_adjustment(run, fit.adjustment)


def undo_fit(run: Run) -> bool:
    """Remove the adjustment; returns whether there was one. All stored predictions become outdated: some may be
    adjusted, and the bare model's stamp cannot tell later ones from earlier ones.
    """
    if run.adjustment.is_file():
        note_predicted(run, "")
    return remove_adjustment(run)


def _trained_on(run: Run, count: int) -> np.ndarray:
    """bool [N]: samples whose labels the run was trained on; none for a starter."""
    found = np.zeros(count, bool)
    if not run.is_starter:
        snapshot = load_snapshot(run)
        learnt = snapshot.ids[(snapshot.splits == 0) & np.isfinite(snapshot.points).any(axis=(1, 2))]
        # a run copied from another project may have other ids
        found[learnt[(learnt > 0) & (learnt <= count)] - 1] = True
    return found


def _rmse(residual: np.ndarray, axis: tuple[int, ...] | None = None) -> np.ndarray:
    there = np.isfinite(residual)
    count = there.sum(axis=axis)
    mean = np.where(there, np.square(np.nan_to_num(residual)), 0).sum(axis=axis) / np.maximum(count, 1)
    return np.asarray(np.where(count > 0, np.sqrt(mean), np.nan))


def _are(count: int) -> str:
    return "is one" if count == 1 else f"are {count:,}" if count else "are none"
