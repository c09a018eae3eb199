"""The dialog of the random search: what it asks for, how trials are shown live, stop, resume, and training the best."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import QPointF, Qt
from pytestqt.qtbot import QtBot

from fkp_studio.dialogs.search.dialog import RandomSearchDialog
from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.jobs.searches import arguments
from fkp_studio.views.runs.model import RunsModel
from training.commands import search as search_command
from training.search.plan import SearchPlan, TrialInfo, create_search, read_search, worker, write_trials
from training.storage.runs.inputs.snapshot import snapshot_project
from training.storage.runs.new_run import create_run, write_run
from training.storage.runs.settings.recipes import recipe_config, recipe_space
from training.storage.runs.settings.search_space import Choices, Range

SEARCH = (sys.executable, "-m", "tests.helpers.fakes.search")
SPACE = {"learning_rate": Range(1e-4, 1e-2, log=True), "batch_size": Choices((16, 32))}
TRIALS = (
    TrialInfo(0, "done", 2.5, 1.0, {"learning_rate": 1e-3, "batch_size": 16}, "0001-cnn-6"),
    TrialInfo(1, "pruned", 4.0, 0.3, {"learning_rate": 1e-2, "batch_size": 32}, "0002-cnn-6", message="Stopped."),
    TrialInfo(2, "done", 2.25, 1.0, {"learning_rate": 2e-3, "batch_size": 32}, "0003-cnn-6"),
    TrialInfo(3, "failed", None, 0.0, {"learning_rate": 5e-3, "batch_size": 16}, "0004-cnn-6", message="NaN."),
    TrialInfo(4, "running", 3.0, 0.5, {"learning_rate": 4e-4, "batch_size": 16}, "0005-cnn-6"),
)


@pytest.fixture
def jobs(session: Session) -> Iterator[Jobs]:
    training = (sys.executable, "-m", "tests.helpers.fakes.training", "good")
    made = Jobs(session, train_command=training, serve_command=("/no/serve",), search_command=SEARCH)
    yield made
    made.stop_all()
    made.close()


def plan(**changes: object) -> SearchPlan:
    config = recipe_config("cnn-6").changed(minutes=2.0)
    return replace(SearchPlan("first", config, SPACE, 6), **changes)


def begun(session: Session, jobs: Jobs, qtbot: QtBot, trials: tuple[TrialInfo, ...] = TRIALS) -> None:
    """An older search in the open project."""
    folder = create_search(session.store.project.path, plan(), snapshot_project(session.store.project))
    write_trials(folder, trials)
    jobs.searching.look()
    qtbot.waitUntil(lambda: bool(jobs.searching.infos()))


def dialog_of(session: Session, jobs: Jobs, qtbot: QtBot) -> RandomSearchDialog:
    made = RandomSearchDialog(session, jobs, recipe="cnn-6")
    qtbot.addWidget(made)
    made.show()
    return made


def test_a_new_search_begins_with_the_recipes_space_and_says_what_will_be_here(
    session: Session, jobs: Jobs, qtbot: QtBot
) -> None:
    dialog = dialog_of(session, jobs, qtbot)
    assert dialog.recipe.currentData() == "cnn-6"
    assert dialog.plan().space == recipe_space("cnn-6")
    assert dialog.results.empty.isVisible()
    assert not dialog.best_button.isEnabled()
    assert not dialog.stop_button.isEnabled()
    dialog.trials.setValue(10)
    dialog.minutes.setValue(3)
    assert dialog.total.text() == "10 trials to go, at most 30:00 in total."


def test_the_space_is_edited_in_its_table_and_faults_are_named(session: Session, jobs: Jobs, qtbot: QtBot) -> None:
    dialog = dialog_of(session, jobs, qtbot)
    names = list(recipe_space("cnn-6"))
    rate, batch, dropout = (names.index(name) for name in ("learning_rate", "batch_size", "dropout"))
    dialog.space.item(rate, 1).setText("0.002")
    dialog.space.item(rate, 3).setCheckState(Qt.CheckState.Unchecked)
    dialog.space.item(batch, 1).setText("8, 16")
    dialog.space.item(dropout, 0).setCheckState(Qt.CheckState.Unchecked)
    space = dialog.plan().space
    assert space["learning_rate"] == Range(0.002, 0.01)
    assert space["batch_size"] == Choices((8, 16))
    assert "dropout" not in space
    words = arguments(dialog.plan(), jobs=1, begun=False)
    assert words[words.index("--space") + 1 :] == ["learning_rate=0.002..0.01", "batch_size=8,16", "dropout=off"]
    dialog.space.item(rate, 1).setText("2")
    assert dialog.fault.text().startswith("The range of learning_rate must be ascending")
    assert not dialog.start_button.isEnabled()


def test_the_command_line_understands_what_the_window_asks_for(session: Session) -> None:
    import argparse

    asked = plan(name="cnn-6", config=recipe_config("cnn-6").changed(minutes=1.5, seed=4), trials=7)
    parser = argparse.ArgumentParser()
    search_command.add_arguments(parser)
    args = parser.parse_args([str(session.store.project.path), *arguments(asked, jobs=2, begun=False)])
    assert search_command._plan(args, "cnn-6") == asked
    assert args.jobs == 2


def test_the_table_and_the_plot_show_the_trials_best_first(session: Session, jobs: Jobs, qtbot: QtBot) -> None:
    begun(session, jobs, qtbot)
    dialog = dialog_of(session, jobs, qtbot)
    model, plot = dialog.results.model, dialog.results.plot
    rows = [[model.index(r, c).data() for c in range(model.columnCount())] for r in range(model.rowCount())]
    assert rows == [
        ["2", "2.250", "done, best", "0.002", "32"],
        ["0", "2.500", "done", "0.001", "16"],
        ["1", "4.000", "stopped 30%", "0.01", "32"],
        ["4", "3.000", "waiting", "0.0004", "16"],
        ["3", "–", "failed", "0.005", "16"],
    ]
    assert dialog.results.words.text() == "4 of 6 trials · stopped · 1 stopped early · best 2.250 px (trial 2)"
    spots = {spot.data(): spot for spot in plot._dots.points()}
    assert set(spots) == {0, 1, 2, 4}  # a failed one has no error
    assert (spots[0].pos().x(), spots[0].pos().y()) == (-3.0, 2.5)  # log10 of the rate
    assert spots[2].symbol() == "star"
    assert spots[0].brush().color().alpha() == 255
    assert spots[1].brush().style() == Qt.BrushStyle.NoBrush  # stopped early: hollow
    assert "trial 1   learning rate 0.01   4.000 px, stopped at 30%" in plot.read(QPointF(-2.0, 4.0))
    dialog.results.setting.setCurrentIndex(1)
    assert [(s.pos().x(), s.data()) for s in plot._dots.points()] == [(0.0, 0), (1.0, 1), (1.0, 2), (0.0, 4)]
    assert plot.table()[1][0] == (0, 16, 2.5, "done")


def test_the_plot_follows_new_trials_and_one_that_diverged_does_not_press_the_others_down(
    session: Session, jobs: Jobs, qtbot: QtBot
) -> None:
    begun(session, jobs, qtbot, TRIALS[:1])
    dialog = dialog_of(session, jobs, qtbot)
    plot, folder = dialog.results.plot, jobs.searching.infos()[0].path
    diverged = replace(TRIALS[1], number=5, state="done", value=150.0)
    write_trials(folder, [*TRIALS, diverged])
    jobs.searching.look()
    qtbot.waitUntil(lambda: len(plot._dots.points()) == 5)
    low, high = plot.view.viewRange()[1]
    assert low < 2.25
    assert 4.0 < high < 10
    spot = {spot.data(): spot for spot in plot._dots.points()}[5]
    assert spot.symbol() == "t1"
    assert low < spot.pos().y() < high
    assert "▲ over 6 px" in plot.caption()  # 2.25 + 5 x (3 - 2.25)
    assert plot.table()[1][-1][2] == 150.0


def test_a_trial_chosen_in_the_table_is_marked_in_the_plot(session: Session, jobs: Jobs, qtbot: QtBot) -> None:
    begun(session, jobs, qtbot)
    dialog = dialog_of(session, jobs, qtbot)
    dialog.results.table.selectRow(1)
    assert [(s.pos().x(), s.pos().y()) for s in dialog.results.plot._ring.points()] == [(-3.0, 2.5)]
    dialog.results.plot.chosen.emit(2)
    assert dialog.results.table.selectionModel().selectedRows()[0].row() == 0
    dialog.results.table.horizontalHeader().sectionClicked.emit(4)
    assert dialog.results.setting.currentData() == "batch_size"


def test_train_the_best_queues_its_settings_for_longer(session: Session, jobs: Jobs, qtbot: QtBot) -> None:
    begun(session, jobs, qtbot)
    dialog = dialog_of(session, jobs, qtbot)
    assert dialog.best_button.toolTip() == "Queue a run with the settings of trial 2 for 10 min"
    qtbot.mouseClick(dialog.best_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(jobs.book.names()))
    info = jobs.book.infos()[0]
    assert info.config == recipe_config("cnn-6").changed(minutes=10.0, learning_rate=2e-3, batch_size=32)
    assert info.search == ""  # an ordinary run


def test_a_search_runs_behind_the_dialog_and_can_be_stopped_and_gone_on_with(
    session: Session, jobs: Jobs, qtbot: QtBot
) -> None:
    dialog = dialog_of(session, jobs, qtbot)
    dialog.trials.setValue(3)
    qtbot.mouseClick(dialog.start_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.results.model.rowCount() == 1)
    assert dialog.search.currentData() == "cnn-6"
    assert not dialog.start_button.isEnabled()
    assert jobs.searching.searching() == ["cnn-6"]
    dialog.close()  # the search continues
    again = dialog_of(session, jobs, qtbot)
    assert again.search.currentData() == "cnn-6"
    qtbot.mouseClick(again.stop_button, Qt.MouseButton.LeftButton)
    assert again.stop_button.text() == "Stopping…"
    qtbot.waitUntil(lambda: jobs.searching.searching() == [])
    assert again.start_button.text() == "Continue"
    assert again.start_button.isEnabled()
    assert not again.recipe.isEnabled()


def test_a_search_is_started_once_and_can_be_stopped_before_it_has_begun(session: Session, qtbot: QtBot) -> None:
    program = "import os, sys, time; os.mkdir(f'{sys.argv[1]}/started-{os.getpid()}'); time.sleep(60)"
    jobs = Jobs(session, serve_command=("/no/serve",), search_command=(sys.executable, "-c", program))
    begun(session, jobs, qtbot)
    dialog = dialog_of(session, jobs, qtbot)
    assert dialog.start_button.text() == "Continue"
    dialog.start()
    assert not dialog.start_button.isEnabled()  # at once: a second click would start another
    dialog.start()
    path = session.store.project.path
    qtbot.waitUntil(lambda: any(path.glob("started-*")))
    dialog.stop()
    qtbot.waitUntil(lambda: jobs.searching.searching() == [])
    assert len(list(path.glob("started-*"))) == 1
    assert not dialog.fault.isVisible()
    jobs.close()


def test_why_a_search_could_not_begin_is_told(session: Session, qtbot: QtBot) -> None:
    program = "import sys; sys.exit(print('The search needs Optuna.', file=sys.stderr) or 2)"
    jobs = Jobs(session, serve_command=("/no/serve",), search_command=(sys.executable, "-c", program))
    dialog = dialog_of(session, jobs, qtbot)
    dialog.start()
    qtbot.waitUntil(lambda: dialog.fault.text() == "The search needs Optuna.")
    assert dialog.start_button.isEnabled()
    jobs.close()


def test_a_search_without_faces_in_val_says_so(session: Session, jobs: Jobs, qtbot: QtBot) -> None:
    import numpy as np

    session.store.project.set_splits(session.store.ids(), np.zeros(24, np.uint8))
    session.store.external.reload()
    qtbot.waitUntil(lambda: not session.store.index().splits.any())
    dialog = dialog_of(session, jobs, qtbot)
    assert "which has no faces" in dialog.fault.text()
    assert not dialog.start_button.isEnabled()


def test_trials_do_not_swamp_runs_and_plots(session: Session, qtbot: QtBot) -> None:
    project = session.store.project
    create_run(project, recipe_config("ml-cnn"))
    for number in range(5):
        snapshot = snapshot_project(project)
        write_run(project.runs_dir, recipe_config("cnn-6"), snapshot, search=f"first/{number}")
    jobs = Jobs(session, serve_command=("/no/serve",))
    qtbot.waitUntil(lambda: len(jobs.book.names()) == 6)
    assert jobs.book.shown() == ["0001-ml-cnn"]
    assert jobs.queue.waiting() == []  # what waits there is the search's own business
    model = RunsModel(jobs)
    assert model.names() == ["0001-ml-cnn"]
    assert model.trials() == 5
    model.show_trials(True)
    assert len(model.names()) == 6
    assert "trial 4 of the search first" in model.index(0).data(Qt.ItemDataRole.ToolTipRole)
    jobs.close()


def test_who_searches_is_known_from_the_locks(session: Session, jobs: Jobs, qtbot: QtBot) -> None:
    begun(session, jobs, qtbot)
    folder = jobs.searching.infos()[0].path
    with worker(folder, "somebody"):
        assert [t.state for t in read_search(folder).trials][-1] == "running"
        jobs.searching.look()
        qtbot.waitUntil(lambda: jobs.searching.searching() == ["first"])
    assert [t.state for t in read_search(folder).trials][-1] == "waiting"
