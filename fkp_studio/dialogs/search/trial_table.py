"""The trials of a search, best first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from fkp_studio.look.style import theme
from fkp_studio.look.widgets.plain_text import plain_tip
from training.search.plan import TrialInfo, best_trial, ranked
from training.storage.runs.settings.search_space import short

Index = QModelIndex | QPersistentModelIndex
NOTHING = QModelIndex()
STATES = {"done": "done", "pruned": "stopped", "failed": "failed", "running": "training", "waiting": "waiting"}
FIRST = ("trial", "rmse (px)", "state")


class TrialModel(QAbstractTableModel):
    """One row per trial: number, error, state and drawn settings."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.trials: list[TrialInfo] = []
        self.settings: tuple[str, ...] = ()
        self._best: TrialInfo | None = None

    def set_trials(self, trials: Sequence[TrialInfo], settings: Sequence[str]) -> None:
        """Show these trials with these settings as columns."""
        order = ranked(trials)
        if (order, tuple(settings)) == (self.trials, self.settings):
            return
        self.beginResetModel()
        self.trials, self.settings, self._best = order, tuple(settings), best_trial(trials)
        self.endResetModel()

    def row_of(self, number: int) -> int:
        """The row of the trial with this number; -1 if there is none."""
        return next((row for row, trial in enumerate(self.trials) if trial.number == number), -1)

    def rowCount(self, parent: Index = NOTHING) -> int:
        return 0 if parent.isValid() else len(self.trials)

    def columnCount(self, parent: Index = NOTHING) -> int:
        return 0 if parent.isValid() else len(FIRST) + len(self.settings)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        if role == Qt.ItemDataRole.DisplayRole:
            return (*FIRST, *(name.replace("_", " ") for name in self.settings))[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        trial, column = self.trials[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(trial, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(trial.message or trial.run) or None
        if role == Qt.ItemDataRole.FontRole and trial is self._best:
            return theme.font(pixels=12, bold=True, tabular=True)
        return _alignment(column) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def _text(self, trial: TrialInfo, column: int) -> str:
        if column >= len(FIRST):
            name = self.settings[column - len(FIRST)]
            return short(trial.params[name]) if name in trial.params else ""
        if column == 0:
            return str(trial.number)
        if column == 1:
            return "–" if trial.value is None else f"{trial.value:.3f}"
        best = ", best" if trial is self._best else ""
        return STATES[trial.state] + (f" {trial.done:.0%}" if trial.state in ("running", "pruned") else best)


def _alignment(column: int) -> Qt.AlignmentFlag:
    """Right-aligned numbers, left-aligned words."""
    side = Qt.AlignmentFlag.AlignLeft if column == FIRST.index("state") else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter
