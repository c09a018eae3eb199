"""The label offset dialog: detects labels that are shifted to one side, shows faces before and after, corrects them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QDialog, QHBoxLayout, QVBoxLayout, QWidget

from fkp_studio.background.tasks import Task, run_task
from fkp_studio.dialogs.review.offset_facts import draw_pairs, read_checks
from fkp_studio.document.session import Session
from fkp_studio.look.widgets.dialog_parts import FaceCard, FaceGrid, button, row, text_label
from fkp_studio.look.widgets.error_handling import show_error
from fkp_studio.look.widgets.fact_table import FactTable, signed
from training.assist.offsets.label_offsets import LabelOffset
from training.assist.offsets.project_check import CANNOT_TELL, ONLY_SIDEWAYS, Checked, mend_labels
from training.errors import UserError

FACES, SIDE = 3, 120  # faces shown twice; px
STAYS = "One step, undone with Ctrl+Z. Only imported labels move; points set by you or a model stay."
_WAYS = {"pictures": "images"}  # words for what the offset was measured by; a run has its name


class OffsetsDialog(QDialog):
    """Checks the labels when it opens; nothing changes until the button is pressed."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Label offset")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session = session
        self._checks: list[Checked] = []
        self._tasks: list[Task] = []
        self.title = text_label("Are the labels shifted to one side?", "title")
        self.summary, self.about = text_label("Comparing faces with their mirror images…"), text_label(role="dim")
        self.which, self.table = QComboBox(), FactTable("offset per keypoint")
        self.faces = FaceGrid(columns=2, side=SIDE)
        self.heading = text_label("EYES OF SOME FACES", "heading")
        self.go, self.close_button = button("Shift labels", "primary"), button("Close")
        self._set_up()
        self._lay_out()
        self.resize(840, 656)
        self._read()

    def _set_up(self) -> None:
        self.which.setAccessibleName("which import")
        self.which.hide()
        self.which.currentIndexChanged.connect(lambda _index: self._show())
        self.table.horizontalHeader().hide()
        self.heading.hide()
        self.faces.setMinimumWidth(2 * SIDE + 8)
        self.go.setEnabled(False)
        self.go.clicked.connect(self._mend)
        self.close_button.clicked.connect(self.reject)

    def _lay_out(self) -> None:
        right = QVBoxLayout()
        right.setSpacing(8)
        right.addWidget(self.heading)
        right.addWidget(self.faces)
        right.addStretch(1)
        middle = QHBoxLayout()
        middle.setSpacing(16)
        middle.addWidget(self.table, 1)
        middle.addLayout(right)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(8)
        for widget in (self.title, self.which, self.summary):
            column.addWidget(widget)
        column.addSpacing(8)
        column.addLayout(middle, 1)
        column.addWidget(self.about)
        column.addLayout(row(None, self.close_button, self.go))

    def _read(self) -> None:
        store = self._session.store
        if store is not None:
            self._task(read_checks, store.project.address, self._session.run, done=self._on_read, cancellable=True)

    def _task(self, fn: Callable[..., Any], *args: Any, done: Callable[[Any], None], cancellable: bool = False) -> None:
        self._tasks.append(run_task(fn, *args, done=done, failed=self._on_failed, owner=self, cancellable=cancellable))

    def _on_failed(self, error: Exception) -> None:
        self.summary.setText(str(error))

    def _on_read(self, checks: list[Checked]) -> None:
        self._checks = checks
        self.which.blockSignals(True)
        self.which.addItems([check.source for check in checks])
        worst = [n for n, check in enumerate(checks) if check.best is not None and check.best.worth_telling]
        self.which.setCurrentIndex(worst[0] if worst else 0)
        self.which.blockSignals(False)
        self.which.setVisible(len(checks) > 1)
        self._show()

    def _shown(self) -> Checked | None:
        return self._checks[self.which.currentIndex()] if self._checks else None

    def _show(self) -> None:
        checked = self._shown()
        best = checked.best if checked is not None else None
        if checked is None or best is None:
            self.summary.setText(CANNOT_TELL)
            self._fill([])
            self._on_drawn([])
            self.go.setEnabled(False)
            return
        self.summary.setText(_words(checked))
        self.about.setText(f"{ONLY_SIDEWAYS} {STAYS}")
        self._fill([found for found in (checked.found, checked.by_run) if found is not None])
        self.go.setText(f"Shift labels by {signed(best.mend, 2)} px")
        self.go.setEnabled(best.worth_telling and checked.imported > 0)
        self._draw(checked, best.mend)

    def _draw(self, checked: Checked, dx: float) -> None:
        store = self._session.store
        if store is not None:

            def draw() -> list[FaceCard]:
                return draw_pairs(store.project.address, checked, dx, faces=FACES, side=self.faces.pixels)

            self._task(draw, done=self._on_drawn)

    def _on_drawn(self, cards: list[FaceCard]) -> None:
        self.faces.set_faces(cards)
        self.heading.setVisible(bool(cards))

    def _fill(self, ways: list[LabelOffset]) -> None:
        store = self._session.store
        titles = store.schema.titles if store is not None and ways else ()
        self.table.horizontalHeader().setVisible(bool(ways))
        self.table.set_head(["px to the right", *(f"  by {_WAYS.get(found.by, found.by)}" for found in ways)])
        self.table.show_rows([(title, *(_margin(found, k) for found in ways)) for k, title in enumerate(titles)])

    def _mend(self) -> None:
        checked, store = self._shown(), self._session.store
        if checked is None or checked.best is None or store is None:
            return
        dx = checked.best.mend
        try:
            store.edit(lambda project: mend_labels(project, checked, dx))
        except UserError as error:
            show_error(self, error)
        else:
            self.accept()

    def done(self, result: int) -> None:
        """Cancel running tasks and close."""
        for task in self._tasks:
            task.cancel()
        super().done(result)


def _margin(found: LabelOffset, k: int) -> str:
    told = found.per_keypoint[k] == found.per_keypoint[k]
    return f"{signed(found.per_keypoint[k], 2)} ± {found.margin[k]:.2f}" if told else "–"


def _words(checked: Checked) -> str:
    """The result of the check, and of the check by a run."""
    best: Any = checked.best
    words = [best.sentence]
    if checked.by_run is not None and checked.before == checked.before:
        words.append(
            f"{checked.by_run.by} has an RMSE of {checked.before:.2f} px against these labels and "
            f"{checked.after:.2f} px against the shifted ones."
        )
    return " ".join(words)
