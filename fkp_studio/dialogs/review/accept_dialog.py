"""The accept dialog: fills missing points from a run, above a confidence or within an error budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from fkp_studio.background.tasks import Task, run_task
from fkp_studio.dialogs.review.accept_budget import Decision, Wanted, decide, why_none, words
from fkp_studio.dialogs.review.accept_facts import Outcome, candidates_in, draw_examples
from fkp_studio.dialogs.review.confidence_dialog import KnownReader, beyond_field
from fkp_studio.dialogs.review.confidence_plots import ReliabilityPlot
from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.look.widgets.dialog_parts import FaceCard, FaceGrid, button, row, text_label
from fkp_studio.look.widgets.error_handling import show_error
from fkp_studio.look.widgets.fact_table import FactTable
from training.assist.filling.candidates import Candidates
from training.assist.filling.fill import FillOptions, fill_missing
from training.errors import UserError
from training.faces.measures.error_budget import ErrorBudget
from training.faces.measures.error_curve import ErrorCurve
from training.storage.project.edits.step import Edited
from training.storage.project.edits.unset_accepted import unset_accepted
from training.storage.project.project import Project
from training.storage.runs.model.model_header import run_curve
from training.storage.runs.run import Run
from training.words import counted

USUAL = 80  # percent
USUAL_WRONG = 2.0  # percent
COLUMNS, SIDE = 3, 112  # of the examples; px
EXAMPLES = 6


class AcceptDialog(QDialog):
    """Accepts a run's predictions for unset points. Existing labels are never replaced."""

    def __init__(self, session: Session, jobs: Jobs, run: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Accept predictions")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session, self.run = session, run or session.run
        self._candidates: Candidates | None = None
        self._curve: ErrorCurve | None = None
        self._outcome: Outcome | None = None
        self._tasks: dict[str, Task] = {}
        self.title = text_label("Fill missing points", "title")
        self.about, self.summary = text_label(role="dim"), text_label()
        self.heading = text_label("LEAST CONFIDENT", "heading")
        self.by_confidence, self.by_budget = QRadioButton("Confidence at least"), QRadioButton("At most")
        self.slider, self.spin = QSlider(Qt.Orientation.Horizontal), QSpinBox()
        self.at_most, self.beyond = QDoubleSpinBox(), beyond_field()
        self.plot = ReliabilityPlot(session, jobs)
        self._reader = KnownReader(
            session, self.run, self, lambda facts: self.plot.show_facts(self.run, facts), self.summary.setText
        )
        self.table = FactTable("points per keypoint", head=("keypoint", "points"))
        self.examples = FaceGrid(columns=COLUMNS, side=SIDE)
        self.go, self.close_button = button("Accept", "primary"), button("Cancel")
        self.take_back = button("Undo all points accepted from this run", "flat")
        self._set_up()
        self._lay_out()
        self.resize(1040, 600)
        self._read()
        self._reader.want(self.beyond.value() / 100)

    def _set_up(self) -> None:
        for widget in (self.slider, self.spin):
            widget.setRange(0, 100)
            widget.setValue(USUAL)
            widget.setAccessibleName("minimum confidence, in percent")
        self.spin.setSuffix(" %")
        self.slider.valueChanged.connect(self.spin.setValue)
        self.spin.valueChanged.connect(self.slider.setValue)
        self.spin.valueChanged.connect(self._count)
        self.at_most.setRange(0.1, 99.0)
        self.at_most.setSingleStep(0.5)
        self.at_most.setDecimals(1)
        self.at_most.setValue(USUAL_WRONG)
        self.at_most.setSuffix(" %")
        self.at_most.setAccessibleName("maximum share of wrong points, in percent")
        for field in (self.at_most, self.beyond):
            field.valueChanged.connect(self._count)
        self.beyond.valueChanged.connect(lambda value: self._reader.want(value / 100))
        self.by_confidence.setChecked(True)
        self.at_most.setEnabled(False)
        self.by_budget.toggled.connect(self._on_way)
        self.go.clicked.connect(self._accept)
        self.close_button.clicked.connect(self.reject)
        self.take_back.clicked.connect(self._take_back)
        self.take_back.setToolTip("Points accepted from this run become unset again. One undo brings them back.")
        self.about.setText(
            f"From {self.run}. Only unset points are filled; existing labels are never replaced. "
            "One undo reverts all of it."
        )
        self.table.setFixedWidth(240)

    def _lay_out(self) -> None:
        self.examples.setMinimumWidth(COLUMNS * SIDE + (COLUMNS - 1) * 8)
        self.heading.hide()
        right = QVBoxLayout()
        right.setSpacing(8)
        right.addWidget(self.heading)
        right.addWidget(self.examples, 1)
        plot = QVBoxLayout()
        plot.setSpacing(4)
        plot.addWidget(text_label("IS ITS CONFIDENCE CALIBRATED ON VAL?", "heading"))
        plot.addWidget(self.plot, 1)
        middle = QHBoxLayout()
        middle.setSpacing(16)
        middle.addWidget(self.table)
        middle.addLayout(right)
        middle.addLayout(plot, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(8)
        column.addWidget(self.title)
        column.addWidget(self.about)
        column.addSpacing(8)
        column.addLayout(row(self.by_confidence, self.slider, self.spin))
        parts = (QLabel("wrong, where wrong is an error above"), QLabel("of the inter-ocular distance"))
        column.addLayout(row(self.by_budget, self.at_most, parts[0], self.beyond, parts[1], None))
        column.addWidget(self.summary)
        column.addLayout(middle, 1)
        column.addLayout(row(self.take_back, None, self.close_button, self.go))

    def done(self, result: int) -> None:
        """Cancel running tasks and close."""
        for task in self._tasks.values():
            task.cancel()
        self._reader.stop()
        super().done(result)

    def _read(self) -> None:
        store = self._session.store
        self.go.setEnabled(False)
        self.take_back.setEnabled(store is not None and bool(self.run))
        if store is None or not self.run:
            self.summary.setText("Choose a run in the list of runs first.")
            return
        self.summary.setText("Counting…")
        address, run = store.project.address, self.run

        def read(*, cancelled: Callable[[], bool]) -> tuple[Candidates, ErrorCurve]:
            own = Run(address.path / "runs" / run)
            return candidates_in(address, run, cancelled=cancelled), run_curve(own)

        self._task("read", read, done=self._on_read, cancellable=True)

    def _on_read(self, found: tuple[Candidates, ErrorCurve]) -> None:
        self._candidates, self._curve = found
        if len(self._candidates.confidences):
            self._count()
        else:
            self.summary.setText("Nothing to fill: the run has no predictions for missing points.")

    def _on_way(self) -> None:
        budget = self.by_budget.isChecked()
        for widget in (self.slider, self.spin):
            widget.setEnabled(not budget)
        self.at_most.setEnabled(budget)
        self._count()

    def _wanted(self) -> Wanted:
        threshold = self.spin.value() / 100 if self.by_confidence.isChecked() else None
        return Wanted(threshold, ErrorBudget(self.at_most.value() / 100, self.beyond.value() / 100))

    def _count(self) -> None:
        candidates, curve, wanted = self._candidates, self._curve, self._wanted()
        self.go.setEnabled(False)  # until the new count is in
        if candidates is not None and curve is not None and len(candidates.confidences) and "count" not in self._tasks:
            self._task("count", lambda: decide(candidates, curve, wanted, examples=EXAMPLES), done=self._on_counted)

    def _on_counted(self, decision: Decision) -> None:
        found = self._outcome = decision.outcome
        told = f"{found.points:,} points in {counted(found.faces, 'face')}.{words(decision)}"
        self.summary.setText(told if found.points else self._why_none(decision))
        self.heading.setVisible(bool(found.points))
        self.go.setText(f"Accept {found.points:,} points")
        current = decision.wanted == self._wanted()
        self.go.setEnabled(bool(found.points) and current)
        self._fill_table(found)
        if not current:
            self._count()
        elif "draw" not in self._tasks:
            self._draw()

    def _why_none(self, decision: Decision) -> str:
        return "" if self._candidates is None else why_none(self._candidates, decision)

    def _draw(self) -> None:
        store, found = self._session.store, self._outcome
        if store is not None and found is not None:

            def drawn(cards: list[FaceCard]) -> None:
                self.examples.set_faces(cards)
                if found is not self._outcome:
                    self._draw()

            side = self.examples.pixels
            self._task("draw", lambda: draw_examples(store.project.address, self.run, found, side=side), done=drawn)

    def _fill_table(self, found: Outcome) -> None:
        store = self._session.store
        titles = store.schema.titles if store is not None else ()
        self.table.show_rows([(title, f"{int(found.per_keypoint[k]):,}") for k, title in enumerate(titles)])

    def _accept(self) -> None:
        if self._outcome is not None:
            run = self.run
            threshold = self._outcome.threshold  # recorded with the edit, since more predictions may arrive
            options = FillOptions(min_confidence=threshold)
            self._edit(lambda project: fill_missing(project, Run(project.runs_dir / run), options).edited)

    def _take_back(self) -> None:
        run = self.run
        self._edit(lambda project: unset_accepted(project, run))

    def _edit(self, act: Callable[[Project], Edited]) -> None:
        """Apply the edit and close; the status bar reports the outcome."""
        if self._session.store is None:
            return
        try:
            self._session.store.edit(act)
        except UserError as error:
            show_error(self, error)
        else:
            self.accept()

    def _task(
        self, name: str, fn: Callable[..., Any], *args: Any, done: Callable[[Any], None], cancellable: bool = False
    ) -> None:
        def deliver(result: Any) -> None:
            self._tasks.pop(name, None)
            done(result)

        def failed(error: Exception) -> None:
            self._tasks.pop(name, None)
            self.summary.setText(str(error))

        self._tasks[name] = run_task(fn, *args, done=deliver, failed=failed, owner=self, cancellable=cancellable)
