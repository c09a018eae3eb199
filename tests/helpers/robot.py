"""Runs the real program and uses it as a person would: `python -m tests.helpers.robot STORY [ARGUMENTS]`.

It runs in the program's process, so it is killed with it. It reports what it sees to the test as JSON lines.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QEventLoop, QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from fkp_studio import app
from fkp_studio.window.main_window import MainWindow
from training.faces.labels.run_names import is_starter
from training.storage.project.tables.predictions import predicted_ids

PATIENCE = 150.0  # s, for the slowest step on a busy machine


class Robot:
    """Eyes, a mouse and a keyboard for one window."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window

    @property
    def store(self) -> Any:
        return self.window.session.store

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Run the program's event loop until the condition holds."""
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain for: {what}")
            loop = QEventLoop()
            QTimer.singleShot(20, loop.quit)
            loop.exec()

    def click(self, widget: QWidget, at: QPoint | None = None) -> None:
        """Left click, in the middle or at a position."""
        self.until(
            lambda: widget.isVisible() and widget.isEnabled(), f"{widget.accessibleName() or widget} can be clicked"
        )
        place = at or widget.rect().center()
        QTest.mouseMove(widget, place)
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)

    def press(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        """Press a key with the canvas in focus."""
        view = self.window.canvas.view
        self.window.activateWindow()
        view.setFocus()
        self.until(lambda: self.window.isActiveWindow() and view.hasFocus(), "the keyboard is with the image")
        QTest.keyClick(view, key, modifier)

    def dialog(self, kind: type) -> Any:
        """Wait for a dialog and return it."""
        found: list[QWidget] = []

        def there() -> bool:
            found[:] = [d for d in self.window.findChildren(kind) if d.isVisible()]
            return bool(found)

        self.until(there, kind.__name__)
        return found[0]

    def labels(self) -> Any:
        """The labels of the face on the screen."""
        return self.store.labels([self.window.session.sample_id])[0:1]

    def tell(self, **facts: Any) -> None:
        """Report something for the test to check."""
        print(json.dumps(facts), flush=True)


def first(robot: Robot, source: str, project: str) -> None:
    """Import, place, undo, redo, train two runs, accept; then wait to be killed in the middle of the second."""
    _import(robot, Path(project))
    placed = _place(robot)
    _train(robot)
    _accept(robot)
    rows = robot.store.project.labels(robot.store.ids())
    robot.tell(step="kill me", placed=placed, hash=robot.store.project.label_hash(), known=int(rows.mask.sum()))
    robot.until(lambda: False, "the end")


def _import(robot: Robot, project: Path) -> None:
    from fkp_studio.dialogs.exchange.import_dialog import ImportDialog

    dialog = robot.dialog(ImportDialog)
    robot.until(lambda: dialog.pages.currentWidget() is dialog.preview, "a preview of the faces")
    dialog.preview.path.setText(str(project))
    robot.click(dialog.preview.go)
    robot.until(lambda: dialog.pages.currentWidget() is dialog.report, "the import")
    robot.click(dialog.report.open)
    robot.until(lambda: robot.window.canvas.view.shown_face is not None, "the first face")
    robot.until(lambda: robot.window.session.run, "the starter is chosen")
    starter = robot.window.session.run
    robot.until(
        lambda: len(predicted_ids(robot.store.project.database, starter)) == len(robot.store), "its predictions"
    )
    robot.tell(step="imported", count=len(robot.store), title=robot.window.windowTitle(), run=starter)


def _place(robot: Robot) -> dict[str, Any]:
    """Place three points by mouse on the next face that lacks some; undo two, redo one."""
    session, view = robot.window.session, robot.window.canvas.view
    robot.press(Qt.Key.Key_Space)
    robot.until(
        lambda: view.shown_face is not None and view.shown_face.sample_id == session.sample_id, "an incomplete face"
    )
    before = robot.labels()
    names = []
    for _ in range(3):
        keypoint = view.editor.target
        near = robot.store.schema.template[keypoint]
        robot.click(view.viewport(), free_place(view, robot.labels(), keypoint, near=near))
        robot.until(lambda k=keypoint: robot.labels().mask[0, k], f"point {keypoint} is placed")
        names.append(keypoint)
    for key, count in ((Qt.Key.Key_Z, 2), (Qt.Key.Key_Z, 1), (Qt.Key.Key_Y, 2)):
        robot.press(key)
        robot.until(lambda n=count: (robot.labels().mask & ~before.mask).sum() == n, f"{count} placed points")
    status = robot.window.status.saved.text()
    points = robot.labels().points[0]
    kept = {str(k): points[k].tolist() for k in names[:2]}
    robot.tell(step="placed", status=status, undone=bool(np.isnan(points[names[2]]).all()))
    return {"sample": session.sample_id, "points": kept}


def free_place(view: Any, labels: Any, keypoint: int, *, near: tuple[float, float]) -> QPoint:
    """The place in the view nearest to one of the image's unit square that has no label and no ring of another
    keypoint: a press there would take that one instead.
    """
    face, at = view.shown_face, view.to_screen()
    grid = np.stack(np.meshgrid(np.arange(4, face.width - 4, 3), np.arange(4, face.height - 4, 3)), -1).reshape(-1, 2)
    marks = np.where(labels.mask[0][:, None], labels.points[0], face.predicted)
    marks = np.delete(marks, keypoint, axis=0)
    taken = marks[np.isfinite(marks).all(axis=1)]
    free = grid[(np.linalg.norm(grid[:, None] - taken[None], axis=-1) * at.scale).min(axis=1) > 24]
    best = free[np.linalg.norm(free - np.array(near) * (face.width, face.height), axis=1).argmin()]
    return QPoint(round(best[0] * at.scale + at.offset[0]), round(best[1] * at.scale + at.offset[1]))


def runs_of(robot: Robot) -> list[str]:
    """The names of the runs trained here; the starter is listed before them."""
    return [name for name in robot.window.jobs.book.names() if not is_starter(name)]


def _train(robot: Robot) -> None:
    """Train a short run and, queued behind it, a long one."""
    robot.until(robot.window.docks["training"].widget, "the panels")
    panel, jobs = robot.window.docks["training"].widget(), robot.window.jobs
    panel.unit.setCurrentText("epochs")
    for recipe, epochs in (("cnn-6", 1), ("ml-resnet", 500)):
        panel.recipe.setCurrentIndex(panel.recipe.findData(recipe))
        panel.budget.setValue(epochs)
        count = len(runs_of(robot))
        robot.click(panel.train_button)
        robot.until(lambda n=count: len(runs_of(robot)) == n + 1, f"a run of {recipe}")
    one, two = runs_of(robot)
    robot.until(lambda: jobs.status(one) == "done", "the end of the short run")
    robot.until((robot.store.path / "runs" / two / "resume.pt").is_file, "a checkpoint of the long run")
    robot.until(lambda: len(robot.window.docks["loss"].widget().table()[1]) >= 2, "both runs in the loss plot")
    plots = {part: len(robot.window.docks[part].widget().table()[1]) for part in ("loss", "ced", "per_keypoint")}
    robot.tell(step="trained", runs=[one, two], rows=plots, status=robot.window.status.training.text())


def _accept(robot: Robot) -> None:
    """Accept all missing points of this face by key, then of all faces in the dialog."""
    from fkp_studio.dialogs.review.accept_dialog import AcceptDialog

    session, store = robot.window.session, robot.store
    run = runs_of(robot)[0]
    session.set_run(run)
    robot.until(lambda: np.isfinite(store.columns.of(run)[1]).all(), "predictions of all faces")
    robot.press(Qt.Key.Key_F)
    robot.until(lambda: not robot.labels().missing.any(), "this face is complete")
    robot.press(Qt.Key.Key_F, Qt.KeyboardModifier.ShiftModifier)
    dialog = robot.dialog(AcceptDialog)
    robot.until(lambda: dialog.go.text() != "Accept", "how many there are")
    dialog.spin.setValue(0)
    robot.until(dialog.go.isEnabled, "the count for every confidence")
    robot.click(dialog.go)
    robot.until(lambda: not store.busy and store.index().missing.sum() == 0, "no point is missing any more")
    robot.tell(step="accepted", status=robot.window.status.saved.text())


def again(robot: Robot, _project: str) -> None:
    """After the kill: the last project opens by itself; resume the run, stop it, undo, quit."""
    jobs, window = robot.window.jobs, robot.window
    robot.until(lambda: window.canvas.view.shown_face is not None, "the project of last time")
    robot.until(lambda: len(runs_of(robot)) == 2, "both runs")
    run = runs_of(robot)[1]
    facts = {
        "status": jobs.status(run),
        "undo": robot.store.undo_stack.undoText(),
        "hash": robot.store.project.label_hash(),
    }
    robot.tell(step="opened", project=str(robot.store.path), **facts)
    saved = jobs.book.info(run).last.epoch
    robot.until(window.docks["runs"].widget, "the panels")
    panel = window.docks["runs"].widget()
    next(a for a in panel.menu(run).actions() if a.text().startswith("Resume")).trigger()
    robot.until(lambda: jobs.status(run) == "running", "the run goes on")
    robot.until(lambda: any(e.epoch > saved for e in jobs.book.history(run).epochs), "an epoch more")
    window.menus.actions["stop"].trigger()
    robot.until(lambda: jobs.status(run) == "stopped", "the run stops")
    epochs = [e.epoch for e in jobs.book.history(run).epochs]
    robot.press(Qt.Key.Key_Z)
    robot.until(lambda: robot.store.index().missing.sum() > 0, "accepting many is undone")
    robot.tell(step="resumed", epochs=epochs, missing=int(robot.store.index().missing.sum()))
    window.close()


STORIES: dict[str, Callable[..., None]] = {"first": first, "again": again}


def main(story: str, *arguments: str) -> int:
    """Start the program; `first` names what to import on the command line, `again` nothing."""
    opening = MainWindow.open_at_start

    def open_at_start(window: MainWindow, what: Path | None) -> None:
        opening(window, what)
        QTimer.singleShot(0, window, lambda: _play(window, STORIES[story], arguments))

    MainWindow.open_at_start = open_at_start  # type: ignore[method-assign]
    return app.main(arguments[:1] if story == "first" else [])


def _play(window: MainWindow, story: Callable[..., None], arguments: tuple[str, ...]) -> None:
    try:
        story(Robot(window), *arguments)
    except Exception as error:
        print(json.dumps({"step": "failed", "error": repr(error)}), flush=True)
        raise


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
