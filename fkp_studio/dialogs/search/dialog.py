"""The random search dialog: the search space, the budget of each trial, and the results."""

from __future__ import annotations

import os
from dataclasses import replace

from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from fkp_studio.dialogs.search.results import SearchResults
from fkp_studio.dialogs.search.space_table import SpaceTable
from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.jobs.training_words import clock
from fkp_studio.look.widgets.plain_text import PlainLabel, plain_tip
from fkp_studio.views.runs.can_train import Facts, why_not
from training.errors import UserError
from training.search.plan import SearchInfo, SearchPlan
from training.storage.runs.settings.recipes import RECIPES, recipe_config, recipe_space

NEW = ""  # the data of the entry for a new search


class RandomSearchDialog(QDialog):
    """A search, new or started, on the left; its trials on the right. Closing the dialog does not stop the search."""

    def __init__(self, session: Session, jobs: Jobs, parent: QWidget | None = None, *, recipe: str = "") -> None:
        super().__init__(parent)
        self.setWindowTitle("Random search")
        self._session, self._jobs = session, jobs
        self._facts = Facts.of(session.store)
        self._make()
        self._lay_out()
        self.recipe.setCurrentIndex(max(0, self.recipe.findData(recipe)))
        self._fill_searches()
        self._choose(self._latest())
        self._connect()
        self._on_search_chosen()
        self.resize(1120, 640)

    # ---- the search

    def plan(self) -> SearchPlan:
        """The search as set in the form. Raises UserError naming what is invalid."""
        info = self.info()
        if info is not None:
            return replace(info.plan, trials=self.trials.value())
        recipe = self.recipe.currentData()
        config = recipe_config(recipe).changed(minutes=self.minutes.value(), epochs=None, seed=self.seed.value())
        name = self._jobs.searching.free_name(recipe)
        return SearchPlan(name, config, self.space.space(config), self.trials.value())

    def info(self) -> SearchInfo | None:
        """The shown search; None for a new one."""
        return self._jobs.searching.info(self.search.currentData())

    def start(self) -> None:
        """Start the search, or continue it."""
        try:
            plan = self.plan()
        except UserError as error:
            self._refuse(str(error))
            return
        self._wanted, self._refused = plan.name, ""
        self._tell()
        self._jobs.searching.start(plan, jobs=self.jobs.value())

    def stop(self) -> None:
        """Stop the shown search."""
        self._jobs.searching.stop(self.search.currentData())

    def train_best(self) -> None:
        """Queue a run with the best trial's settings and a longer budget."""
        info, best = self.info(), self.results.best()
        if info is not None and best is not None:
            self._jobs.train([info.plan.longer(best.params)])
            self._jobs.message.emit(f"A run with the settings of trial {best.number} is queued.")

    # ---- parts

    def _make(self) -> None:
        self._wanted = ""  # a started search that is not in the list yet
        self._refused = ""  # why a search could not start, or ended
        self.search, self.recipe = QComboBox(), QComboBox()
        self.search.setAccessibleName("Search")
        for name, recipe in RECIPES.items():
            self.recipe.addItem(recipe.title, name)
        self.trials = QSpinBox(minimum=1, maximum=10_000, value=20)
        self.minutes = QDoubleSpinBox(minimum=0.1, maximum=10_000, value=2, suffix=" min", decimals=1)
        self.jobs = QSpinBox(minimum=1, maximum=max(1, os.cpu_count() or 1), value=1)
        self.jobs.setToolTip("Runs in parallel with fewer threads each finish more work than one after another")
        self.seed = QSpinBox(minimum=0, maximum=2**31 - 1)
        self.space = SpaceTable()
        self.total = PlainLabel(wordWrap=True)
        self.total.setProperty("role", "dim")
        self.fault = PlainLabel(wordWrap=True)
        self.fault.setProperty("role", "danger")
        self.start_button, self.stop_button = QPushButton("Search"), QPushButton("Stop")
        self.start_button.setProperty("role", "primary")
        self.close_button, self.best_button = QPushButton("Close"), QPushButton("Train the best trial longer")
        for button in (self.start_button, self.stop_button, self.close_button, self.best_button):
            button.setAutoDefault(False)
        self.results = SearchResults(self._session, self._jobs)

    def _lay_out(self) -> None:
        column = QWidget()
        column.setFixedWidth(344)
        column.setLayout(self._plan_side())
        whole = QHBoxLayout(self)
        whole.setContentsMargins(16, 16, 16, 16)
        whole.setSpacing(16)
        whole.addWidget(column)
        whole.addLayout(self._results_side(), 1)

    def _form(self) -> QFormLayout:
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        rows = (
            ("Search", self.search),
            ("Recipe", self.recipe),
            ("Trials", self.trials),
            ("Time per trial", self.minutes),
            ("In parallel", self.jobs),
            ("Seed", self.seed),
        )
        for words, field in rows:
            form.addRow(words, field)
        return form

    def _plan_side(self) -> QVBoxLayout:
        heading = PlainLabel("SEARCH SPACE")
        heading.setProperty("role", "heading")
        acts = QHBoxLayout()
        acts.addWidget(self.stop_button)
        acts.addStretch()
        acts.addWidget(self.start_button)
        left = QVBoxLayout()
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(8)
        left.addLayout(self._form())
        left.addWidget(heading)
        left.addWidget(self.space, 1)
        left.addWidget(self.total)
        left.addWidget(self.fault)
        left.addLayout(acts)
        return left

    def _results_side(self) -> QVBoxLayout:
        ends = QHBoxLayout()
        ends.addWidget(self.best_button)
        ends.addStretch()
        ends.addWidget(self.close_button)
        right = QVBoxLayout()
        right.setSpacing(8)
        right.addWidget(self.results, 1)
        right.addLayout(ends)
        return right

    def _connect(self) -> None:
        self.search.currentIndexChanged.connect(self._on_search_chosen)
        self.recipe.currentIndexChanged.connect(self._show_space)
        for spin in (self.trials, self.minutes, self.jobs):
            spin.valueChanged.connect(self._tell)
        self.space.edited.connect(self._tell)
        self.start_button.clicked.connect(self.start)
        self.stop_button.clicked.connect(self.stop)
        self.best_button.clicked.connect(self.train_best)
        self.close_button.clicked.connect(self.accept)
        self._jobs.searching.changed.connect(self._on_changed)
        self._jobs.searching.failed.connect(self._refuse)

    # ---- which search

    def _latest(self) -> str:
        """The running search, or else the one started last."""
        going = self._jobs.searching.searching()
        infos = sorted(self._jobs.searching.infos(), key=lambda info: info.created)
        return going[0] if going else infos[-1].plan.name if infos else NEW

    def _fill_searches(self) -> None:
        chosen = self.search.currentData()
        names = [info.plan.name for info in self._jobs.searching.infos()]
        self.search.blockSignals(True)
        self.search.clear()
        self.search.addItem("New search", NEW)
        for name in names:
            self.search.addItem(name, name)
        self._choose(chosen or NEW)
        self.search.blockSignals(False)

    def _choose(self, name: str) -> None:
        self.search.setCurrentIndex(max(0, self.search.findData(name)))

    def _on_changed(self) -> None:
        names = [info.plan.name for info in self._jobs.searching.infos()]
        if names != [self.search.itemData(place) for place in range(1, self.search.count())]:
            self._fill_searches()
        if self._wanted in names:
            self._choose(self._wanted)
            self._wanted = ""
        self._show_results()

    def _on_search_chosen(self) -> None:
        info, self._refused = self.info(), ""
        for field in (self.recipe, self.minutes, self.seed):
            field.setEnabled(info is None)
        if info is not None:
            config = info.plan.config
            self.recipe.setCurrentIndex(max(0, self.recipe.findData(config.recipe)))
            self.minutes.setValue(config.budget.minutes or 0)
            self.seed.setValue(config.seed)
            self.trials.setValue(info.plan.trials)
        self._show_space()
        self._show_results()

    def _show_space(self) -> None:
        info, recipe = self.info(), self.recipe.currentData()
        usual = recipe_space(recipe)
        self.space.show_space(usual if info is None else info.plan.space, usual=usual, editable=info is None)
        self._tell()

    def _show_results(self) -> None:
        info = self.info()
        self.results.show_search(info)
        best = self.results.best()
        self.best_button.setEnabled(best is not None)
        if info is not None and best is not None:
            config = info.plan.longer(best.params)
            long = (
                f"{config.budget.minutes:g} min"
                if config.budget.minutes is not None
                else f"{config.budget.epochs} epochs"
            )
            self.best_button.setToolTip(plain_tip(f"Queue a run with the settings of trial {best.number} for {long}"))
        self._tell()

    # ---- buttons and messages

    def _tell(self) -> None:
        info, name = self.info(), self.search.currentData()
        going = name in self._jobs.searching.searching() if name else bool(self._wanted)
        fault = why_not(self.recipe.currentData(), self._facts) or self._val_fault()
        if info is None and not fault:
            fault = self._plan_fault()
        left = self.trials.value() - (info.ended if info is not None else 0)
        self.start_button.setText("Search" if info is None else "Continue")
        self.start_button.setEnabled(not going and left > 0 and not fault)
        stopping = self._jobs.searching.is_stopping(name)
        self.stop_button.setText("Stopping…" if stopping else "Stop")
        self.stop_button.setEnabled(going and bool(name) and not stopping)
        self.jobs.setEnabled(not going)
        self.trials.setEnabled(not going)
        self.fault.setText(fault or self._refused)
        self.fault.setVisible(bool(self.fault.text()))
        seconds = 60 * self.minutes.value() * max(left, 0) / self.jobs.value()
        self.total.setText(
            f"{left} trials to go, at most {clock(seconds)} in total." if left > 0 else "All trials have ended."
        )

    def _val_fault(self) -> str:
        return (
            ""
            if self._facts.val
            else "Trials are compared by their error on val, which has no faces. Set some faces' split to val."
        )

    def _plan_fault(self) -> str:
        try:
            self.plan()
        except UserError as error:
            return str(error)
        return ""

    def _refuse(self, sentence: str) -> None:
        self._wanted, self._refused = "", sentence
        self._tell()
