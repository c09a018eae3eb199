"""The slice plot of a search: the error of each trial against one of its settings."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QColor

from fkp_studio.look.style import theme
from fkp_studio.look.widgets.plain_text import plot_text
from fkp_studio.views.plots.base import PlotBase, Table
from fkp_studio.views.plots.value_axis import ValueAxis
from training.search.plan import TrialInfo, best_trial
from training.storage.runs.settings.search_space import Choices, Dimension, short

DONE, BEST = "#56B4E9", "#E69F00"
SIZES = {"done": 8, "pruned": 8, "running": 7, "waiting": 7}
NEAR = 24  # px, largest distance of the mouse from a trial that it reads


class SlicePlot(PlotBase):
    """One mark per trial: filled dot (full budget), hollow dot (stopped early), cross (training), star (best).

    Diverged trials are triangles on the upper edge, so that they do not squeeze the others.
    """

    title = "Error against a setting"
    empty = "One dot per trial appears here once the first trials are measured."

    chosen = Signal(int)  # the trial that was clicked

    def make(self) -> None:
        self._trials: list[TrialInfo] = []
        self._name = ""
        self._dimension: Dimension = Choices(())
        self._marked = -1
        self._ceiling = math.inf
        self._dots = pg.ScatterPlotItem()
        self._ring = pg.ScatterPlotItem()
        self.item.setAxisItems({"bottom": ValueAxis("bottom")})
        self.item.setLabel("left", "val RMSE (px)")
        for dots in (self._dots, self._ring):
            self.item.addItem(dots)
        self.legend.hide()
        self.plot.scene().sigMouseClicked.connect(self._on_clicked)

    def show_trials(self, trials: Sequence[TrialInfo], name: str, dimension: Dimension) -> None:
        """Draw these against the setting `name`, sampled from `dimension`."""
        fresh = (name, dimension) != (self._name, self._dimension)
        self._trials = [t for t in trials if t.value is not None and math.isfinite(t.value) and name in t.params]
        self._name, self._dimension = name, dimension
        self._ceiling = ceiling([t.value for t in self._trials if t.value is not None])
        self._redraw_now()
        if fresh or self.fit_button.isHidden():
            self.fit()

    def mark(self, number: int) -> None:
        """Draw a ring around this trial; -1 for none."""
        self._marked = number
        self._redraw_now()

    def has_room(self) -> bool:
        return False

    def redraw(self) -> bool:
        axis = self.item.getAxis("bottom")
        axis.setLogMode(x=self._is_log())
        choices = self._dimension.values if isinstance(self._dimension, Choices) else ()
        axis.setTicks([list(enumerate(map(str, choices)))] if choices else None)
        self.item.setLabel("bottom", plot_text(self._name.replace("_", " ")))
        best = best_trial(self._trials)
        self._dots.setData([self._spot(trial, best=trial is best) for trial in self._trials])
        marked = [t for t in self._trials if t.number == self._marked]
        self._ring.setData(
            pos=[self.place(t) for t in marked], size=18, brush=None, pen=pg.mkPen(theme.colours().link, width=2)
        )
        return bool(self._trials)

    def place(self, trial: TrialInfo) -> tuple[float, float]:
        """A trial's plot position. x: the setting, its log10 on a logarithmic axis, or its index among the choices.

        y: the error, clipped to the upper edge.
        """
        value, rmse = trial.params[self._name], min(trial.value or 0.0, self._ceiling)
        if isinstance(self._dimension, Choices):
            values = list(self._dimension.values)
            return float(values.index(value)) if value in values else -1.0, rmse
        return math.log10(value) if self._is_log() else float(value), rmse

    def fit(self) -> None:
        low, high = self._ends()
        self.view.setXRange(low, high, padding=0.04)
        values = [self.place(t)[1] for t in self._trials]
        if values:
            room = max(max(values) - min(values), 0.1) * 0.08
            self.view.setYRange(min(values) - room, max(values) + room, padding=0)
        self.fit_button.hide()

    def read(self, at: QPointF) -> str:
        trial = self._near(at)
        if trial is None:
            return self.caption()
        how = {"pruned": f", stopped at {trial.done:.0%}", "running": f", {trial.done:.0%} done"}.get(trial.state, "")
        setting = f"{self._name.replace('_', ' ')} {short(trial.params[self._name])}"
        return f"trial {trial.number}   {setting}   {trial.value:.3f} px{how}"

    def caption(self) -> str:
        above = (
            f"   ▲ over {self._ceiling:.3g} px" if any((t.value or 0.0) > self._ceiling for t in self._trials) else ""
        )
        return f"● full budget   ○ stopped early   × training   ★ best{above}" if self._trials else ""

    def table(self) -> Table:
        return ("trial", self._name, "rmse (px)", "state"), [
            (t.number, t.params[self._name], t.value, t.state) for t in self._trials
        ]

    # ---- inside

    def _spot(self, trial: TrialInfo, *, best: bool) -> dict[str, Any]:
        c = theme.colours()
        filled, ink = trial.state == "done", QColor(DONE if c.dark else c.link)
        spot = {"pos": self.place(trial), "size": 16 if best else SIZES.get(trial.state, 7), "data": trial.number}
        if best:
            return {**spot, "symbol": "star", "brush": pg.mkBrush(BEST), "pen": pg.mkPen(c.text)}
        if trial.state in ("running", "waiting"):
            return {**spot, "symbol": "x", "brush": pg.mkBrush(c.dim), "pen": pg.mkPen(c.dim)}
        brush = pg.mkBrush(ink) if filled else pg.mkBrush(None)
        symbol = "t1" if (trial.value or 0.0) > self._ceiling else "o"
        return {**spot, "symbol": symbol, "brush": brush, "pen": pg.mkPen(ink if filled else c.dim, width=1.5)}

    def _is_log(self) -> bool:
        return not isinstance(self._dimension, Choices) and self._dimension.log

    def _ends(self) -> tuple[float, float]:
        if isinstance(self._dimension, Choices):
            return -0.5, len(self._dimension.values) - 0.5
        low, high = self._dimension.low, self._dimension.high
        return (math.log10(low), math.log10(high)) if self._is_log() else (low, high)

    def _near(self, at: QPointF) -> TrialInfo | None:
        """The trial nearest to this plot position within NEAR pixels; None if there is none."""
        width, height = self.view.viewPixelSize()

        def distance(trial: TrialInfo) -> float:
            x, y = self.place(trial)
            return math.hypot((x - at.x()) / width, (y - at.y()) / height)

        nearest = min(self._trials, key=distance, default=None)
        return nearest if nearest is not None and distance(nearest) <= NEAR else None

    def _on_clicked(self, event: Any) -> None:
        trial = (
            self._near(self.view.mapSceneToView(event.scenePos()))
            if event.button() == Qt.MouseButton.LeftButton
            else None
        )
        if trial is not None:
            self.chosen.emit(trial.number)


def ceiling(errors: Sequence[float]) -> float:
    """The error above which trials are drawn on the upper edge: five times the median's distance from the best."""
    if len(errors) < 3:
        return math.inf
    best, middle = min(errors), statistics.median(errors)
    highest = best + 5 * max(middle - best, 0.02 * best)
    return highest if max(errors) > highest else math.inf
