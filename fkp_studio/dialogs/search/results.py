"""Results of a random search: progress, the table of trials, and the error against each setting."""

from __future__ import annotations

from PySide6.QtCore import QItemSelection, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QProgressBar,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from fkp_studio.dialogs.search.slice_plot import SlicePlot
from fkp_studio.dialogs.search.trial_table import FIRST, TrialModel
from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.look.style import theme
from fkp_studio.look.widgets.plain_text import PlainLabel
from training.search.plan import SearchInfo, TrialInfo, best_trial

FIRST_WIDTHS = (52, 84, 112)  # px, of the columns in every search
EMPTY = (
    "Each trial trains the recipe briefly with randomly drawn settings; trials that are clearly worse than the others "
    "are stopped early. Trials are listed here, best first, once the search has started."
)


class SearchResults(QWidget):
    """Shows one search; a trial chosen in the table is marked in the plot, and vice versa."""

    def __init__(self, session: Session, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._info: SearchInfo | None = None
        self._make(session, jobs)
        self._lay_out()
        self.setting.currentIndexChanged.connect(self._draw)
        self.table.selectionModel().selectionChanged.connect(self._on_selected)
        self.table.horizontalHeader().sectionClicked.connect(self._on_header)
        self.plot.chosen.connect(lambda number: self.table.selectRow(self.model.row_of(number)))
        self.show_search(None)

    def best(self) -> TrialInfo | None:
        """The best trial of the shown search."""
        return None if self._info is None else best_trial(self._info.trials)

    def show_search(self, info: SearchInfo | None) -> None:
        """Show the current state of this search; None shows an explanation."""
        self._info = info
        chosen = self._chosen()
        trials, space = (info.trials, info.plan.space) if info is not None else ((), {})
        self.model.set_trials(trials, list(space))
        if info is not None:
            self._set_widths()
        self.table.selectRow(self.model.row_of(chosen))
        self._fill_settings(list(space))
        self._tell()
        for widget, shown in ((self.empty, not trials), (self.split, bool(trials)), (self.top, info is not None)):
            widget.setVisible(shown)
        self._draw()

    # ---- inside

    def _make(self, session: Session, jobs: Jobs) -> None:
        self.words = PlainLabel()
        self.bar = QProgressBar(textVisible=False)
        self.bar.setAccessibleName("Progress of the search")
        self.empty = PlainLabel(EMPTY, wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self.empty.setProperty("role", "dim")
        self.model = TrialModel(self)
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setFont(theme.table_font())
        self.table.setShowGrid(False)
        self.table.setAccessibleName("Trials")
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(24)
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultSectionSize(96)
        self.plot = SlicePlot(session, jobs)
        self.setting = QComboBox()
        self.setting.setAccessibleName("Setting to plot the error against")

    def _lay_out(self) -> None:
        self.top, below = QWidget(), QWidget()
        first = QVBoxLayout(self.top)
        first.setContentsMargins(0, 0, 0, 0)
        first.setSpacing(6)
        first.addWidget(self.words)
        first.addWidget(self.bar)
        choice = QHBoxLayout()
        choice.addWidget(PlainLabel("Error against"))
        choice.addWidget(self.setting)
        choice.addStretch()
        second = QVBoxLayout(below)
        second.setContentsMargins(0, 8, 0, 0)
        second.setSpacing(4)
        second.addLayout(choice)
        second.addWidget(self.plot, 1)
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(self.table)
        self.split.addWidget(below)
        self.split.setSizes([240, 300])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.top)
        column.addWidget(self.empty, 1)
        column.addWidget(self.split, 1)

    def _set_widths(self) -> None:
        """Restore widths, which Qt forgets when the model is reset."""
        for column, width in enumerate(FIRST_WIDTHS):
            self.table.setColumnWidth(column, width)

    def _fill_settings(self, names: list[str]) -> None:
        if names == [self.setting.itemData(place) for place in range(self.setting.count())]:
            return
        self.setting.blockSignals(True)
        self.setting.clear()
        for name in names:
            self.setting.addItem(name.replace("_", " "), name)
        self.setting.blockSignals(False)

    def _tell(self) -> None:
        info, best = self._info, self.best()
        if info is None:
            return
        under_way = sum(t.state == "running" for t in info.trials)
        early = sum(t.state == "pruned" for t in info.trials)
        parts = [
            f"{info.ended} of {info.plan.trials} trials",
            f"{under_way} training" if under_way else "" if info.ended >= info.plan.trials else "stopped",
            f"{early} stopped early" if early else "",
            f"best {best.value:.3f} px (trial {best.number})" if best is not None else "",
        ]
        self.words.setText(" · ".join(part for part in parts if part))
        done = sum(1.0 if t.ended else t.done for t in info.trials)
        self.bar.setMaximum(1000 * info.plan.trials)
        self.bar.setValue(round(1000 * done))

    def _draw(self) -> None:
        name = self.setting.currentData()
        if self._info is not None and name in self._info.plan.space:
            self.plot.show_trials(self._info.trials, name, self._info.plan.space[name])

    def _chosen(self) -> int:
        rows = self.table.selectionModel().selectedRows()
        return self.model.trials[rows[0].row()].number if rows else -1

    def _on_selected(self, _chosen: QItemSelection, _before: QItemSelection) -> None:
        self.plot.mark(self._chosen())

    def _on_header(self, section: int) -> None:
        """Plot the error against the setting whose column was clicked."""
        if section >= len(FIRST):
            self.setting.setCurrentIndex(section - len(FIRST))
