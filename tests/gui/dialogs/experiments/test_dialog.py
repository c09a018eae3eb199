"""Experiments in the window: choosing, following, stopping, finding again and reading them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QDesktopServices
from pytestqt.qtbot import QtBot

from fkp_studio.dialogs.experiments.dialog import ExperimentsDialog
from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from tests.helpers.fakes import experiment as fake_experiment
from training.experiments.options import FOLDER, Options
from training.experiments.papers.catalogue import EXPERIMENTS
from training.experiments.papers.definition import Budget

Make = Callable[[str], ExperimentsDialog]


@pytest.fixture
def make_dialog(session: Session, qtbot: QtBot) -> Iterator[Make]:
    """The dialog, with a stand-in for the command in the given mode."""
    made: list[Jobs] = []

    def make(mode: str) -> ExperimentsDialog:
        command = (sys.executable, "-m", "tests.helpers.fakes.experiment", mode)
        made.append(Jobs(session, experiment_command=command))
        dialog = ExperimentsDialog(session, made[-1])
        qtbot.addWidget(dialog)
        dialog.show()
        return dialog

    yield make
    for jobs in made:
        jobs.experiments.stop()
        jobs.close()


def cell(dialog: ExperimentsDialog, row: int, column: int) -> str:
    return dialog.progress.item(row, column).text().strip()


def test_all_experiments_can_be_chosen_and_say_what_they_train(make_dialog: Make) -> None:
    dialog = make_dialog("good")
    assert dialog.choice.count() == len(EXPERIMENTS)
    dialog.seeds.setValue(3)
    dialog.jobs.setValue(2)
    assert dialog.plan.text().startswith("9 trainings (3 networks, 3 seeds each) of 3 minutes, 2 at a time")
    dialog.choice.setCurrentRow(list(EXPERIMENTS).index("table-7-speed"))
    assert "nothing is trained" in dialog.plan.text()
    assert not dialog.form.isVisible()


def test_an_experiment_runs_and_its_table_is_shown(
    make_dialog: Make, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog, opened = make_dialog("good"), []
    dialog.start()
    assert not dialog.start_button.isEnabled()
    qtbot.waitUntil(lambda: dialog.start_button.isEnabled())
    assert dialog.table.item(0, 1).text().strip() == fake_experiment.ROW[1]
    assert fake_experiment.SENTENCE in dialog.said.text()
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    dialog.report_button.click()
    assert opened[0].endswith("experiments/table-2-masked/report.html")


def test_progress_is_shown_and_a_stop_ends_it(make_dialog: Make, qtbot: QtBot) -> None:
    dialog = make_dialog("slow")
    dialog.start()
    qtbot.waitUntil(lambda: dialog.progress.rowCount() == 3 and cell(dialog, 1, 1).startswith("40%"))
    assert cell(dialog, 0, 1) == "1.93 px"
    assert cell(dialog, 2, 2) == "waiting"
    assert dialog.stop_button.isVisible()
    dialog.stop()
    qtbot.waitUntil(lambda: dialog.start_button.isEnabled())
    assert "Stopped" in dialog.plan.text()


def test_a_refusal_is_told_in_its_own_words(make_dialog: Make, qtbot: QtBot) -> None:
    dialog = make_dialog("refused")
    dialog.start()
    qtbot.waitUntil(lambda: "no labelled face" in dialog.plan.text())
    assert dialog.start_button.isEnabled()


def test_an_experiment_that_was_left_to_go_on_is_found_again(make_dialog: Make, session: Session, qtbot: QtBot) -> None:
    first = make_dialog("slow")
    first.start()
    qtbot.waitUntil(lambda: first.progress.rowCount() == 3)
    first._jobs.close()
    again = make_dialog("good")
    assert again._jobs.experiments.running == "table-2-masked"
    qtbot.waitUntil(lambda: again.progress.rowCount() == 3 and cell(again, 0, 1) == "1.93 px")
    again.stop()
    qtbot.waitUntil(lambda: not again._jobs.experiments.running)


def test_the_last_word_of_one_that_was_left_does_not_end_the_next(
    make_dialog: Make, session: Session, qtbot: QtBot
) -> None:
    experiments = make_dialog("slow")._jobs.experiments
    path, options = session.store.project.path, Options(Budget(minutes=1.0, seeds=1), side_by_side=1)
    experiments.start("table-2-masked", path, options)
    left = experiments._thread
    with qtbot.waitSignal(left.events):
        pass
    experiments.stop()
    left.wait()  # its last event waits for this thread
    experiments._thread = None
    experiments.start("table-7-speed", path, options)
    qtbot.wait(50)
    assert experiments.running == "table-7-speed"


def test_the_table_of_an_earlier_time_is_shown(make_dialog: Make, project_path: Path) -> None:
    folder = project_path / FOLDER / "table-2-masked"
    folder.mkdir(parents=True)
    (folder / "table.csv").write_text('arm,RMSE\nCNN,"2.00 px"\n')
    (folder / "table.json").write_text(json.dumps({"sentences": ["one", "two"]}))
    dialog = make_dialog("good")
    assert dialog.table.item(0, 1).text().strip() == "2.00 px"
    assert dialog.said.text() == "one\n• two"
    (folder / "table.csv").write_text("")
    dialog.choice.setCurrentRow(1)
    dialog.choice.setCurrentRow(0)
    assert not dialog.table.isVisible()
