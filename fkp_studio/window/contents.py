"""What the main window holds: the session, the jobs, and the panels in their docks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QWidget

from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.views.canvas.panel import CanvasPanel
from fkp_studio.views.gallery.panel import GalleryPanel
from fkp_studio.views.points.table import PointsPanel
from fkp_studio.window.arrangement.docks import fill, make_dock
from fkp_studio.window.arrangement.workspaces import PARTS, Workspaces
from fkp_studio.window.bars.status_bar import StatusBar
from fkp_studio.window.later_panels import Panels
from fkp_studio.window.opening import Opener

if TYPE_CHECKING:
    import numpy as np

    from fkp_studio.document.settings import Settings
    from fkp_studio.window.bars.menus import Menus

SMALLEST = QSize(960, 600)  # px


class Contents(QMainWindow):
    """The objects that actions and dialogs act on. The main window connects them and adds menus and the top bar."""

    menus: Menus

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("main_window")
        self.setMinimumSize(SMALLEST)
        self.setDockOptions(QMainWindow.DockOption.AllowNestedDocks | QMainWindow.DockOption.AllowTabbedDocks)
        self.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        self.settings = settings
        self.session = Session(self)
        self.opener = Opener(self.session, settings, self)
        self.jobs = Jobs(self.session, self)
        self.docks: dict[str, QDockWidget] = {part.id: make_dock(part, self) for part in PARTS}
        self.workspaces = Workspaces(self, self.docks, settings)
        self.canvas = CanvasPanel(self.session)
        self.gallery = GalleryPanel(self.session)
        self.points = PointsPanel(self.session, current=self.canvas.view.current)
        self.panels = Panels(self.session, self.jobs)
        self.status = StatusBar(self.session, self)
        self._fill_docks()

    def _fill_docks(self) -> None:
        """Put gallery and points into their docks; the others stay empty until their panels are made."""
        early: dict[str, QWidget] = {"gallery": self.gallery, "points": self.points}
        for part, dock in self.docks.items():
            if part in early:
                fill(dock, early[part])
                self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
            else:
                self.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
            dock.hide()

    def show_faces(self, ids: np.ndarray, title: str, *, in_order: bool = False) -> None:
        """Show only these faces in the gallery, under this title."""
        self.docks["gallery"].show()
        self.gallery.show_ids(ids, title, in_order=in_order)
