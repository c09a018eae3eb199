"""Creates the panels that are not needed for the first face: training, runs and plots."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from fkp_studio import dialogs, views
from fkp_studio.background.tasks import run_task
from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.views.canvas.view import CanvasView
from fkp_studio.window import pages

if TYPE_CHECKING:
    from fkp_studio.views.runs.train_panel import TrainingPanel


MODULES = (
    *(f"fkp_studio.views.plots.{name}" for name in ("ced", "loss", "per_keypoint")),
    *(f"fkp_studio.views.runs.{name}" for name in ("panel", "train_panel")),
    "numpy.ma",  # imported by the first np.unique: 20 ms, in the middle of the first drag
)
LATEST_MS = 400  # after the start, if there is no face to wait for


class FirstFace(QObject):
    """Emits `painted` once, after the first face is painted, at the latest LATEST_MS after the start."""

    painted = Signal()

    def __init__(self, view: CanvasView) -> None:
        super().__init__(view)
        self._view = view
        self._told = False
        view.viewport().installEventFilter(self)
        QTimer.singleShot(LATEST_MS, self, self._tell)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and self._view.shown_face is not None:
            QTimer.singleShot(0, self, self._tell)
        return super().eventFilter(watched, event)

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._view.viewport().removeEventFilter(self)
            self.painted.emit()


def import_modules() -> None:
    """Import the modules needed soon; the plotting library takes half a second. For a background thread."""
    for name in MODULES:
        importlib.import_module(name)


def import_windows() -> None:
    """Import the modules of all dialogs, so that each opens without delay. For a background thread."""
    for package in (dialogs, pages, views):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)


class Panels(QObject):
    """Makes one panel per turn of the event loop.

    training: the training panel, None until it is made.
    """

    made = Signal(str, object)  # part, widget
    ready = Signal()  # all exist

    def __init__(self, session: Session, jobs: Jobs) -> None:
        super().__init__(jobs)
        self._session, self._jobs = session, jobs
        self.training: TrainingPanel | None = None

    def make(self) -> None:
        """Import the modules in the background, then make the widgets; `made` is emitted for each."""
        run_task(import_modules, done=lambda _none: self._make_next(list(self._makers())), owner=self)

    def _makers(self) -> dict[str, Callable[[Session, Jobs], QWidget]]:
        from fkp_studio.views.plots.ced import CedPlot
        from fkp_studio.views.plots.loss import LossPlot
        from fkp_studio.views.plots.per_keypoint import KeypointPlot
        from fkp_studio.views.runs.panel import RunsPanel
        from fkp_studio.views.runs.train_panel import TrainingPanel

        return {
            "training": TrainingPanel,
            "runs": RunsPanel,
            "loss": LossPlot,
            "ced": CedPlot,
            "per_keypoint": KeypointPlot,
        }

    def _make_next(self, parts: list[str]) -> None:
        if not parts:
            self.ready.emit()
            run_task(import_windows, owner=self)
            return
        part, *rest = parts
        widget = self._makers()[part](self._session, self._jobs)
        if part == "training":
            self.training = cast("TrainingPanel", widget)
        self.made.emit(part, widget)
        QTimer.singleShot(0, self, lambda: self._make_next(rest))
