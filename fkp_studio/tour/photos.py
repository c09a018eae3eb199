"""The tour's photo step: synthetic portraits on a wall, detected, cropped and predicted by a starter model."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fkp_studio.background.tasks import run_task
from fkp_studio.document.session import Session
from fkp_studio.tour.windows import Shoot, Until
from fkp_studio.window.main_window import MainWindow
from training.errors import UserError
from training.storage.runs.model.starters import starters

SIDE, GAP, TOP, WALL = 288, 92, 136, 168  # px of a portrait, between two, above; brightness of the wall
SEED, WALLS = (
    5,
    ((8, 12, 28), (4, 14, 38)),
)  # of make_faces, and its portraits on each wall: near-frontal and sharp
SIZE = (560, 1180)


def show_photos(window: MainWindow, until: Until, shoot: Shoot, folder: Path) -> None:
    """Make photos in the folder, import them, and show one with its face boxes. Raises UserError."""
    project = folder.with_suffix(".fkp")
    done: list[object] = []
    failed: list[BaseException] = []
    run_task(make_project, folder, project, done=done.append, failed=failed.append)
    until(lambda: bool(done or failed))
    if failed:
        raise UserError(str(failed[0]))
    if not window.opener.open(project):
        raise UserError(f"The photos' project at {project} can't be opened.")
    session = window.session
    window.workspaces.switch("look")
    if starters():
        until(lambda: _is_predicted(session))
    window.canvas.draw_box()
    until(lambda: window.canvas.box_page.photo.photo is not None)
    shoot("photos", "Photos: faces are detected, and a starter model predicts them before any training", window)
    window.canvas.show_face()


def _is_predicted(session: Session) -> bool:
    store = session.store
    return bool(store and session.run and np.isfinite(store.columns.of(session.run)[1]).all())


def make_project(folder: Path, project: Path) -> None:
    """Write photos of walls and the project of the faces detected in them. For a background thread."""
    from training.sources.exchange.import_source import import_source
    from training.synthetic.faces import make_faces

    images = make_faces(max(map(max, WALLS)) + 1, seed=SEED).images
    folder.mkdir(exist_ok=True)
    for number, portraits in enumerate(WALLS, start=1):
        cv2.imwrite(str(folder / f"wall-{number}.png"), wall(images[list(portraits)]))
    import_source(folder, project, faces="detect")


def wall(portraits: np.ndarray) -> np.ndarray:
    """uint8 [H, W]: framed portraits [P, 96, 96] on a wall lit from one side."""
    height, width = SIZE
    light = WALL + np.linspace(18, -22, width)[None] + np.linspace(8, -14, height)[:, None]
    for i, portrait in enumerate(portraits):
        x = GAP // 2 + 10 + i * (SIDE + GAP)
        for margin, value in ((30, 52), (18, 232)):  # frame, mount
            light[TOP - margin : TOP + SIDE + margin, x - margin : x + SIDE + margin] = value
        light[TOP : TOP + SIDE, x : x + SIDE] = cv2.resize(portrait, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).normal(0, 1.5, SIZE)
    return np.asarray(np.clip(cv2.GaussianBlur(light, (0, 0), 0.8) + noise, 0, 255), np.uint8)
