"""The poses window: histogram, bins that show their faces, and balancing when training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from fkp_studio.dialogs.poses.dialog import PosesDialog
from fkp_studio.dialogs.poses.histogram import PoseHistogram
from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.views.runs.train_panel import TrainingPanel
from training.faces.labels.labels import Labels
from training.faces.labels.schema import KAGGLE_15
from training.faces.measures.pose_balance import balance
from training.storage.runs.inputs.balance import RunBalance, write_balance
from training.storage.runs.run import Run

POINTS = np.array(KAGGLE_15.template) * 80 + 8


@pytest.fixture
def turned(session: Session) -> Session:
    """All 24 faces in train: 20 frontal, four turned aside, one with only two points left."""
    assert session.store is not None
    project, rng = session.store.project, np.random.default_rng(0)
    turn = np.concatenate([rng.normal(0, 0.3, 20), [9, 10, -9, -10]])
    points = POINTS + rng.normal(0, 0.1, (24, 15, 2))
    points[:, 10, 0] += turn
    points[:, [13, 14], 0] += turn[:, None] / 2
    points[0, 2:] = np.nan
    project.write_labels(project.ids(), Labels.from_points(points))
    project.set_splits(project.ids(), np.zeros(24, np.uint8))
    return session


@pytest.fixture
def dialog(qtbot: QtBot, turned: Session) -> PosesDialog:
    made = PosesDialog(turned, bins=5)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(lambda: made.shown is not None)
    return made


def words(dialog: PosesDialog) -> str:
    return " ".join(label.text() for label in dialog.findChildren(QLabel))


def test_it_tells_how_many_faces_and_which_lack_points(dialog: PosesDialog) -> None:
    assert "24 faces in the train split" in words(dialog)
    assert "1 face lacks" in words(dialog)
    assert dialog.histogram.words(2).startswith("-")
    assert "19 faces" in dialog.histogram.words(2)
    assert "2 faces, count as 19 when balanced" in dialog.histogram.words(0)


def test_a_click_on_a_bin_asks_for_its_faces(qtbot: QtBot, dialog: PosesDialog) -> None:
    at = dialog.histogram.centre_of(4).toPoint()
    with qtbot.waitSignal(dialog.faces_wanted) as wanted:
        qtbot.mouseClick(dialog.histogram, Qt.MouseButton.LeftButton, pos=at)
    ids, title = wanted.args
    assert ids.tolist() == [21, 22]
    assert title.startswith("pose +")


def test_the_keyboard_chooses_a_bin(qtbot: QtBot, dialog: PosesDialog) -> None:
    qtbot.keyClick(dialog.histogram, Qt.Key.Key_Right)
    with qtbot.waitSignal(dialog.faces_wanted) as wanted:
        qtbot.keyClick(dialog.histogram, Qt.Key.Key_Return)
    assert wanted.args[0].tolist() == [23, 24]
    assert "2 faces" in dialog.readout.text()


def test_another_number_of_bins(qtbot: QtBot, dialog: PosesDialog) -> None:
    dialog.spin.setValue(3)
    qtbot.waitUntil(lambda: dialog.histogram.bins == 3)


def test_a_typical_face_stands_under_each_bin(qtbot: QtBot, turned: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[QImage | None] = []
    monkeypatch.setattr(PoseHistogram, "set_images", lambda _self, images: drawn.extend(images))
    dialog = PosesDialog(turned, bins=5)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: len(drawn) == 5)
    assert [image is not None for image in drawn] == [True, False, True, False, True]  # two bins have no faces
    monkeypatch.undo()
    bare = dialog.histogram.grab().toImage()
    dialog.histogram.set_images(drawn)
    assert dialog.histogram.grab().toImage() != bare


def test_another_size_draws_the_faces_anew_and_leaves_the_bars(
    qtbot: QtBot, dialog: PosesDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied: list[object] = []
    drawn: list[QImage | None] = []
    monkeypatch.setattr(dialog.histogram, "set_balance", emptied.append)
    monkeypatch.setattr(dialog.histogram, "set_images", drawn.extend)
    dialog.resize(420, 400)
    side = dialog.histogram.face_pixels
    qtbot.waitUntil(lambda: any(image and max(image.width(), image.height()) == side for image in drawn))
    assert not emptied


def test_what_a_run_balanced(qtbot: QtBot, turned: Session) -> None:
    assert turned.store is not None
    run = Run(turned.store.path / "runs" / "0001-ml-resnet")
    run.path.mkdir(parents=True)
    found = balance(np.linspace(-1, 1, 10) ** 3, bins=2, seed=0)
    write_balance(run, RunBalance(np.arange(1, 11), found))
    dialog = PosesDialog(turned)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: dialog.which.count() == 2)
    dialog.which.setCurrentIndex(1)
    dialog.which.activated.emit(1)
    qtbot.waitUntil(lambda: dialog.histogram.bins == 2)
    assert "10 faces" in dialog.about.text()
    assert not dialog.spin.isEnabled()


def test_where_no_pose_can_be_told_it_says_why(qtbot: QtBot, session: Session) -> None:
    assert session.store is not None
    session.store.project.set_splits(session.store.ids(), np.ones(24, np.uint8))
    dialog = PosesDialog(session)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: "No labelled face in the train split" in dialog.about.text())
    assert not dialog.use.isEnabled()


def test_balance_when_training_sets_the_chosen_recipe(qtbot: QtBot, turned: Session, tmp_path: Path) -> None:
    jobs = Jobs(turned)
    panel = TrainingPanel(turned, jobs)
    qtbot.addWidget(panel)
    dialog = PosesDialog(turned, bins=7)
    qtbot.addWidget(dialog)
    dialog.use_wanted.connect(panel.balance_by_pose)
    qtbot.waitUntil(dialog.use.isEnabled)
    dialog.use.click()
    assert (panel.config().data.balance, panel.config().data.balance_bins) == ("pose", 7)
    assert "2 settings changed" in panel.about.text()
    jobs.close()


def test_closing_the_project_closes_it(qtbot: QtBot, turned: Session) -> None:
    dialog = PosesDialog(turned)
    dialog.show()
    with qtbot.waitSignal(dialog.finished):
        turned.close_project()


@pytest.mark.parametrize("kind", ["SVG", "PNG", "CSV"])
def test_the_histogram_as_a_file(qtbot: QtBot, dialog: PosesDialog, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"poses.{kind.lower()}"
    with qtbot.waitSignal(dialog.histogram.pointed, check_params_cb=lambda text: text == f"Saved {path}"):
        dialog.histogram.export(path, kind=kind)
    if kind == "CSV":
        rows = path.read_text(encoding="utf-8").splitlines()
        assert rows[0] == "low,high,faces,balanced"
        assert rows[1].split(",")[2:] == ["2", "19"]
    elif kind == "PNG":
        assert QImage(str(path)).size() == dialog.histogram.size() * 2
    else:
        assert "looking left" in path.read_text(encoding="utf-8")
