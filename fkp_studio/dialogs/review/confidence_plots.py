"""Plots of the confidence dialog: calibration on val, and the share of wrong points among those accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor

from fkp_studio.look.style import theme
from fkp_studio.views.plots.base import PlotBase, Table
from training.storage.runs.events import Event

if TYPE_CHECKING:
    from fkp_studio.dialogs.review.confidence_facts import ConfidenceFacts

NOTHING = "Shown once the run has predicted labelled val faces: Predict all faces (Ctrl+P)."
DOT = 8  # px
_STEP = 5.0  # percent: axes end at a multiple, so that they need no redraw while the limit moves
SURE = 1.96  # standard errors of the bars: a 95 % interval


class ConfidencePlot(PlotBase):
    """A plot of one run's ConfidenceFacts."""

    empty = NOTHING

    def make(self) -> None:
        self.facts: ConfidenceFacts | None = None
        self.run = ""
        self.make_items()

    def make_items(self) -> None:
        """Make the axes and items of the subclass."""
        raise NotImplementedError

    def show_facts(self, run: str, facts: ConfidenceFacts | None) -> None:
        """Draw these facts; None for nothing yet."""
        self.run, self.facts = run, facts if facts is not None and facts.points else None
        self._redraw_now()
        if self.fit_button.isHidden():
            self.fit()

    def wants(self, event: Event) -> bool:  # noqa: ARG002 - drawn from the project, not from a training
        return False

    def has_room(self) -> bool:
        return False

    def colour(self) -> QColor:
        """The run's colour, as in the other plots."""
        return QColor(self.jobs.book.colour(self.run))


class ReliabilityPlot(ConfidencePlot):
    """Points in ten bins by confidence: predicted against actual share of wrong points, with 95 % intervals."""

    title = "Confidence"

    def make_items(self) -> None:
        self.item.setLabel("bottom", "predicted wrong (%)")
        self.item.setLabel("left", "actually wrong (%)")
        self._diagonal = pg.PlotCurveItem([0, 100], [0, 100])
        self._bars = pg.ErrorBarItem(x=np.zeros(1), y=np.zeros(1), beam=0)
        self._dots = pg.ScatterPlotItem(size=DOT)
        for item in (self._diagonal, self._bars, self._dots):
            self.item.addItem(item)

    def fit(self) -> None:
        top = _STEP
        if self.facts is not None:
            found = self.facts.reliability
            top = _above(100 * float(max(found.predicted.max(), found.real.max())))
        self.view.setRange(xRange=(0, top), yRange=(0, top), padding=0.06)
        self.fit_button.hide()

    def redraw(self) -> bool:
        if self.facts is None:
            return False
        found = self.facts.reliability
        spread = 100 * SURE * np.sqrt(found.real * (1 - found.real) / found.counts)
        x, y = 100 * found.predicted, 100 * found.real
        ink = self.colour()
        self._bars.setData(x=x, y=y, top=np.minimum(spread, 100 - y), bottom=np.minimum(spread, y), pen=pg.mkPen(ink))
        self._dots.setData(x, y, brush=pg.mkBrush(ink), pen=pg.mkPen(theme.colours().panel))
        return True

    def restyle(self) -> None:
        self._diagonal.setPen(pg.mkPen(theme.colours().edge, style=Qt.PenStyle.DashLine))

    def caption(self) -> str:
        if self.facts is None:
            return ""
        found = self.facts.reliability
        off = f"off by {100 * found.ece:.1f} percentage points"
        return f"{self.facts.points:,} points of {self.facts.faces:,} val faces, {off}"

    def read(self, at: QPointF) -> str:
        if self.facts is None:
            return ""
        found = self.facts.reliability
        near = int(np.argmin(np.abs(100 * found.predicted - at.x())))
        count, predicted, real = int(found.counts[near]), found.predicted[near], found.real[near]
        return f"{count:,} points: predicted {predicted:.1%} wrong, actually {real:.1%}"

    def table(self) -> Table:
        header = ("predicted wrong", "actually wrong", "points")
        if self.facts is None:
            return header, []
        found = self.facts.reliability
        return header, list(zip(found.predicted.tolist(), found.real.tolist(), found.counts.tolist(), strict=True))


class RiskPlot(ConfidencePlot):
    """The share of wrong points among the most confident ones: actual as a solid line, predicted as a dashed one."""

    title = "Wrong among accepted"

    def make_items(self) -> None:
        self.item.setLabel("bottom", "accepted, most confident first (%)")
        self.item.setLabel("left", "wrong among them (%)")
        self._expected, self._real = pg.PlotCurveItem(antialias=True), pg.PlotCurveItem(antialias=True)
        for item in (self._expected, self._real):
            self.item.addItem(item)

    def fit(self) -> None:
        top = _STEP
        if self.facts is not None:
            risk = self.facts.risk
            top = _above(100 * float(max(risk.expected.max(), risk.real[len(risk.real) // 20 :].max())))
        self.view.setRange(xRange=(0, 100), yRange=(0, top), padding=0.04)
        self.fit_button.hide()

    def redraw(self) -> bool:
        if self.facts is None:
            return False
        risk = self.facts.risk
        self._real.setData(100 * risk.accepted, 100 * risk.real, pen=pg.mkPen(self.colour(), width=2))
        pen = pg.mkPen(theme.colours().dim, width=1.5, style=Qt.PenStyle.DashLine)
        self._expected.setData(100 * risk.accepted, 100 * risk.expected, pen=pen)
        return True

    def caption(self) -> str:
        return "solid: actual   dashed: predicted" if self.facts is not None else ""

    def read(self, at: QPointF) -> str:
        if self.facts is None:
            return ""
        risk = self.facts.risk
        near = int(np.argmin(np.abs(100 * risk.accepted - at.x())))
        return f"top {risk.accepted[near]:.0%}: {risk.real[near]:.1%} wrong, predicted {risk.expected[near]:.1%}"

    def table(self) -> Table:
        header = ("accepted", "actually wrong", "predicted wrong")
        if self.facts is None:
            return header, []
        risk = self.facts.risk
        return header, list(zip(risk.accepted.tolist(), risk.real.tolist(), risk.expected.tolist(), strict=True))


def _above(share: float) -> float:
    """The end of an axis that shows this share, in percent: the next multiple of _STEP."""
    return max(float(np.ceil(share / _STEP)), 1.0) * _STEP
