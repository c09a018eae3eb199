"""Checks a project's labels for a systematic offset, import by import, for `fkp labels` and the window."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from training.assist.offsets.label_offsets import LabelOffset, from_images, from_predictions, learned_offsets
from training.assist.offsets.symmetry import FEWEST, frontal_rows
from training.errors import UserError
from training.faces.labels.splits import spread_rows
from training.faces.measures.metrics import rmse
from training.storage.project.edits.shift import shift_labels, to_shift
from training.storage.project.edits.step import Edited
from training.storage.project.project import Project
from training.storage.project.tables.imports import import_numbers, read_imports
from training.storage.project.tables.label_table import blocks
from training.storage.project.tables.packed_columns import REMOVED, read_sizes
from training.storage.runs.model.prediction_stamp import model_config, raw_predictions
from training.storage.runs.run import Run

LOOKED_AT = 20_000  # faces, evenly spread, at most: a few hundred determine an offset to a tenth of a pixel
CANNOT_TELL = (
    f"The offset of these labels cannot be determined: that takes at least {FEWEST} labelled frontal faces with "
    "labelled eyes, and keypoints that are mirror partners."
)
ONLY_SIDEWAYS = (
    "Only shifts to the left or right can be detected; a shift up or down looks the same in a mirrored image."
)


@dataclass(frozen=True)
class Checked:
    """The labels that came with one import. ids: int64, its samples. imported: how many points could be corrected.

    found: None where it cannot be determined. by_run: the same from the predictions of a run; None without one. before,
    after: RMSE on val of that run against the current and the corrected labels, px; NaN without a run, or for one that
    has learned the labels' offset.
    """

    source: str
    ids: np.ndarray
    imported: int
    found: LabelOffset | None
    by_run: LabelOffset | None = None
    before: float = math.nan
    after: float = math.nan

    @property
    def best(self) -> LabelOffset | None:
        """The offset to report: from the images, or else from the run."""
        return self.found or self.by_run


def check_labels(project: Project, run: Run | None = None) -> list[Checked]:
    """Check the labels of each import, except those that a person set; with a run also against its predictions.

    Labels are read block by block, and `LOOKED_AT` faces are used for the images. Raises UserError, and Cancelled where
    the database's progress does.
    """
    imports = import_numbers(project.database)
    sources = [entry.source for entry in read_imports(project.database)]
    checked = []
    for number in np.unique(imports).tolist():
        ids = np.flatnonzero(imports == number) + 1
        source = sources[number - 1] if 0 < number <= len(sources) else project.name
        checked.append(_check(project, run, ids, source))
    return checked


def mend_labels(project: Project, checked: Checked, dx: float) -> Edited:
    """Move the imported labels of that import by dx px to the right, as one step of the journal."""
    return shift_labels(project, dx, ids=checked.ids)


def _check(project: Project, run: Run | None, ids: np.ndarray, source: str) -> Checked:
    imported, frontal = 0, [np.zeros(0, np.int64)]
    for block in blocks(project.database, _kept(project, ids)):
        points = _imported(project, block)
        imported += int(np.isfinite(points).all(axis=-1).sum())
        frontal.append(block[frontal_rows(points, project.schema)])
    looked_at = spread_rows(np.concatenate(frontal), LOOKED_AT)

    def image(row: int) -> np.ndarray | None:
        project.database.progress(row / len(looked_at), "")
        try:
            return project.image(int(looked_at[row]), channels=1)
        except UserError:  # unreadable images are skipped
            return None

    points = _imported(project, looked_at)
    made = Checked(source, ids, imported, from_images(image, points, project.schema, _groups(project, looked_at)))
    return made if run is None else _with_run(project, run, made)


def _kept(project: Project, ids: np.ndarray) -> np.ndarray:
    """Those of `ids` that are not removed."""
    return ids[project.splits(ids) != REMOVED]


def _imported(project: Project, ids: np.ndarray) -> np.ndarray:
    """The labels of `ids` that came with the import, float64 [B, K, 2], NaN elsewhere."""
    labels = project.labels(ids)
    return np.where(to_shift(labels)[..., None], labels.points, np.nan)


def _groups(project: Project, ids: np.ndarray) -> np.ndarray:
    """[B]: each one's person or photo."""
    return np.array([name or f"alone {i}" for i, name in zip(ids.tolist(), project.groups(ids), strict=True)])


def _with_run(project: Project, run: Run, made: Checked) -> Checked:
    """Add what the run's predictions show, on val where it has enough faces, since the model has memorised
    train faces."""
    config = model_config(run)
    if not config.network.flip_average:
        raise UserError(f"{run.name} does not average mirror images (flip_average), so it cannot reveal an offset.")
    val = spread_rows(made.ids[project.splits(made.ids) == 1], LOOKED_AT)
    points = _imported(project, val)
    ids = val
    if np.isfinite(points).any(axis=(1, 2)).sum() < 2 * FEWEST:
        ids = spread_rows(_kept(project, made.ids), LOOKED_AT)
        points = _imported(project, ids)
    learnt = learned_offsets(run.model, keypoints=len(project.schema))
    pred = raw_predictions(project, run, ids)
    widths = read_sizes(project.database, ids)[:, 0]
    if learnt is not None:  # the positions without the label offset that the model learned
        pred = pred - learnt * (widths / config.network.input_size)[:, None, None]
    groups = _groups(project, ids)
    by_run = from_predictions(pred, points, project.schema, groups, widths=widths, by=run.name)
    if learnt is not None:
        return replace(made, by_run=by_run)
    best = made.found or by_run
    mended = points - [best.common if best else 0.0, 0.0]
    return replace(made, by_run=by_run, before=rmse(pred, points), after=rmse(pred, mended))
