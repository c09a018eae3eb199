"""The check of a project's labels for a systematic offset, import by import, as `fkp labels` and the window do it. No torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.errors import UserError
from training.label_offsets import LabelOffset, from_pictures, from_predictions, learnt_offsets
from training.metrics import rmse
from training.mirror_axis import FEWEST
from training.predicted import model_config, raw_predictions
from training.project.accept import Accepted
from training.project.mending import shift_labels, to_shift
from training.project.project import Project
from training.runs import model_file

CANNOT_TELL = (
    f"Nothing can be told of these labels: that takes {FEWEST} labelled faces or more that look ahead, with their eyes labelled, and "
    "keypoints that are mirror partners."
)
ONLY_SIDEWAYS = (
    "Mirroring tells only of shifts to the left or right; one up or down looks the same in a mirrored picture."
)


@dataclass(frozen=True)
class Checked:
    """The labels that came with one import. ids: int64, its samples. imported: how many points could be mended.

    found: None where nothing can be told. by_run: the same by the predictions of a run; None without one. before, after:
    RMSE on val of that run against the labels as they are and mended, px; NaN without, and of a run that has learnt the
    labels' offset.
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
        """What is told: by the pictures, or where these tell nothing by the run."""
        return self.found or self.by_run


def check_labels(project: Project, run_dir: Path | None = None) -> list[Checked]:
    """Look at the labels of each import, those that a person set left out; with a run also at its predictions. Raises UserError."""
    rows = project.database.all("SELECT import FROM samples ORDER BY id")
    imports = np.array([number for (number,) in rows], np.int64)
    sources = [entry.source for entry in project.imports()]
    names = project.groups()
    checked = []
    for number in np.unique(imports).tolist():
        ids = np.flatnonzero(imports == number) + 1
        source = sources[number - 1] if 0 < number <= len(sources) else project.name
        groups = np.array([names[i - 1] or f"alone {i}" for i in ids.tolist()])
        checked.append(_check(project, run_dir, ids, source, groups))
    return checked


def mend_labels(project: Project, checked: Checked, dx: float) -> Accepted:
    """Move the imported labels of that import by dx px to the right: one step of the journal."""
    return shift_labels(project.database, dx, len(project.schema), ids=checked.ids)


def _check(project: Project, run_dir: Path | None, ids: np.ndarray, source: str, groups: np.ndarray) -> Checked:
    labels = project.labels(ids)
    ours = to_shift(labels)
    points = np.where(ours[..., None], labels.points, np.nan)

    def picture(row: int) -> np.ndarray | None:
        try:
            return project.picture(int(ids[row]), channels=1)
        except UserError:  # one that cannot be read tells nothing
            return None

    found = from_pictures(picture, points, project.schema, groups)
    made = Checked(source, ids, int(ours.sum()), found)
    return made if run_dir is None else _with_run(project, run_dir, made, points, groups)


def _with_run(project: Project, run_dir: Path, made: Checked, points: np.ndarray, groups: np.ndarray) -> Checked:
    """Besides what the run's predictions say: on val where that has faces enough, since train faces are known by heart."""
    config = model_config(run_dir)
    if not config.flip_average:
        raise UserError(f"{run_dir.name} does not average mirror images (flip_average), so it can't tell of mirroring.")
    learnt = learnt_offsets(model_file(run_dir))
    pred = raw_predictions(project, run_dir, made.ids)
    index = project.index()
    widths = index.widths[made.ids - 1].astype(np.float64)
    if learnt is not None:  # the places without what the model learnt of the labels' offset
        pred = pred - learnt * (widths / config.input_size)[:, None, None]
    val = index.splits[made.ids - 1] == 1
    rows = val if (val & np.isfinite(points).any(axis=(1, 2))).sum() >= 2 * FEWEST else np.ones(len(val), bool)
    by_run = from_predictions(
        pred[rows], points[rows], project.schema, groups[rows], widths=widths[rows], by=run_dir.name
    )  # fmt: skip
    if learnt is not None:
        return replace(made, by_run=by_run)
    best = made.found or by_run
    mended = points[rows] - [best.common if best else 0.0, 0.0]
    return replace(made, by_run=by_run, before=rmse(pred[rows], points[rows]), after=rmse(pred[rows], mended))
