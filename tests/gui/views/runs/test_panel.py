"""The list of runs: choose, tick, resume, stop, discard; and the report on a failed run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.views.runs.log import LogDialog
from fkp_studio.views.runs.model import Row, RowRole
from fkp_studio.views.runs.panel import RunsPanel
from tests.helpers.fakes.training import Writer, an_epoch, epoch_done, finished, started
from tests.helpers.windows import in_window
from training.storage.runs.events import RunFailed
from training.storage.runs.new_run import create_run
from training.storage.runs.run import Run
from training.storage.runs.settings.recipes import recipe_config

FIRST, SECOND = "0001-ml-resnet", "0002-cnn-6"
Make = Callable[[str], tuple[RunsPanel, Jobs]]


@pytest.fixture
def make(session: Session, qtbot: QtBot) -> Iterator[Make]:
    """The panel with two runs, one done, one failed; trainings behave as `mode` says."""
    for recipe, end in (
        ("ml-resnet", finished("done")),
        ("cnn-6", RunFailed("Out of memory.", "Take a smaller batch.")),
    ):
        run = create_run(session.store.project, recipe_config(recipe))
        with Writer(run) as writer:
            writer.write(started(), *an_epoch(1), *an_epoch(2), end)
        run.model.write_bytes(b"model")
        run.log.write_text("the end of the log")
    made: list[Jobs] = []

    def build(mode: str = "good") -> tuple[RunsPanel, Jobs]:
        module = "tests.helpers.fakes.training"
        jobs = Jobs(session, train_command=(sys.executable, "-m", module, mode), serve_command=("/no/serve",))
        made.append(jobs)
        panel = RunsPanel(session, jobs)
        in_window(qtbot, panel)
        qtbot.waitUntil(lambda: panel.model.rowCount() == 2)
        return panel, jobs

    yield build
    for jobs in made:
        jobs.stop_all()
        jobs.close()


def row(panel: RunsPanel, name: str) -> Row:
    found: Row = panel.model.index(panel.model.names().index(name)).data(RowRole)
    return found


def click(panel: RunsPanel, qtbot: QtBot, name: str, *, x: int) -> None:
    rect = panel.list.visualRect(panel.model.index(panel.model.names().index(name)))
    qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(x, rect.center().y()))


def test_rows_tell_recipe_error_and_end(make: Make) -> None:
    panel, _ = make("good")
    assert panel.model.names() == [SECOND, FIRST]
    done = row(panel, FIRST)
    assert (done.title, done.rmse, done.status) == ("ml-resnet", f"{epoch_done(2).rmse:.2f} px", "done")
    assert "2 epochs" in done.line
    assert done.colour != row(panel, SECOND).colour
    assert row(panel, SECOND).fault == "Out of memory. Take a smaller batch."


def test_choosing_a_row_shows_its_predictions_and_a_tick_does_not(make: Make, session: Session, qtbot: QtBot) -> None:
    panel, jobs = make("good")
    click(panel, qtbot, FIRST, x=120)
    assert session.run == FIRST
    click(panel, qtbot, SECOND, x=14)
    assert session.run == FIRST
    assert jobs.book.shown() == [FIRST]
    qtbot.keyClick(panel.list, Qt.Key.Key_Space)
    assert jobs.book.shown() == []


def test_a_right_click_does_not_choose_a_run(make: Make, session: Session, qtbot: QtBot) -> None:
    panel, _ = make("good")
    rect = panel.list.visualRect(panel.model.index(0))
    qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.RightButton, pos=rect.center())
    assert session.run == ""


def test_a_run_chosen_elsewhere_is_selected_here(make: Make, session: Session) -> None:
    panel, _ = make("good")
    session.set_run(FIRST)
    assert panel.list.currentIndex().data() == FIRST


def test_a_failed_run_shows_its_hint_and_its_log(make: Make, session: Session, qtbot: QtBot) -> None:
    panel, _ = make("good")
    session.set_run(SECOND)
    assert "Take a smaller batch" in panel.words.text()
    panel.log_button.click()
    dialog = panel.findChild(LogDialog)
    qtbot.waitUntil(lambda: "the end of the log" in dialog.text.toPlainText())
    dialog.close()


def test_resume_is_offered_after_a_kill(make: Make, session: Session, qtbot: QtBot) -> None:
    panel, jobs = make("killed")
    jobs.train([recipe_config("ml-cnn")])
    qtbot.waitUntil(lambda: "killed (signal 9)" in panel.words.text())
    assert panel.resume_button.isVisible()
    assert row(panel, "0003-ml-cnn").status == "interrupted"


def test_resume_is_offered_for_a_stopped_run_that_is_chosen(make: Make, session: Session, qtbot: QtBot) -> None:
    with Writer(Run(session.store.project.runs_dir / FIRST)) as writer:
        writer.write(finished("stopped"))
    panel, _ = make("good")
    session.set_run(FIRST)
    assert panel.resume_button.isVisible() and panel.resume_button.text() == "Resume"


def test_discard_asks_and_names_the_act(make: Make, session: Session, qtbot: QtBot) -> None:
    panel, _ = make("good")
    panel.discard(FIRST)
    box = panel.findChild(QMessageBox)
    texts = {button.text(): button for button in box.findChildren(QPushButton)}
    assert set(texts) == {"Discard run", "Keep it"}
    texts["Keep it"].click()
    assert panel.model.rowCount() == 2
    panel.discard(FIRST)
    next(b for b in panel.findChildren(QPushButton) if b.text() == "Discard run" and b.isVisible()).click()
    qtbot.waitUntil(lambda: panel.model.names() == [SECOND])
    assert not (session.store.project.runs_dir / FIRST).exists()


def test_the_menu_offers_what_can_be_done(make: Make, qtbot: QtBot) -> None:
    panel, jobs = make("slow")
    texts = {action.text(): action.isEnabled() for action in panel.menu(FIRST).actions() if action.text()}
    assert texts["Show predictions"]
    assert not texts["Stop"] if "Stop" in texts else True
    assert texts["Discard…"]
    jobs.train([recipe_config("ml-cnn")])
    qtbot.waitUntil(lambda: jobs.status("0003-ml-cnn") == "running")
    texts = {action.text(): action.isEnabled() for action in panel.menu("0003-ml-cnn").actions() if action.text()}
    assert texts["Stop"]
    assert not texts["Discard…"]
    next(a for a in panel.menu(FIRST).actions() if a.text() == "Copy settings").trigger()
    assert json.loads(QGuiApplication.clipboard().text())["recipe"] == "ml-resnet"


def test_changed_labels_make_a_run_stale(make: Make, session: Session, qtbot: QtBot) -> None:
    panel, jobs = make("good")
    qtbot.waitUntil(lambda: bool(jobs.labels.hash))
    assert not row(panel, FIRST).stale
    session.store.place(1, 0, (20.0, 30.0))
    qtbot.waitUntil(lambda: row(panel, FIRST).stale)
    session.set_run(FIRST)
    assert "Labels or splits changed" in panel.words.text()
    session.store.undo_stack.undo()
    qtbot.waitUntil(lambda: not row(panel, FIRST).stale)


def test_with_no_runs_it_says_how_to_make_one(session: Session, qtbot: QtBot) -> None:
    jobs = Jobs(session)
    panel = RunsPanel(session, jobs)
    in_window(qtbot, panel)
    assert panel.empty.isVisible()
    assert "Press Train" in panel.empty.text()
    jobs.close()
