"""Data of the label offset dialog: the check, and faces before and after. No widgets; for a background thread."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fkp_studio.look.widgets.dialog_parts import FaceCard
from training.assist.offsets.project_check import Checked, check_labels
from training.assist.offsets.symmetry import frontal_rows
from training.errors import UserError
from training.faces.labels.labels import Labels
from training.faces.labels.splits import spread_rows
from training.progress import Progress
from training.storage.project.edits.shift import shifted, to_shift
from training.storage.project.identity import Place
from training.storage.project.project import Project
from training.storage.runs.model.prediction_stamp import is_predicted, model_config
from training.storage.runs.run import Run

LOOKED_AT = 2000  # evenly spread faces to choose the drawn ones from
ROOM = 0.75  # of the inter-ocular distance, around the midpoint of the eyes


def read_checks(path: Place, run: str, *, cancelled: Callable[[], bool]) -> list[Checked]:
    """The check of each import; also by the predictions of `run` if they are complete and sufficient.

    Raises UserError, and Cancelled.
    """
    with Project.open(path, read_only=True) as project:
        project.database.progress = Progress(None, cancelled)
        own = Run(project.runs_dir / run)
        return check_labels(project, own if run and _can_tell(project, own) else None)


def _can_tell(project: Project, run: Run) -> bool:
    try:
        return model_config(run).network.flip_average and is_predicted(project, run)
    except UserError:  # damaged run settings: check by the images alone
        return False


def draw_pairs(path: Place, checked: Checked, dx: float, *, faces: int, side: int) -> list[FaceCard]:
    """The eyes of some faces, each twice: with the current labels, and with labels shifted by dx px to the right."""
    from fkp_studio.face.images import to_image
    from fkp_studio.face.thumbnail import draw_thumbnail

    cards: list[FaceCard] = []
    with Project.open(path, read_only=True) as project:
        ids = spread_rows(checked.ids, LOOKED_AT)
        labels = project.labels(ids)
        rows = frontal_rows(np.where(to_shift(labels)[..., None], labels.points, np.nan), project.schema)
        for row in rows[np.linspace(0, len(rows) - 1, min(faces, len(rows))).astype(np.int64)].tolist():
            sample = int(ids[row])
            try:
                image = project.image(sample)
            except UserError:  # skip images that cannot be read
                continue
            now = labels[[row]]
            eyes = [now.points[0, list(group)].mean(axis=0) for group in project.schema.interocular]
            for words, shown in (("current labels", now), ("shifted", shifted(now, dx, to_shift(now)))):
                part, moved = _cut(image, shown, np.array(eyes))
                if not part.size:  # labels outside the image
                    break
                drawn = draw_thumbnail(part, moved, np.full(moved.points.shape[1:], np.nan), side=side)
                cards.append(FaceCard(to_image(drawn), words, f"{project.sample(sample).name}: {words}"))
    return cards


def _cut(image: np.ndarray, labels: Labels, eyes: np.ndarray) -> tuple[np.ndarray, Labels]:
    """The square of the image around both eyes, and the labels in it."""
    half = float(np.linalg.norm(eyes[0] - eyes[1])) * ROOM
    x, y = np.maximum(np.floor(eyes.mean(axis=0) - half).astype(int), 0)
    end = np.maximum(np.ceil(eyes.mean(axis=0) + half).astype(int) + 1, 0)
    moved = labels.copy()
    moved.points[:] -= (x, y)
    part = image[y : end[1], x : end[0]]
    outside = (moved.points < 0).any(axis=-1) | (moved.points > np.array(part.shape[1::-1]) - 1).any(axis=-1)
    moved.points[outside] = np.nan
    return np.ascontiguousarray(part), moved
