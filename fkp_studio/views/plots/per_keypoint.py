"""The bar chart of the mean error per keypoint on val, with the runs side by side."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QColor

from fkp_studio.background.tasks import Task, run_task
from fkp_studio.views.plots.base import PlotBase, Table, recipe_title
from fkp_studio.views.plots.worst_faces import worst_faces
from training.storage.runs.events import EpochDone

GROUP = 0.8  # fraction of a keypoint's row that its bars take
LEGEND_WIDTH = 96  # px, kept free to the right of the bars
NAME_HEIGHT = 13  # px per keypoint name


class KeypointPlot(PlotBase):
    """Keypoints from top to bottom in schema order, or worst first. A click on a bar requests its worst faces."""

    faces_wanted = Signal(object, str, str, int)  # ids, worst first; their title; the run; the keypoint

    legend_offset = (-8, -4)
    title = "Error per keypoint"
    empty = "The error of each keypoint appears here after a run's first epoch."

    def make(self) -> None:
        self._bars: dict[str, pg.BarGraphItem] = {}
        self._order: list[int] = []
        self._looking: Task | None = None  # finding the worst faces
        self.view.setCursor(Qt.CursorShape.PointingHandCursor)
        self.worst_button = self.add_toggle("worst first", "Sort by the mean error of the shown runs")
        self.item.setLabel("bottom", "mean error (px)")
        self.view.invertY(True)
        self.view.setMouseEnabled(x=False, y=True)
        self.view.sigResized.connect(self._on_resized)

    def fit(self) -> None:
        widest = max((float(max(bars.opts["width"])) for bars in self._bars.values()), default=1.0)
        free = LEGEND_WIDTH / max(self.view.width(), 1) if self.has_room() else 0.0
        self.view.setXRange(0, widest / max(1 - free, 0.4), padding=0.02)
        self.view.setYRange(-0.5, max(len(self._order), 1) - 0.5, padding=0.01)
        self.fit_button.hide()

    def epochs(self) -> dict[str, EpochDone]:
        """The drawn epoch of each shown run: the kept one, else the last."""
        found = {name: self.jobs.book.history(name) for name in self.jobs.book.shown()}
        return {name: epoch for name, h in found.items() if (epoch := h.best or h.last) is not None}

    def redraw(self) -> bool:
        epochs = self.epochs()
        for name in [name for name in self._bars if name not in epochs]:
            self._remove(name)
        count = max((len(e.per_keypoint) for e in epochs.values()), default=0)
        before, self._order = self._order, self._sorted(epochs, count)
        for place, name in enumerate(epochs):
            self._draw(name, epochs[name], place=place, count=len(epochs))
        self._name_rows()
        if len(before) != len(self._order) or self.fit_button.isHidden():
            self.fit()
        return bool(epochs)

    def read(self, at: QPointF) -> str:
        row = round(at.y())
        if not 0 <= row < len(self._order):
            return ""
        epochs, keypoint = self.epochs(), self._order[row]
        values = [
            f"{recipe_title(name, among=list(epochs))} {e.per_keypoint[keypoint]:.2f} px"
            for name, e in epochs.items()
            if keypoint < len(e.per_keypoint)
        ]
        return f"{self._titles()[keypoint]}   " + "   ".join(values) + "   click: its worst faces"

    def clicked(self, at: QPointF) -> None:
        row, runs = round(at.y()), list(self.epochs())
        if not 0 <= row < len(self._order) or not runs or self.session.store is None:
            return
        place = int((at.y() - row + GROUP / 2) / GROUP * len(runs))
        run, keypoint = runs[min(max(place, 0), len(runs) - 1)], self._order[row]
        self.jobs.message.emit(f"Looking for the faces with the worst {self._titles()[keypoint]}…")
        if self._looking is not None:
            self._looking.cancel()
        path = self.session.store.project.address
        self._looking = run_task(
            worst_faces,
            path,
            run,
            keypoint,
            done=lambda ids: self._found(ids, run, keypoint),
            failed=lambda error: self.jobs.message.emit(str(error)),
            owner=self,
            cancellable=True,
        )

    def _found(self, ids: np.ndarray, run: str, keypoint: int) -> None:
        title = self._titles()[keypoint]
        if len(ids):
            self.jobs.message.emit(f"The {len(ids):,} faces with the worst {title} of {run}, worst first.")
            self.faces_wanted.emit(ids, f"worst {title}", run, keypoint)
        else:
            self.jobs.message.emit(
                f"No labelled {title} has a prediction by {run} yet: "
                "choose that run, predict all faces (Ctrl+P), click again."
            )

    def table(self) -> Table:
        epochs, titles = self.epochs(), self._titles()
        return ("keypoint", *(f"{name} (px)" for name in epochs)), [
            (titles[k], *(e.per_keypoint[k] for e in epochs.values())) for k in self._order
        ]

    def restyle(self) -> None:
        for name in list(self._bars):
            self._remove(name)

    def _on_resized(self) -> None:
        self._name_rows()
        if self.fit_button.isHidden():
            self.fit()

    # ---- inside

    def _titles(self) -> tuple[str, ...]:
        store = self.session.store
        named = () if store is None else store.schema.titles
        return (*named, *(f"keypoint {k + 1}" for k in range(len(named), len(self._order))))

    def _sorted(self, epochs: dict[str, EpochDone], count: int) -> list[int]:
        same = [e.per_keypoint for e in epochs.values() if len(e.per_keypoint) == count]
        if not same or not self.worst_button.isChecked():
            return list(range(count))
        values = np.array(same, np.float64)
        known = np.isfinite(values)
        mean = np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return [int(k) for k in np.argsort(-mean, kind="stable")]

    def _draw(self, name: str, epoch: EpochDone, *, place: int, count: int) -> None:
        height = GROUP / count
        keypoints = [k for k in self._order if k < len(epoch.per_keypoint)]
        rows = np.array([row for row, k in enumerate(self._order) if k < len(epoch.per_keypoint)], np.float64)
        widths = np.nan_to_num(np.array([epoch.per_keypoint[k] for k in keypoints], np.float64))
        options = {
            "x0": np.zeros(len(rows)),
            "y": rows + (place - (count - 1) / 2) * height,
            "width": widths,
            "height": height,
        }
        title, bars = recipe_title(name, among=list(self.epochs())), self._bars.get(name)
        if bars is not None:
            bars.setOpts(**options)
            self.name_in_legend(bars, title)
            return
        colour = QColor(self.jobs.book.colour(name))
        bars = pg.BarGraphItem(**options, brush=colour, pen=None, name=title)
        self._bars[name] = bars
        self.item.addItem(bars)

    def _remove(self, name: str) -> None:
        self.item.removeItem(self._bars.pop(name))

    def _name_rows(self) -> None:
        titles = self._titles()
        room = max(1, int(self.view.height() // NAME_HEIGHT)) if self._order else 1
        step = max(1, -(-len(self._order) // room))
        ticks = [(row, titles[k]) for row, k in enumerate(self._order) if row % step == 0]
        axis = self.item.getAxis("left")
        axis.setTicks([ticks])
        axis.setGrid(False)
