"""The training panel: what can be trained, with which settings, and how it goes."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLineEdit
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.jobs.training_words import ago, clock
from fkp_studio.views.runs.can_train import Facts, why_not
from fkp_studio.views.runs.compare_dialog import CompareDialog
from fkp_studio.views.runs.config_form import ConfigDialog
from fkp_studio.views.runs.train_panel import TrainingPanel
from tests.helpers.windows import in_window
from training.storage.runs.settings.config import SETTINGS
from training.storage.runs.settings.recipes import RECIPES, recipe_config


@pytest.fixture
def jobs(session: Session) -> Iterator[Jobs]:
    made = Jobs(session, train_command=(sys.executable, "-m", "tests.helpers.fakes.training", "slow"))
    yield made
    made.stop_all()
    made.close()


@pytest.fixture
def panel(session: Session, jobs: Jobs, qtbot: QtBot) -> TrainingPanel:
    made = TrainingPanel(session, jobs)
    in_window(qtbot, made)
    return made


def test_one_click_trains_the_chosen_recipe_in_the_chosen_time(panel: TrainingPanel, jobs: Jobs, qtbot: QtBot) -> None:
    panel.recipe.setCurrentIndex(panel.recipe.findData("cnn-6"))
    panel.budget.setValue(2.5)
    qtbot.mouseClick(panel.train_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: jobs.book.names() == ["0001-cnn-6"])
    config = jobs.book.info("0001-cnn-6").config
    assert (config.recipe, config.budget.minutes, config.budget.epochs) == ("cnn-6", 2.5, None)


def test_the_live_line_and_stop(panel: TrainingPanel, jobs: Jobs, qtbot: QtBot) -> None:
    assert not panel.live.isVisible()
    panel.train()
    qtbot.waitUntil(lambda: "412 img/s · cpu bf16" in panel.numbers.text())
    assert "epoch " in panel.numbers.text()
    assert "1:20 left" in panel.numbers.text()
    assert panel.train_button.text() == "Queue"
    qtbot.mouseClick(panel.stop_button, Qt.MouseButton.LeftButton)
    assert panel.stop_button.text() == "Stopping…"
    qtbot.waitUntil(lambda: not panel.live.isVisible())
    assert panel.train_button.text() == "Train"


def test_the_part_is_as_high_as_what_it_shows(panel: TrainingPanel, jobs: Jobs, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: panel.minimumHeight() > 0)
    idle = panel.minimumHeight()
    heights: list[int] = []
    panel.height_wanted.connect(heights.append)
    panel.train()
    qtbot.waitUntil(lambda: panel.minimumHeight() > idle + panel.stop_button.height())
    jobs.stop_all()
    qtbot.waitUntil(lambda: panel.minimumHeight() == idle)
    assert heights[-1] == idle


def test_without_a_project_it_says_what_to_do(empty_session: Session, qtbot: QtBot) -> None:
    jobs = Jobs(empty_session)
    panel = TrainingPanel(empty_session, jobs)
    qtbot.addWidget(panel)
    assert not panel.train_button.isEnabled()
    assert panel.train_button.toolTip() == "Open or import a data set first."
    jobs.close()


def test_a_recipe_that_needs_complete_faces_says_so(panel: TrainingPanel, session: Session, qtbot: QtBot) -> None:
    assert why_not("cnn", Facts(True, 10, 0, 3)) == (
        "No complete face in train: cnn needs faces with all points. ml-cnn does not."
    )
    assert not why_not("ml-cnn", Facts(True, 10, 0, 3))
    session.store.project.set_splits(session.store.ids(), np.ones(24, np.uint8))
    session.store.external.reload()
    qtbot.waitUntil(lambda: not panel.train_button.isEnabled())
    assert "No face in train has a label" in panel.train_button.toolTip()


def test_a_run_that_cannot_be_made_says_why(panel: TrainingPanel, session: Session, qtbot: QtBot) -> None:
    runs_dir = session.store.project.runs_dir
    runs_dir.rmdir()
    runs_dir.write_text("a file where the folder should be")
    panel.train()
    qtbot.waitUntil(lambda: panel.fault.isVisible())
    assert "cannot be created" in panel.fault.text()


def test_every_setting_is_in_the_form_with_its_words(qtbot: QtBot) -> None:
    dialog = ConfigDialog(recipe_config("ml-resnet"))
    qtbot.addWidget(dialog)
    names = {name for name in SETTINGS if name not in ("recipe", "variant")}
    assert set(dialog.form._editors) == names
    assert dialog.form.config() == recipe_config("ml-resnet")


@pytest.mark.parametrize(("recipe", "variant"), [(r.name, v) for r in RECIPES.values() for v in r.variants])
def test_the_form_gives_each_recipe_back(qtbot: QtBot, recipe: str, variant: str) -> None:
    dialog = ConfigDialog(recipe_config(recipe, variant))
    qtbot.addWidget(dialog)
    assert dialog.form.config() == recipe_config(recipe, variant)


def test_a_wrong_value_is_told_and_cannot_be_trained(qtbot: QtBot) -> None:
    dialog = ConfigDialog(recipe_config("ml-resnet"))
    qtbot.addWidget(dialog)
    editor = dialog.form._editors["learning_rate"]
    assert isinstance(editor, QLineEdit)
    editor.setText("fast")
    assert dialog.fault.text() == "The setting learning_rate needs a number, not 'fast'."
    assert not dialog.train_button.isEnabled()
    editor.setText("0.0123")
    assert dialog.train_button.isEnabled()
    assert dialog.form._labels["learning_rate"].font().bold()
    dialog.reset_button.click()
    assert float(editor.text()) == recipe_config("ml-resnet").optim.learning_rate


def test_a_recipe_of_no_paper_offers_its_own_values_only(qtbot: QtBot) -> None:
    dialog = ConfigDialog(recipe_config("recommended"))
    qtbot.addWidget(dialog)
    assert [dialog.variant.itemData(n) for n in range(dialog.variant.count())] == ["default"]


def test_the_papers_values_at_one_choice(qtbot: QtBot) -> None:
    dialog = ConfigDialog(recipe_config("ml-resnet"))
    qtbot.addWidget(dialog)
    dialog.variant.setCurrentIndex(1)
    dialog.accept()
    assert dialog.config() == recipe_config("ml-resnet", "paper")


def test_settings_of_the_form_are_trained(panel: TrainingPanel, jobs: Jobs, qtbot: QtBot) -> None:
    panel.show_settings()
    dialog = panel.findChild(ConfigDialog)
    optimizer = dialog.form._editors["optimizer"]
    assert isinstance(optimizer, QComboBox)
    optimizer.setCurrentText("sgd")
    dialog.train_button.click()
    qtbot.waitUntil(lambda: jobs.book.names() == ["0001-recommended"])
    assert jobs.book.info("0001-recommended").config.optim.optimizer == "sgd"
    assert "1 setting changed" in panel.about.toolTip()


def test_compare_queues_the_ticked_recipes_with_one_seed(
    panel: TrainingPanel, session: Session, jobs: Jobs, qtbot: QtBot
) -> None:
    dialog = CompareDialog(session, jobs, panel, minutes=2)
    qtbot.addWidget(dialog)
    dialog.ticks["ml-cnn"].setChecked(True)
    dialog.seed.setValue(7)
    assert dialog.train_button.text() == "Train 3 runs"
    assert dialog.total.text() == "6 minutes in total."
    dialog.accept()
    qtbot.waitUntil(lambda: len(jobs.book.names()) == 3)
    assert {info.config.seed for info in jobs.book.infos()} == {7}
    assert len({info.label_hash for info in jobs.book.infos()}) == 1
    for tick in dialog.ticks.values():
        tick.setChecked(False)
    assert not dialog.train_button.isEnabled()


def test_times_in_words() -> None:
    assert [clock(5), clock(80), clock(3723), clock(float("nan"))] == ["0:05", "1:20", "1:02:03", "0:00"]
    assert [ago(0, now=s) for s in (5, 150, 7300, 90_000, 200_000)] == [
        "just now",
        "2 min ago",
        "2 h ago",
        "1 day ago",
        "2 days ago",
    ]
