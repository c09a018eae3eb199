"""The base class of all plots: appearance, legend, crosshair, throttled redraws and export."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pyqtgraph as pg
from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent
from PySide6.QtCore import QEvent, QPointF, Qt, QTimer
from PySide6.QtGui import QColor, QContextMenuEvent, QPen, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QMenu, QToolButton, QVBoxLayout, QWidget

from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.look.style import theme
from fkp_studio.look.widgets.elided import ElidedLabel
from fkp_studio.views.plots import export as plot_export
from fkp_studio.views.plots.value_axis import ValueAxis
from training.storage.runs.events import Event, Progress

REDRAW_MS = 200
ROOM = (260, 170)  # px, least width and height of a plot with a legend
LOWEST_FOR_LABEL = 110  # px, least height of a plot with a label on the lower axis
Table = tuple[Sequence[str], Sequence[Sequence[object]]]  # header, rows


class PlotBase(QWidget):
    """A plot of the shown runs. A subclass draws in `redraw`, gives values as text in `read` and its data in `table`.

    It redraws at most five times per second, and only while visible. After the user zooms or pans, the range stays
    fixed until "Fit" (or a double click).
    """

    title = ""
    legend_offset = (-8, 4)  # px from left (negative: right) and top (negative: bottom)
    empty = ""  # the text shown without data: what will appear here, and when

    def __init__(self, session: Session, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session, self.jobs = session, jobs
        self.setAccessibleName(self.title)
        self.plot = pg.PlotWidget(self, axisItems={"left": ValueAxis("left")})
        self.item: pg.PlotItem = self.plot.getPlotItem()
        self.view: pg.ViewBox = self.item.getViewBox()
        self.readout = ElidedLabel()
        self.readout.setProperty("role", "dim")
        self.readout.setFont(theme.table_font())
        self.nothing = QLabel(self.empty, self.plot, wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self.nothing.setProperty("role", "dim")
        self.fit_button = self._tool("Fit", "Show everything again (double click)", self.fit)
        self._dirty = True
        self._timer = QTimer(self, singleShot=True, interval=REDRAW_MS)
        self._timer.timeout.connect(self._redraw_now)
        self._lay_out()
        self._set_up()
        self.make()
        self._restyle()
        self.fit()
        theme.current().changed.connect(self._restyle)
        jobs.runs_changed.connect(self.schedule)
        jobs.book.happened.connect(self._on_run_event)  # no lambda: it would outlive the plot's window
        session.project_changed.connect(self.schedule)

    # ---- for subclasses

    def make(self) -> None:
        """Make the subclass's toggles, items and axes."""

    def redraw(self) -> bool:
        """Draw the shown runs; returns whether there was anything to draw."""
        raise NotImplementedError

    def read(self, at: QPointF) -> str:
        """The readout of the crosshair at this position in the plot."""
        raise NotImplementedError

    def clicked(self, at: QPointF) -> None:
        """Handle a click at this position in the plot."""

    def wants(self, event: Event) -> bool:
        """Whether this event changes what is drawn."""
        return not isinstance(event, Progress)

    def table(self) -> Table:
        """The plotted data, for CSV."""
        raise NotImplementedError

    def restyle(self) -> None:
        """Apply the theme's colours to the subclass's items."""

    def add_toggle(self, text: str, tip: str, *, checked: bool = False) -> QToolButton:
        """Add a small toggle above the plot; toggling it redraws."""
        button = self._tool(text, tip, None)
        button.setCheckable(True)
        button.setChecked(checked)
        button.toggled.connect(self._switched)
        self.tools.insertWidget(self.tools.count() - 1, button)
        return button

    # ---- frame

    def name_in_legend(self, item: pg.GraphicsObject, text: str) -> None:
        """Rename an item in the legend: a second run of the same recipe makes the first one's name longer."""
        label = self.legend.getLabel(item)
        if label is not None and label.text != text:
            label.setText(text)

    def schedule(self) -> None:
        """Redraw within REDRAW_MS."""
        self._dirty = True
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def fit(self) -> None:
        """Show everything and resume automatic ranging."""
        self.view.enableAutoRange()
        self.fit_button.hide()

    def _on_run_event(self, _name: str, event: Event) -> None:
        if self.wants(event):
            self.schedule()

    def _switched(self) -> None:
        self._redraw_now()
        self.fit()

    def _redraw_now(self) -> None:
        self._dirty = False
        drawn = self.redraw()
        self.nothing.setVisible(not drawn)
        self.item.setVisible(drawn)
        if not self.cross.isVisible():
            self.readout.set_text(self.caption())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._dirty:
            self._redraw_now()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.nothing.setGeometry(self.plot.rect().adjusted(16, 8, -16, -16))
        self.legend.setVisible(self.has_room())
        self.item.getAxis("bottom").showLabel(self.plot.height() > LOWEST_FOR_LABEL)
        self.readout.set_text(self.caption())

    def has_room(self) -> bool:
        """Whether the plot is large enough for a legend; the list of runs shows the colours too."""
        return self.plot.height() >= ROOM[1] and self.plot.width() >= ROOM[0]

    def _lay_out(self) -> None:
        self.tools = QHBoxLayout()
        self.tools.setContentsMargins(8, 2, 4, 0)
        self.tools.setSpacing(0)
        self.tools.addWidget(self.readout, 1)
        self.tools.addWidget(self.fit_button)
        self.fit_button.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self.tools)
        column.addWidget(self.plot, 1)
        self.setMinimumSize(160, 96)

    def _tool(self, text: str, tip: str, act: Callable[[], object] | None) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setFont(theme.font(pixels=11))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if act is not None:
            button.clicked.connect(lambda: act())
        return button

    def _set_up(self) -> None:
        self.plot.setFrameShape(self.plot.Shape.NoFrame)
        self.item.hideButtons()
        self.item.setMenuEnabled(False)
        self.view.setDefaultPadding(0.03)
        self.view.sigRangeChangedManually.connect(lambda _mask: self.fit_button.show())
        self.plot.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.legend: pg.LegendItem = self.item.addLegend(offset=self.legend_offset, labelTextSize="11px", verSpacing=-6)
        self.cross = pg.InfiniteLine(angle=90, movable=False)
        self.cross.setZValue(50)
        self.cross.hide()
        self.item.addItem(self.cross, ignoreBounds=True)
        self.plot.scene().sigMouseMoved.connect(self._on_mouse_moved)
        self.plot.scene().sigMouseClicked.connect(self._on_mouse_clicked)

    def _on_mouse_clicked(self, event: MouseClickEvent) -> None:
        if event.double():
            self.fit()
        elif event.button() == Qt.MouseButton.LeftButton and self.view.sceneBoundingRect().contains(event.scenePos()):
            self.clicked(self.view.mapSceneToView(event.scenePos()))

    def _on_mouse_moved(self, where: QPointF) -> None:
        inside = self.view.sceneBoundingRect().contains(where) and not self.nothing.isVisible()
        self.cross.setVisible(inside)
        if not inside:
            self.readout.set_text(self.caption())
            return
        point = self.view.mapSceneToView(where)
        self.cross.setPos(point.x())
        self.readout.set_text(self.read(point))

    def caption(self) -> str:
        """The text above the plot while the mouse is elsewhere."""
        return ""

    def leaveEvent(self, event: QEvent) -> None:
        self.cross.hide()
        self.readout.set_text(self.caption())
        super().leaveEvent(event)

    def _restyle(self) -> None:
        c = theme.colours()
        self.plot.setBackground(c.panel)
        grid = QPen(QColor(c.line))
        for side in ("left", "bottom"):
            axis = self.item.getAxis(side)
            axis.enableAutoSIPrefix(False)
            axis.setPen(grid)
            axis.setTextPen(c.dim)
            axis.setTickFont(theme.font(pixels=11, tabular=True))
            axis.label.setFont(theme.font(pixels=11))
            axis.setStyle(tickLength=0, tickTextOffset=6, autoExpandTextSpace=True)
            axis.setGrid(110 if c.dark else 150)
            axis.setZValue(-1000)  # the grid lies below the curves
        self.cross.setPen(pg.mkPen(c.edge, width=1))
        self.legend.setLabelTextColor(c.text)
        veil = QColor(c.panel)
        veil.setAlpha(170)
        self.legend.setBrush(pg.mkBrush(veil))
        self.restyle()
        self._redraw_now()
        self.readout.set_text(self.caption())

    # ---- export

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        menu.addAction("Fit", self.fit)
        menu.addSeparator()
        for kind, filters in (("SVG", "SVG (*.svg)"), ("PNG", "PNG (*.png)"), ("CSV", "CSV (*.csv)")):
            menu.addAction(f"Save as {kind}…", partial(self._ask_export, kind, filters))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def _ask_export(self, kind: str, filters: str) -> None:
        name = f"{self.title.lower().replace(' ', '-')}.{kind.lower()}"
        path, _ = QFileDialog.getSaveFileName(self, f"Save {self.title}", name, filters)
        if path:
            self.export(Path(path), kind=kind)

    def export(self, path: Path, *, kind: str) -> None:
        """Save the plot as shown, or its data (CSV), in the background; the status bar reports the result."""
        if kind == "CSV":
            header, rows = self.table()
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows([header, *rows])
            data = text.getvalue().encode("utf-8")
        else:
            draw = plot_export.svg if kind == "SVG" else plot_export.png
            data = draw(self.item, background=theme.colours().panel)
        store = self.session.store
        project = None if store is None else store.path
        plot_export.save(path, data, tell=self.jobs.message.emit, owner=self, project=project)


def recipe_title(name: str, *, among: Sequence[str]) -> str:
    """A run's name for a legend: its recipe, with the run number if several of `among` have the same recipe."""
    number, _, recipe = name.partition("-")
    same = [other for other in among if other.partition("-")[2] == recipe]
    return recipe if len(same) < 2 else f"{recipe} {number.lstrip('0')}"
