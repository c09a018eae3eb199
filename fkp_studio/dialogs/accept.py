"""The accept dialog: fill all faces' missing points from a run, above a confidence, after seeing how many and which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QSlider,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from fkp_studio import theme
from fkp_studio.dialogs.accept_facts import Candidates, Outcome, draw_examples, outcome, read_candidates
from fkp_studio.dialogs.data_parts import FaceCard, FaceGrid, button, row, text_label
from fkp_studio.errors import show_error
from fkp_studio.gallery.lacking import faces
from fkp_studio.jobs.tasks import Task, run_task
from fkp_studio.session import Session
from training.errors import UserError

USUAL = 80  # per cent
EXAMPLES = 8
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class AcceptDialog(QDialog):
    """Accepts a run's predictions for points that nobody has set. A label that is there is never replaced."""

    def __init__(self, session: Session, run: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Accept predictions")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session, self.run = session, run or session.run
        self._candidates: Candidates | None = None
        self._outcome: Outcome | None = None
        self._tasks: dict[str, Task] = {}
        self.title = text_label("Fill missing points", "title")
        self.about, self.summary = text_label(role="dim"), text_label()
        self.heading = text_label("THE LEAST SURE OF THEM", "heading")
        self.slider, self.spin = QSlider(Qt.Orientation.Horizontal), QSpinBox()
        self.table, self.examples = QTableWidget(0, 2), FaceGrid(columns=4, side=112)
        self.go, self.close_button = button("Accept", "primary"), button("Cancel")
        self.take_back = button("Take back all accepted from this run", "flat")
        self._set_up()
        self._lay_out()
        self.resize(780, 560)
        self._read()

    def _set_up(self) -> None:
        for widget in (self.slider, self.spin):
            widget.setRange(0, 100)
            widget.setValue(USUAL)
            widget.setAccessibleName("least confidence in per cent")
        self.spin.setSuffix(" %")
        self.slider.valueChanged.connect(self.spin.setValue)
        self.spin.valueChanged.connect(self.slider.setValue)
        self.spin.valueChanged.connect(self._count)
        self.go.clicked.connect(self._accept)
        self.close_button.clicked.connect(self.reject)
        self.take_back.clicked.connect(self._take_back)
        self.take_back.setToolTip("Points accepted from this run become unset again. One undo brings them back.")
        self.about.setText(
            f"From {self.run}. Only points that nobody has set are filled; a label that is there is never replaced. "
            "One undo takes it all back."
        )
        table = self.table
        for place, (name, side) in enumerate((("keypoint", LEFT), ("points", RIGHT))):
            heading = QTableWidgetItem(name)
            heading.setTextAlignment(side)
            table.setHorizontalHeaderItem(place, heading)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(24)
        table.setShowGrid(False)
        table.setFont(theme.table_font())
        table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        table.setAccessibleName("points of each keypoint")
        table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        table.setFixedWidth(240)

    def _lay_out(self) -> None:
        right = QVBoxLayout()
        right.setSpacing(8)
        right.addWidget(self.heading)
        right.addWidget(self.examples, 1)
        middle = QHBoxLayout()
        middle.setSpacing(16)
        middle.addWidget(self.table)
        middle.addLayout(right, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(8)
        column.addWidget(self.title)
        column.addWidget(self.about)
        column.addSpacing(8)
        column.addLayout(row(QLabel("At least this sure"), self.slider, self.spin))
        column.addWidget(self.summary)
        column.addLayout(middle, 1)
        column.addLayout(row(self.take_back, None, self.close_button, self.go))

    def done(self, result: int) -> None:
        """Closing: what is being counted is not needed any more."""
        for task in self._tasks.values():
            task.cancel()
        super().done(result)

    def _read(self) -> None:
        store = self._session.store
        self.go.setEnabled(False)
        self.take_back.setEnabled(store is not None and bool(self.run))
        if store is None or not self.run:
            self.summary.setText("Choose a run in the list of runs first: its predictions are what is accepted.")
            return
        self.summary.setText("Counting…")
        self._task("read", read_candidates, store.path, self.run, done=self._on_read, cancellable=True)

    def _on_read(self, candidates: Candidates) -> None:
        self._candidates = candidates
        if len(candidates.confidences):
            self._count()
        else:
            self.summary.setText("There is nothing to fill: the run has no predictions for points that are missing.")

    def _count(self) -> None:
        candidates, threshold = self._candidates, self.spin.value() / 100
        if candidates is not None and "count" not in self._tasks:
            self._task("count", lambda: outcome(candidates, threshold, examples=EXAMPLES), done=self._on_counted)

    def _on_counted(self, found: Outcome) -> None:
        self._outcome = found
        self.summary.setText(f"{found.points:,} points in {faces(found.faces)}." if found.points else self._why_none())
        self.heading.setVisible(bool(found.points))
        self.go.setText(f"Accept {found.points:,} points")
        current = round(found.threshold * 100) == self.spin.value()
        self.go.setEnabled(bool(found.points) and current)
        self._fill_table(found)
        if not current:
            self._count()
        elif "draw" not in self._tasks:
            self._draw()

    def _why_none(self) -> str:
        surest = float(self._candidates.confidences[0]) if self._candidates is not None else -1.0
        known = (
            f"the surest is at {int(surest * 100 + 1e-3)} %" if surest >= 0 else "this run says of none how sure it is"
        )
        return f"No missing point is that sure: {known}."

    def _draw(self) -> None:
        store, found = self._session.store, self._outcome
        if store is not None and found is not None:

            def drawn(cards: list[FaceCard]) -> None:
                self.examples.set_faces(cards)
                if found is not self._outcome:
                    self._draw()

            side = self.examples.pixels
            self._task("draw", lambda: draw_examples(store.path, self.run, found, side=side), done=drawn)

    def _fill_table(self, found: Outcome) -> None:
        store = self._session.store
        titles = store.schema.titles if store is not None else ()
        self.table.setRowCount(len(titles))
        for k, title in enumerate(titles):
            count = QTableWidgetItem(f"{int(found.per_keypoint[k]):,}")
            count.setTextAlignment(RIGHT)
            self.table.setItem(k, 0, QTableWidgetItem(title))
            self.table.setItem(k, 1, count)

    def _accept(self) -> None:
        if self._outcome is not None:
            threshold = self._outcome.threshold
            text = f"accept {self._outcome.points:,} points of {self.run}"
            self._edit(lambda store: store.accept(self.run, None, min_confidence=threshold, text=text))

    def _take_back(self) -> None:
        self._edit(lambda store: store.take_back(self.run))

    def _edit(self, act: Callable[[Any], object]) -> None:
        """Do it and close; the status bar tells the outcome."""
        if self._session.store is None:
            return
        try:
            act(self._session.store)
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
