"""The cumulative error distribution (CED) on val: the fraction of faces with an error below x."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor

from fkp_studio.look.style import theme
from fkp_studio.look.widgets.plain_text import plot_text
from fkp_studio.views.plots.base import PlotBase, Table, recipe_title
from training.faces.measures.metrics import CED_AXIS
from training.storage.runs.events import EpochDone

AUC_AT, FAILURE_AT = 0.08, 0.10
NORMALISERS = {"interocular": "inter-ocular", "interpupil": "inter-pupil", "box": "root of box area"}


class CedPlot(PlotBase):
    """One curve per run, of the kept epoch or the latest; the legend shows AUC and failure rate."""

    title = "CED"
    legend_offset = (-8, -4)
    empty = "The fraction of val faces below each error appears here after a run's first epoch."

    def make(self) -> None:
        self._curves: dict[str, pg.PlotDataItem] = {}
        self._lines: dict[float, pg.InfiniteLine] = {}
        self.latest_button = self.add_toggle("latest", "Show the latest epoch instead of the kept one")
        self.item.setLabel("left", "val faces")
        self.item.getAxis("left").setTicks([[(i / 4, f"{i * 25} %") for i in range(5)]])
        self.item.getAxis("bottom").setTicks([[(i / 25, f"{i / 25:.2f}") for i in range(6)]])
        self.view.setLimits(xMin=-0.01, xMax=0.21, yMin=-0.05, yMax=1.05)

    def caption(self) -> str:
        if self.has_room():
            return "AUC to 0.08, failures over 0.10"
        shown = list(self._curves)
        areas = [
            f"{recipe_title(name, among=shown)} {epoch.auc:.3f}"
            for name in shown
            if (epoch := self.epoch(name)) is not None
        ]
        return "AUC  " + "   ".join(areas) if areas else ""

    def fit(self) -> None:
        self.view.setRange(xRange=(0, CED_AXIS[-1]), yRange=(0, 1), padding=0.02)
        self.fit_button.hide()

    def epoch(self, name: str) -> EpochDone | None:
        """The epoch whose curve is drawn; None before the first."""
        history = self.jobs.book.history(name)
        return history.last if self.latest_button.isChecked() else history.best or history.last

    def redraw(self) -> bool:
        epochs = {name: self.epoch(name) for name in self.jobs.book.shown()}
        drawn = {name: e for name, e in epochs.items() if e is not None and np.isfinite(e.ced).any()}
        for name in [name for name in self._curves if name not in drawn]:
            self.item.removeItem(self._curves.pop(name))
        for name, epoch in drawn.items():
            self._draw(name, epoch)
        names = {NORMALISERS.get(e.normaliser, e.normaliser) for e in drawn.values()}
        self.item.setLabel("bottom", plot_text(f"NME ({', '.join(sorted(names)) or 'inter-ocular'})"))
        for line in self._lines.values():
            line.setVisible(bool(drawn))
        return bool(drawn)

    def read(self, at: QPointF) -> str:
        x = min(max(at.x(), 0.0), CED_AXIS[-1])
        shown = list(self._curves)
        values = []
        for name in shown:
            epoch = self.epoch(name)
            if epoch is not None:
                part = float(np.interp(x, CED_AXIS, epoch.ced))
                values.append(f"{recipe_title(name, among=shown)} {part:.1%}")
        return f"NME ≤ {x:.3f}   " + "   ".join(values)

    def table(self) -> Table:
        curves = [(name, epoch) for name in self._curves if (epoch := self.epoch(name)) is not None]
        header = ("nme", *(name for name, _ in curves))
        return header, [(x, *(e.ced[i] for _, e in curves)) for i, x in enumerate(CED_AXIS)]

    def restyle(self) -> None:
        c = theme.colours()
        for curve in self._curves.values():
            self.item.removeItem(curve)
        self._curves.clear()
        for line in self._lines.values():
            self.item.removeItem(line)
        for at, text, anchor in ((AUC_AT, "AUC", (1, 0.5)), (FAILURE_AT, "FR", (0, 0.5))):
            options = {"position": 0.95, "color": c.dim, "anchors": [anchor, anchor]}
            pen = pg.mkPen(c.edge, style=Qt.PenStyle.DashLine)
            line = pg.InfiniteLine(at, angle=90, pen=pen, label=text, labelOpts=options)
            line.label.setFont(theme.font(pixels=11))
            self._lines[at] = line
            self.item.addItem(line, ignoreBounds=True)

    def _words(self, name: str, epoch: EpochDone) -> str:
        title = recipe_title(name, among=self.jobs.book.shown())
        return f"{title}  AUC {epoch.auc:.3f}  FR {epoch.failure_rate:.1%}"

    def _draw(self, name: str, epoch: EpochDone) -> None:
        text = self._words(name, epoch)
        curve = self._curves.get(name)
        if curve is None:
            curve = self.item.plot(
                antialias=True, pen=pg.mkPen(QColor(self.jobs.book.colour(name)), width=2), name=plot_text(text)
            )
            self._curves[name] = curve
        curve.setData(np.array(CED_AXIS), np.array(epoch.ced))
        self.name_in_legend(curve, text)
