"""Preview augmentation: the sheet follows the settings, and what is chosen reaches the training panel."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QSlider
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.views.runs.augmentation_dialog import NAMES, SLIDERS, TILES, AugmentationDialog
from fkp_studio.views.runs.train_panel import TrainingPanel
from tests.helpers.windows import in_window
from training.storage.runs.settings.recipes import recipe_config


class Look:
    """The dialog on the small project, with a worker that answers as `mode` says."""

    def __init__(self, session: Session, memory: Path, qtbot: QtBot, mode: str) -> None:
        command = (sys.executable, "-m", "tests.helpers.fakes.serve", mode, str(memory))
        self.qtbot, self.jobs = qtbot, Jobs(session, serve_command=command)
        self.dialog = AugmentationDialog(session, self.jobs, recipe_config("ml-resnet"))
        qtbot.addWidget(self.dialog)
        self.dialog.show()

    def editor(self, name: str) -> QLineEdit:
        """The field of a setting."""
        return next(e for e in self.dialog.form.findChildren(QLineEdit) if e.accessibleName() == name)

    def type(self, name: str, text: str) -> None:
        """Type a value."""
        self.editor(name).selectAll()
        self.qtbot.keyClicks(self.editor(name), text)

    def shown_ids(self) -> set[int]:
        """The faces of the sheet."""
        sheet = self.dialog.view.sheet
        return set() if sheet is None else set(sheet.ids)

    def wait_for(self, *, rotation: float, light: int = 100) -> None:
        """Until the sheet is drawn with these settings."""

        def drawn() -> bool:
            sheet = self.dialog.view.sheet
            return sheet is not None and sheet.points[0, 0, 0] == rotation and sheet.images[0, 0, 0, 0] == light

        self.qtbot.waitUntil(drawn)


@pytest.fixture
def look(session: Session, tmp_path: Path, qtbot: QtBot, request: pytest.FixtureRequest) -> Iterator[Look]:
    memory = tmp_path / "asked.jsonl"
    memory.touch()
    made = Look(session, memory, qtbot, getattr(request, "param", "good"))
    yield made
    made.jobs.close()


def test_the_sheet_follows_the_settings(look: Look, qtbot: QtBot) -> None:
    look.wait_for(rotation=10)
    sheet = look.dialog.view.sheet
    assert sheet is not None
    assert len(sheet.ids) == len(set(sheet.ids)) == TILES
    look.type("rotation", "33")
    look.wait_for(rotation=33)
    qtbot.mouseClick(look.dialog.again, Qt.MouseButton.LeftButton)
    look.wait_for(rotation=33, light=101)
    look.dialog.which.setCurrentIndex(1)
    qtbot.waitUntil(lambda: look.shown_ids() == {1})
    qtbot.mouseClick(look.dialog.reset, Qt.MouseButton.LeftButton)
    look.wait_for(rotation=10, light=101)


def test_a_slider_and_its_number_move_together(look: Look) -> None:
    sliders = look.dialog.form.findChildren(QSlider)
    slider = next(s for s in sliders if s.accessibleName().startswith("Largest rotation"))
    slider.setValue(20)
    assert look.editor("rotation").text() == "9"
    assert look.dialog.config().augment.rotation == 9
    look.type("rotation", "45")
    assert slider.value() == 100


def test_a_wrong_value_is_told_and_cannot_be_used(look: Look) -> None:
    look.type("flip", "7")
    assert "flip" in look.dialog.fault.text()
    assert not look.dialog.use.isEnabled()
    look.type("flip", "0")
    assert not look.dialog.fault.text()
    assert look.dialog.config().augment.flip == 0


def test_points_outside_their_images_are_told(look: Look) -> None:
    look.type("rotation", "120")  # x of all points from this test's worker: right of 96 px
    look.wait_for(rotation=120)
    assert f"{4 * TILES} points lie outside their images" in look.dialog.about.text()


def test_the_faces_are_shown_as_they_are_while_the_worker_starts(session: Session, qtbot: QtBot) -> None:
    jobs = Jobs(session, serve_command=("sleep", "60"))
    dialog = AugmentationDialog(session, jobs, recipe_config("ml-resnet").changed(input_size=48))
    qtbot.addWidget(dialog)
    dialog.show()
    try:
        qtbot.waitUntil(lambda: dialog.view.sheet is not None)
        sheet, store = dialog.view.sheet, session.store
        assert sheet.images.shape == (TILES, 48, 48, 1)
        labels = store.project.labels(np.array(sheet.ids))
        assert (sheet.mask == labels.mask).all()
        width = store.project.sample(sheet.ids[0]).width
        expected = (labels.points[0] + 0.5) * 48 / width - 0.5
        np.testing.assert_allclose(sheet.points[0][sheet.mask[0]], expected[sheet.mask[0]], atol=1e-3)
        assert "Without augmentation" in dialog.about.text()
        dialog.which.setCurrentIndex(1)
        qtbot.waitUntil(lambda: set(dialog.view.sheet.ids) == {1})
    finally:
        jobs.close()


@pytest.mark.parametrize("look", ["refusing"], indirect=True)
def test_a_sheet_that_cannot_be_drawn_says_why(look: Look, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: "face 3" in look.dialog.fault.text())


@pytest.mark.parametrize("look", ["dying-once"], indirect=True)
def test_a_worker_that_dies_is_asked_again(look: Look) -> None:
    look.wait_for(rotation=10)


def test_the_settings_go_to_the_training_panel(session: Session, look: Look, qtbot: QtBot) -> None:
    panel = TrainingPanel(session, look.jobs)
    in_window(qtbot, panel)
    qtbot.mouseClick(panel.look_button, Qt.MouseButton.LeftButton)
    dialog = panel.findChild(AugmentationDialog)
    assert dialog is not None
    editor = next(e for e in dialog.form.findChildren(QLineEdit) if e.accessibleName() == "box corners")
    editor.setText("0.05")
    qtbot.mouseClick(dialog.use, Qt.MouseButton.LeftButton)
    assert panel.config().augment.box_corners == 0.05
    assert panel.config().budget.minutes == 5


def test_every_number_has_a_slider() -> None:
    assert set(NAMES) == {*SLIDERS, "outside"}
