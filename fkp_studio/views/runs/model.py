"""The list model of the runs and the contents of its rows."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from fkp_studio.jobs.jobs import Jobs
from fkp_studio.jobs.training_words import STATUSES, ago, clock, epoch_text, exactly
from fkp_studio.look.widgets.plain_text import plain_tip
from training.faces.labels.run_names import is_starter
from training.storage.runs.events import EpochDone
from training.storage.runs.inputs.marking_schemes import scheme_words
from training.storage.runs.listing import RunInfo
from training.words import counted

Index = QModelIndex | QPersistentModelIndex
STARTER = "came with the program"
STARTER_TIP = "predicts before any training; a model trained on your own labels will be better."
RowRole = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True)
class Row:
    """One run as drawn in the list."""

    name: str
    title: str
    colour: str
    shown: bool
    status: str
    line: str  # status, progress, time
    fault: str  # the error, "" for none
    stale: bool
    rmse: str
    nme: str
    leading: bool  # whether its RMSE is the smallest of all
    curves: bool  # whether it has curves to show in the plots


class RunsModel(QAbstractListModel):
    """Newest run first, without search trials unless requested. Checking a run shows it in the plots."""

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._names: list[str] = []
        self._with_trials = False
        jobs.runs_changed.connect(self.refresh)
        self.refresh()

    def names(self) -> list[str]:
        """The names of the runs from top to bottom."""
        return self._names

    def show_trials(self, shown: bool) -> None:
        """List or hide search trials."""
        self._with_trials = shown
        self.refresh()

    def trials(self) -> int:
        """The number of search trials, listed or not."""
        return sum(bool(info.search) for info in self._jobs.book.infos())

    def refresh(self) -> None:
        """Update the list; rows are kept if the names are unchanged."""
        names = [info.name for info in self._jobs.book.infos()[::-1] if self._with_trials or not info.search]
        if names != self._names:
            self.beginResetModel()
            self._names = names
            self.endResetModel()
        elif names:
            self.touch()

    def touch(self, name: str = "") -> None:
        """Report that a row (or all) changed."""
        rows = [self._names.index(name)] if name in self._names else range(len(self._names)) if not name else ()
        if rows:
            self.dataChanged.emit(self.index(rows[0]), self.index(rows[-1]))

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._names)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsUserCheckable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Name, check state, tooltip, accessible text, or the whole Row."""
        info = self._jobs.book.info(self._names[index.row()]) if index.isValid() else None
        if info is None:
            return None
        if role == Qt.ItemDataRole.CheckStateRole:
            shown = self._jobs.book.is_shown(info.name)
            return Qt.CheckState.Checked if shown else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.DisplayRole:
            return info.name
        if role in (RowRole, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            row = self._row(info)
            if role == RowRole:
                return row
            words = self._tip(info, row)
            return plain_tip(words) if role == Qt.ItemDataRole.ToolTipRole else words
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid() or is_starter(self._names[index.row()]):
            return False
        self._jobs.book.set_shown(self._names[index.row()], Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    # ---- inside

    def _best(self, info: RunInfo) -> EpochDone | None:
        history = self._jobs.book.history(info.name)
        return history.best or info.best

    def _row(self, info: RunInfo) -> Row:
        best, status = self._best(info), self._jobs.status(info.name)
        return Row(
            name=info.name,
            title=_title(info),
            colour=self._jobs.book.colour(info.name),
            shown=self._jobs.book.is_shown(info.name),
            status=status,
            line=self._line(info, status),
            fault="" if status in ("starting", "running", "queued") else self._jobs.book.note(info.name),
            stale=self._jobs.is_stale(info.name),
            rmse=f"{best.rmse:.2f} px" if best and math.isfinite(best.rmse) else "",
            nme=f"{best.nme:.1%}" if best and math.isfinite(best.nme) else "",
            leading=best is not None and best.rmse <= min(self._all_rmse(), default=math.inf),
            curves=not info.is_starter,
        )

    def _all_rmse(self) -> list[float]:
        infos = (self._jobs.book.info(name) for name in self._names)
        bests = [self._best(info) for info in infos if info is not None]
        return [best.rmse for best in bests if best is not None and math.isfinite(best.rmse)]

    def _line(self, info: RunInfo, status: str) -> str:
        if info.is_starter:
            return STARTER
        history = self._jobs.book.history(info.name)
        parts = [info.name.partition("-")[0], STATUSES.get(status, status)]
        if status == "queued" and info.name in self._jobs.queue.waiting():
            parts[1] = f"queued, place {self._jobs.queue.waiting().index(info.name) + 1}"
        elif status in ("running", "stopping"):
            parts.append(epoch_text(history))
            if history.progress is not None:
                parts.append(f"{clock(history.progress.seconds_left)} left")
        elif status in ("failed", "interrupted") and self._jobs.book.note(info.name):
            parts[1:] = [*parts[1 : 2 if status == "failed" else 1], self._jobs.book.note(info.name)]
        else:
            last = history.last or info.last
            parts += [
                f"{counted(last.epoch, 'epoch')} in {clock(last.seconds)}" if last else "",
                ago(info.created, now=time.time()),
            ]
        return " · ".join(part for part in parts if part)

    def _tip(self, info: RunInfo, row: Row) -> str:
        if info.is_starter:
            return f"{info.name}, {STARTER}: {STARTER_TIP}"
        best, began = self._best(info), self._jobs.book.history(info.name).started
        lines = [
            f"{info.name}, created {exactly(info.created)}",
            _trial(info),
            f"Started from {began.started_from}." if began is not None and began.started_from else "",
            scheme_words(began.schemes) if began is not None else "",
            row.fault,
            f"Best epoch {best.epoch}: RMSE {best.rmse:.3f} px, NME ({best.normaliser}) {best.nme:.4f}" if best else "",
            "Stale: labels or splits changed since this run was made." if row.stale else "",
        ]
        troubles = [trouble.sentence for trouble in self._jobs.book.history(info.name).troubles]
        return "\n".join(line for line in (*lines, *troubles) if line)


def _title(info: RunInfo) -> str:
    """The name of a starter; else the recipe, with its variant if not the default, and the number of a search trial."""
    if info.is_starter:
        return info.name
    title = info.recipe if info.config.variant == "default" else f"{info.recipe} ({info.config.variant})"
    return f"{title}, trial {info.search.rpartition('/')[2]}" if info.search else title


def _trial(info: RunInfo) -> str:
    search, _, number = info.search.rpartition("/")
    return f"trial {number} of the search {search}" if info.search else ""
