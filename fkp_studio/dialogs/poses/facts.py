"""Data of the poses window: current poses, the balance of runs, a typical face per bin. For a background thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtGui import QImage

from fkp_studio.face.images import to_image
from training.errors import UserError
from training.faces.labels.labels import Labels
from training.faces.measures.pose_balance import Balance
from training.storage.project.identity import Place
from training.storage.project.project import Project
from training.storage.runs.inputs.balance import BALANCE, ProjectPoses, project_poses, read_balance
from training.storage.runs.run import Run

_MARGIN = 0.3  # of the face's box, around a face in a larger image
_TRIES = 3  # faces of a bin to try, in case images are unreadable


@dataclass(frozen=True)
class Shown:
    """Faces and their balance, by the current labels or as in a run."""

    ids: np.ndarray
    balance: Balance

    def faces_of(self, place: int) -> np.ndarray:
        """The ids of the faces in one bin."""
        return self.ids[self.balance.bins == place]

    def typical(self, place: int) -> np.ndarray:
        """Some ids from the middle of a bin, evenly spread by id."""
        ids = self.faces_of(place)
        return ids[np.linspace(0, len(ids) - 1, min(len(ids), _TRIES) + 2).astype(np.int64)[1:-1]] if len(ids) else ids


@dataclass(frozen=True)
class PoseFacts:
    """poses: by the current labels, or None with the reason in `fault`. runs: names of the runs that balanced."""

    poses: ProjectPoses | None
    fault: str
    runs: tuple[str, ...]


def read_poses(path: Place) -> PoseFacts:
    """Read the poses of a project's train faces."""
    with Project.open(path, read_only=True) as project:
        runs = tuple(sorted((p.parent.name for p in project.runs_dir.glob(f"*/{BALANCE}")), reverse=True))
        try:
            return PoseFacts(project_poses(project), "", runs)
        except UserError as error:
            return PoseFacts(None, str(error), runs)


def balance_now(poses: ProjectPoses, bins: int) -> Shown:
    """The faces as a run with this number of bins would balance them."""
    return Shown(poses.ids, poses.balanced(bins=bins))


def read_run_balance(path: Path, run: str) -> Shown:
    """The balance of a run. Raises UserError if it did not balance by pose."""
    found = read_balance(Run(path / "runs" / run))
    if found is None:
        raise UserError(f"The run {run} did not balance by pose.")
    return Shown(found.ids, found.balance)


def draw_typical(path: Place, shown: Shown, *, side: int, cancelled: Callable[[], bool]) -> list[QImage | None]:
    """One face per bin, cropped from its image, `side` px; None if the bin is empty or its images are unreadable."""
    images: list[QImage | None] = []
    with Project.open(path, read_only=True) as project:
        for place in range(len(shown.balance.edges) - 1):
            if cancelled():
                break
            images.append(_first_readable(project, shown.typical(place), side))
    return images


def _first_readable(project: Project, ids: np.ndarray, side: int) -> QImage | None:
    for sample_id in ids.tolist():
        try:
            image, labels = project.image(sample_id), project.labels([sample_id])
        except UserError:  # moved or damaged: try another face of the bin
            continue
        from fkp_studio.face.thumbnail import draw_thumbnail

        plain = Labels.empty(1, len(project.schema))
        nothing = np.full((len(project.schema), 2), np.nan)
        return to_image(draw_thumbnail(cut_out(image, labels.points[0]), plain, nothing, side=side))
    return None


def cut_out(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The square around a face's points, clipped to the image; the whole image if too little is left."""
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 2:
        return image
    low, high = points.min(axis=0), points.max(axis=0)
    half = max(float((high - low).max()) * (0.5 + _MARGIN), 8.0)
    (left, top), (right, bottom) = (low + high) / 2 - half, (low + high) / 2 + half
    height, width = image.shape[:2]
    x0, x1 = int(max(left, 0)), int(min(right + 1, width))
    y0, y1 = int(max(top, 0)), int(min(bottom + 1, height))
    return image[y0:y1, x0:x1] if x1 - x0 >= 8 and y1 - y0 >= 8 else image
