"""The two tables of the experiments' dialog: how far each training is, and what came out."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from fkp_studio import theme
from training.experiments.events import RunProgress

_ROW = 28  # px
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class _Table(QTableWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setShowGrid(False)
        self.setFont(theme.table_font())
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setHighlightSections(False)

    def _set_head(self, head: list[str]) -> None:
        self.setColumnCount(len(head))
        for column, text in enumerate(head):
            item = QTableWidgetItem(text)
            item.setTextAlignment(_RIGHT if column else _LEFT)
            self.setHorizontalHeaderItem(column, item)

    def _put(self, row: int, column: int, text: str, *, tip: str = "") -> None:
        item = QTableWidgetItem(f"  {text}  " if column else text)
        item.setToolTip(tip)
        if column:
            item.setTextAlignment(_RIGHT)
        self.setItem(row, column, item)


class ProgressTable(_Table):
    """A row an arm, a column a seed: waiting, how far, or what came out."""

    def __init__(self) -> None:
        super().__init__()
        self._cells: dict[tuple[str, int], tuple[int, int]] = {}
        self._done: dict[tuple[str, int], float] = {}

    @property
    def done(self) -> float:
        """The share 0..1 of all trainings that is done."""
        return sum(self._done.values()) / max(len(self._done), 1)

    def show_plan(self, runs: tuple[tuple[str, str, int], ...]) -> None:
        """All trainings, none begun: (arm, title, seed)."""
        titles = {arm: title for arm, title, _ in runs}
        seeds = sorted({seed for _, _, seed in runs})
        self.clear()
        self.setRowCount(len(titles))
        self._set_head(["network", *(f"seed {seed}" for seed in seeds)])
        for row, (arm, title) in enumerate(titles.items()):
            self._put(row, 0, title)
            for column, seed in enumerate(seeds, 1):
                self._cells[arm, seed] = row, column
                self._put(row, column, "waits")
        self._done = {(arm, seed): 0.0 for arm, _, seed in runs}

    def show_run(self, event: RunProgress) -> None:
        """How far one training is."""
        key = event.arm, event.seed
        if key in self._cells:
            self._done[key] = 1.0 if event.status in ("done", "failed") else event.done
            self._put(*self._cells[key], _cell(event), tip=f"{event.run} {event.sentence}".strip())


def _cell(event: RunProgress) -> str:
    best = f"{event.rmse:.2f} px" if event.rmse == event.rmse else ""
    if event.status == "done":
        return best or "done"
    if event.status == "running":
        return f"{event.done:.0%}  {best}".strip()
    return event.status


class ResultTable(_Table):
    """The table as it was written."""

    def show_table(self, head: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> None:
        """Show it."""
        self.clear()
        self.setRowCount(len(rows))
        self._set_head(list(head))
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                self._put(number, column, text)
