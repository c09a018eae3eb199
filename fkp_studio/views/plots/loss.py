"""The plot of train and val loss per epoch, with single batches as faint dots, or of the val RMSE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor

from fkp_studio.jobs.run_curves import RunHistory
from fkp_studio.look.style import theme
from fkp_studio.look.widgets.plain_text import plot_text
from fkp_studio.views.plots.base import PlotBase, Table, recipe_title
from fkp_studio.views.plots.dots_item import DotsItem
from training.storage.runs.events import Event

SMOOTHING = 0.7  # weight of the running mean per epoch
MOST_DOTS = 400  # per run


@dataclass
class Curves:
    """The plot items of one run."""

    val: pg.PlotDataItem
    train: pg.PlotDataItem
    dots: DotsItem
    best: pg.PlotDataItem
    stage: pg.InfiniteLine  # the start of the second stage of a two-stage model
    extent: tuple[float, float, float] = (0.0, np.inf, -np.inf)  # last epoch, smallest and largest value, as plotted
    drawn: tuple[object, ...] = ()  # the state the curves show: they are redrawn only when it changes

    @property
    def all(self) -> tuple[pg.GraphicsObject, ...]:
        return self.val, self.train, self.dots, self.best, self.stage


class LossPlot(PlotBase):
    """Val is solid, train dashed, batches are dots, and the kept epoch is a diamond."""

    title = "Loss"
    empty = "The loss of each epoch appears here while a run trains."

    def make(self) -> None:
        self._curves: dict[str, Curves] = {}
        self._axes: tuple[bool, ...] = ()
        self.view.disableAutoRange()
        self.rmse_button = self.add_toggle("RMSE", "Error on val in pixels, which compares runs with different losses")
        # losses fall by powers of ten: a linear axis would only show the first epochs
        self.log_button = self.add_toggle("log", "Logarithmic axis", checked=True)
        self.smooth_button = self.add_toggle("smooth", "Running mean over epochs")
        self.unit_button = self.add_toggle("0..1", "Each run's val curve scaled to 0..1, as in the masked-loss paper")
        label = {"position": 0.2, "color": theme.colours().dim, "anchors": [(0, 1), (0, 1)]}
        self._mean_shape = pg.InfiniteLine(angle=0, label="mean shape", labelOpts=label)
        self.item.addItem(self._mean_shape, ignoreBounds=True)

    def caption(self) -> str:
        return "— val   ╌ train   · batch   ◆ kept"

    def redraw(self) -> bool:
        shown = self.jobs.book.shown()
        for name in [name for name in self._curves if name not in shown]:
            for item in self._curves.pop(name).all:
                self.item.removeItem(item)
        self._set_axes()
        drawn = [self._draw(name, shown) for name in shown]
        self._draw_mean_shape(shown)
        if self.fit_button.isHidden():
            self._frame()
        return any(drawn)

    def read(self, at: QPointF) -> str:
        epoch = max(1, round(at.x()))
        shown = self.jobs.book.shown()
        values = []
        for name in shown:
            found = next((e for e in self.jobs.book.history(name).epochs if e.epoch == epoch), None)
            if found is not None:
                one = (
                    f"{found.rmse:.2f} px"
                    if self.rmse_button.isChecked()
                    else f"{found.train_loss:.3g} / {found.val_loss:.3g}"
                )
                values.append(f"{recipe_title(name, among=shown)} {one}")
        return f"epoch {epoch}   " + "   ".join(values)

    def wants(self, _event: Event) -> bool:
        return True

    def table(self) -> Table:
        header = ("run", "epoch", "train_loss", "val_loss", "rmse_px", "nme", "normaliser", "seconds")
        return header, [
            (name, e.epoch, e.train_loss, e.val_loss, e.rmse, e.nme, e.normaliser, e.seconds)
            for name in self.jobs.book.shown()
            for e in self.jobs.book.history(name).epochs
        ]

    def restyle(self) -> None:
        for curves in self._curves.values():
            for item in curves.all:
                self.item.removeItem(item)
        self._curves.clear()
        c = theme.colours()
        self._mean_shape.setPen(pg.mkPen(c.edge, style=Qt.PenStyle.DotLine))
        self._mean_shape.label.setColor(c.dim)

    # ---- inside

    def _set_axes(self) -> None:
        rmse, unit, log = self._switches()[:3]
        if self._axes == (rmse, unit, log):
            return
        self._axes = (rmse, unit, log)
        self.log_button.setEnabled(not unit)
        name = "val RMSE" if rmse else "loss"
        self.item.setLabel("left", plot_text(f"{name}, scaled to 0..1" if unit else f"{name} (px)" if rmse else name))
        self.item.setLabel("bottom", "epoch")
        self.item.setLogMode(x=False, y=log)

    def _switches(self) -> tuple[bool, bool, bool, bool]:
        buttons = (self.rmse_button, self.unit_button, self.log_button, self.smooth_button)
        rmse, unit, log, smoothed = (button.isChecked() for button in buttons)
        return rmse, unit, log and not unit, smoothed  # a logarithmic axis has no 0

    def _draw(self, name: str, shown: list[str]) -> bool:
        history = self.jobs.book.history(name)
        title = recipe_title(name, among=shown)
        curves = self._curves.get(name) or self._make(name, title=title)
        self.name_in_legend(curves.val, title)
        state = (id(history), len(history.epochs), history.batch_count, *self._switches())
        if curves.drawn != state:
            curves.drawn = state
            self._fill(curves, history)
        return bool(history.epochs or history.batch_count)

    def _fill(self, curves: Curves, history: RunHistory) -> None:
        epochs = np.array([e.epoch for e in history.epochs], np.float64)
        val, train = self._values(history)
        rmse, unit = self._switches()[:2]
        hidden = unit or rmse
        begins = stage_begins(history)
        cuts = [] if rmse else begins  # losses of two stages have different units: leave a gap between them
        curves.val.setData(*_cut(epochs, val, cuts), symbol="o" if len(epochs) == 1 else None)
        curves.train.setData(*((), ()) if hidden else _cut(epochs, train, cuts))
        curves.stage.setVisible(bool(begins))
        curves.stage.setPos(epochs[begins[0]] - 1 if begins else 0)  # an epoch is drawn at its end
        dots = np.empty((0, 2)) if hidden else history.batches(most=MOST_DOTS)
        dots = np.column_stack([dots[:, 0], self._plotted(dots[:, 1])])
        curves.dots.set_places(dots)
        kept = [i for i, e in enumerate(history.epochs) if e.best][-1:]
        curves.best.setData(epochs[kept], val[kept])
        lines = self._plotted(val if hidden else np.concatenate([val, train]))
        curves.extent = _extent(epochs, lines, dots)

    def _plotted(self, values: np.ndarray) -> np.ndarray:
        """Values in axis coordinates: their log10 on a logarithmic axis."""
        if not self._switches()[2]:
            return values
        return np.log10(values, out=np.full_like(values, np.nan), where=values > 0)

    def fit(self) -> None:
        self.fit_button.hide()
        self._frame(exactly=True)

    def _frame(self, *, exactly: bool = False) -> None:
        """Show the whole curves. While they grow the axes move in steps, to stay readable and cheap."""
        extents = [curves.extent for curves in self._curves.values() if np.isfinite(curves.extent).all()]
        if not extents:
            return
        last, low, high = max(e[0] for e in extents), min(e[1] for e in extents), max(e[2] for e in extents)
        (_, right), (bottom, top) = self.view.viewRange()
        if exactly or last > right or last < 0.6 * right:
            grows = any(self.jobs.book.history(name).progress is not None for name in self._curves)
            self.view.setXRange(0, max(1.0, last) * (1.2 if grows else 1.03), padding=0)
        span = max(high - low, 1e-3 * max(abs(high), 1e-3))
        if exactly or low < bottom or high > top or span < 0.6 * (top - bottom):
            self.view.setYRange(low - 0.06 * span, high + 0.06 * span, padding=0)

    def _values(self, history: RunHistory) -> tuple[np.ndarray, np.ndarray]:
        rmse = self.rmse_button.isChecked()
        val = np.array([e.rmse if rmse else e.val_loss for e in history.epochs], np.float64)
        train = np.array([e.train_loss for e in history.epochs], np.float64)
        begins = [] if rmse else stage_begins(history)
        if self.smooth_button.isChecked():
            val, train = _by_stage(smooth, val, begins), _by_stage(smooth, train, begins)
        return (_by_stage(scale_to_unit, val, begins) if self.unit_button.isChecked() else val), train

    def _make(self, name: str, *, title: str) -> Curves:
        colour = QColor(self.jobs.book.colour(name))
        faint = QColor(colour)
        faint.setAlpha(70)
        dots = DotsItem(faint, size=3)
        self.item.addItem(dots, ignoreBounds=True)
        train = self.item.plot(
            antialias=True, pen=pg.mkPen(colour, width=1.2, style=Qt.PenStyle.DashLine), connect="finite"
        )
        val = self.item.plot(
            pen=pg.mkPen(colour, width=2), name=plot_text(title), connect="finite", symbolSize=6, symbolBrush=colour
        )
        best = self.item.plot(
            antialias=True, pen=None, symbol="d", symbolSize=10, symbolBrush=colour, symbolPen=theme.colours().panel
        )
        line = pg.InfiniteLine(
            angle=90,
            pen=pg.mkPen(colour, style=Qt.PenStyle.DotLine),
            label="stage 2",
            labelOpts={"position": 0.9, "color": theme.colours().dim, "anchors": [(1, 0.5), (0, 0.5)]},
        )
        self.item.addItem(line, ignoreBounds=True)
        self._curves[name] = Curves(val, train, dots, best, line)
        return self._curves[name]

    def _draw_mean_shape(self, shown: list[str]) -> None:
        started = [self.jobs.book.history(name).started for name in shown]
        values = [s.mean_shape_rmse for s in started if s is not None and np.isfinite(s.mean_shape_rmse)]
        wanted = bool(values) and self.rmse_button.isChecked() and not self.unit_button.isChecked()
        self._mean_shape.setVisible(wanted)
        if wanted:
            value = min(values)
            self._mean_shape.setPos(np.log10(value) if self._switches()[2] else value)


def stage_begins(history: RunHistory) -> list[int]:
    """Indices into `history.epochs` where another stage begins."""
    stages = [e.stage for e in history.epochs]
    return [n for n in range(1, len(stages)) if stages[n] != stages[n - 1]]


def _cut(epochs: np.ndarray, values: np.ndarray, begins: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The curve with a gap before each of these indices."""
    return np.insert(epochs, begins, np.nan), np.insert(values, begins, np.nan)


def _by_stage(change: Callable[[np.ndarray], np.ndarray], values: np.ndarray, begins: list[int]) -> np.ndarray:
    """Apply `change` to each stage's values separately."""
    return np.concatenate([change(part) for part in np.split(values, begins)])


def _extent(epochs: np.ndarray, lines: np.ndarray, dots: np.ndarray) -> tuple[float, float, float]:
    """Last epoch, smallest and largest value; outliers among the batches (beyond 1 and 99 %) are ignored."""
    x, y = np.append(epochs, dots[:, 0]), lines[np.isfinite(lines)]
    single = dots[np.isfinite(dots[:, 1]), 1]
    if len(single):
        y = np.append(y, np.percentile(single, [1, 99]))
    return (float(x.max()), float(y.min()), float(y.max())) if len(y) else (0.0, np.inf, -np.inf)


def smooth(values: np.ndarray, *, weight: float = SMOOTHING) -> np.ndarray:
    """Exponential moving average with decay `weight`, bias-corrected at the start. Non-finite values are skipped."""
    out, mean, total = np.empty_like(values), 0.0, 0.0
    for i, value in enumerate(values):
        if np.isfinite(value):
            mean, total = weight * mean + (1 - weight) * value, weight * total + (1 - weight)
        out[i] = mean / total if total else np.nan
    return out


def scale_to_unit(values: np.ndarray) -> np.ndarray:
    """Values scaled to 0..1; all 0 if they are equal."""
    finite = values[np.isfinite(values)]
    if not len(finite) or finite.min() == finite.max():
        return np.where(np.isfinite(values), 0.0, values)
    return (values - finite.min()) / (finite.max() - finite.min())
