"""The main window: menus, start page and canvas, and the connections between the window's parts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import QMenu, QStackedWidget, QWidget

from fkp_studio.look.style import theme
from fkp_studio.window.arrangement.docks import Title, fill
from fkp_studio.window.bars.lost_banner import LostBanner, stacked
from fkp_studio.window.bars.menus import Menus
from fkp_studio.window.bars.top_bar import TopBar
from fkp_studio.window.closing import ask_to_leave, may_close
from fkp_studio.window.contents import Contents
from fkp_studio.window.handlers import handlers
from fkp_studio.window.later_panels import FirstFace
from fkp_studio.window.lost_project import LostProject
from fkp_studio.window.pages.welcome import WelcomePage

if TYPE_CHECKING:
    from fkp_studio.document.settings import Settings
    from fkp_studio.views.plots.per_keypoint import KeypointPlot
    from fkp_studio.views.runs.panel import RunsPanel
    from fkp_studio.views.runs.train_panel import TrainingPanel

WIDE = 1500  # px: on a narrower screen the window starts maximised


class MainWindow(Contents):
    """One window, one project."""

    complete = Signal()  # all panels exist; some are made only after the first face is on the screen

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(settings, parent)
        self.setWindowTitle("FKP Studio")
        self.setAcceptDrops(True)
        self.menus = Menus(self, handlers(self))
        self._build()
        self._connect()
        self._on_project_changed()

    def _build(self) -> None:
        self.welcome = WelcomePage({n: a.trigger for n, a in self.menus.actions.items()}, self.opener.open)
        self._pages = QStackedWidget()
        self._pages.addWidget(self.welcome)
        self._pages.addWidget(self.canvas)
        self.setCentralWidget(self._pages)
        self.top_bar, self.lost_banner = TopBar(self.menus), LostBanner()
        self.lost = LostProject(self.session, self.lost_banner, self, close=self.opener.close_project)
        self.setMenuWidget(stacked(self.top_bar, self.lost_banner))
        self._recent_menu = QMenu("Open recent", self)
        self._recent_menu.aboutToShow.connect(self._fill_recent)
        self.menus.fill(self.top_bar.menu_bar, extra={"File": self._recent_menu, "View": self._panels_menu()})
        self.setStatusBar(self.status)

    def _panels_menu(self) -> QMenu:
        menu = QMenu("Panels", self)
        for dock in self.docks.values():
            menu.addAction(dock.toggleViewAction())
        return menu

    def _connect(self) -> None:
        session = self.session
        session.project_changed.connect(self._on_project_changed)
        for signal in (session.sample_changed, session.run_changed):
            signal.connect(self._on_place_changed)
        self.workspaces.changed.connect(self._on_workspace_changed)
        self.settings.changed.connect(self._apply_setting)
        self.status.follow(self.jobs)
        self.canvas.view.display_changed.connect(lambda shown: self.settings.set("point_size", round(shown.point_size)))
        self.canvas.hint.connect(self.status.show_hint)
        self.gallery.hint.connect(self.status.show_hint)
        self.gallery.opened.connect(self._work_on_face)
        self.gallery.open_wanted.connect(self.opener.choose_project)
        self.opener.demo_progress.connect(self.welcome.show_progress)
        self.opener.demo_ended.connect(self.welcome.end_progress)
        self.panels.made.connect(self._on_panel_made)
        self.panels.ready.connect(self._on_panels_ready)

    def _on_panel_made(self, part: str, widget: QWidget) -> None:
        fill(self.docks[part], widget)
        if part == "training":
            training = cast("TrainingPanel", widget)
            training.height_wanted.connect(partial(self.workspaces.settle, part))
            training.search_wanted.connect(self.menus.actions["random_search"].trigger)
        elif part == "runs":
            cast("RunsPanel", widget).offsets_wanted.connect(self.menus.actions["offsets"].trigger)
        elif part == "per_keypoint":
            cast("KeypointPlot", widget).faces_wanted.connect(self._show_worst)

    def _show_worst(self, ids: np.ndarray, title: str, run: str, keypoint: int) -> None:
        self.session.set_run(run)
        self.session.set_keypoint(keypoint)
        self.show_faces(ids, title, in_order=True)
        self.session.set_sample(int(ids[0]))

    def _on_panels_ready(self) -> None:
        for key in ("point_size", "thumbnail_size", "minutes", "device"):
            self._apply_setting(key)
        self.complete.emit()

    # ---- what the session says

    def _on_project_changed(self) -> None:
        store = self.session.store
        name = store.project.path.name if store is not None else ""
        self.setWindowTitle(f"{name} – FKP Studio" if name else "FKP Studio")
        self.top_bar.set_project(name)
        self._pages.setCurrentWidget(self.canvas if name else self.welcome)
        if name and not self.workspaces.shown:
            self.workspaces.start()
            self.canvas.setFocus()
        elif not name and self.workspaces.shown:
            self.workspaces.end()
        if not name:
            self.welcome.show_recent(self.settings.recent())
            self.welcome.setFocus()
        if store is not None:
            store.changed.connect(self._note_counts)
        self._on_place_changed()

    def _on_place_changed(self) -> None:
        session = self.session
        self.menus.set_present(project=session.store is not None, face=session.sample_id >= 0, run=bool(session.run))
        self._note_counts()

    def _note_counts(self) -> None:
        """Show in the title of the points panel how many points of this face are known."""
        session, title = self.session, self.docks["points"].titleBarWidget()
        if isinstance(title, Title):
            known = ""
            if session.store is not None and session.sample_id >= 0:
                count = len(session.store.schema)
                known = f"{count - int(session.store.index().missing[session.sample_id - 1])}/{count}"
            title.note.setText(known)

    def _on_workspace_changed(self, name: str) -> None:
        self.top_bar.workspaces.set_current(name)
        for space in self.top_bar.workspaces.buttons:
            self.menus.actions[space].setChecked(space == name)

    def _apply_setting(self, key: str) -> None:
        value = self.settings.get(key)
        if key == "theme":
            theme.current().set_mode(value)
        elif key == "point_size":
            self.canvas.view.set_display(replace(self.canvas.view.display, point_size=float(value)))
        elif key == "thumbnail_size":
            self.gallery.set_thumbnail_size(value)
        elif self.panels.training is not None:
            self.panels.training.set_default(**{key: value})

    def _work_on_face(self, _sample_id: int) -> None:
        """Show the face opened in the gallery on the canvas and give the canvas the focus."""
        self.canvas.show_face()
        self.canvas.setFocus()

    def _fill_recent(self) -> None:
        self._recent_menu.clear()
        for path in self.settings.recent():
            self._recent_menu.addAction(str(path), partial(self.opener.open, path))
        if self._recent_menu.isEmpty():
            self._recent_menu.addAction("No recent projects").setEnabled(False)

    def open_at_start(self, what: Path | None) -> None:
        """Open `what` (None: the last project); make the remaining panels after the first face is painted."""
        self.opener.open_at_start(what)
        FirstFace(self.canvas.view).painted.connect(self.panels.make)

    # ---- Qt

    def restore(self) -> None:
        """Restore the window's last size and position."""
        if not self.restoreGeometry(self.settings.state("geometry")):
            room = self.screen().availableSize()
            self.resize(room * 0.9)
            if room.width() < WIDE:
                self.setWindowState(Qt.WindowState.WindowMaximized)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.welcome.show_recent(self.settings.recent())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.opener.open(paths[0])

    def closeEvent(self, event: QCloseEvent) -> None:
        if not (ask_to_leave(self.jobs, self) and may_close(self.session.store, self)):
            event.ignore()
            return
        self.settings.set_state("geometry", self.saveGeometry())
        self.workspaces.keep()
        self.opener.stop()
        self.hide()
        self.jobs.close()
        self.session.close_project()  # every view ends its threads
        event.accept()
