"""The main window: creates the panels, puts them in docks and connects them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import QDialog, QDockWidget, QMainWindow, QMenu, QMessageBox, QStackedWidget, QWidget

from fkp_studio.document.session import Session
from fkp_studio.document.settings import Settings
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.look.style import theme
from fkp_studio.views.canvas.panel import CanvasPanel
from fkp_studio.views.gallery.panel import GalleryPanel
from fkp_studio.views.points.table import PointsPanel
from fkp_studio.window.arrangement.docks import Title, fill, make_dock
from fkp_studio.window.arrangement.later_panels import FirstFace, Panels
from fkp_studio.window.arrangement.workspaces import PARTS, Workspaces
from fkp_studio.window.bars.menus import Menus
from fkp_studio.window.bars.status_bar import StatusBar
from fkp_studio.window.bars.top_bar import TopBar
from fkp_studio.window.beside import show_beside
from fkp_studio.window.closing import ask_to_leave, wait_for_writing
from fkp_studio.window.handlers import handlers
from fkp_studio.window.opening import Opener
from fkp_studio.window.pages.welcome import WelcomePage
from training import __version__
from training.storage.project.edits.take_back import take_back

SMALLEST = QSize(960, 600)  # px
WIDE = 1500  # px: on a narrower screen the window starts maximised


class MainWindow(QMainWindow):
    """One window, one project."""

    complete = Signal()  # all panels exist; some are made only after the first face is on the screen

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("main_window")
        self.setWindowTitle("FKP Studio")
        self.setMinimumSize(SMALLEST)
        self.setAcceptDrops(True)
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
        fill(self.docks["gallery"], self.gallery)
        fill(self.docks["points"], self.points)
        for part, dock in self.docks.items():
            if part in ("gallery", "points"):
                self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
            else:
                self.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
            dock.hide()
        self.top_bar = TopBar(self.menus)
        self.setMenuWidget(self.top_bar)
        self._recent_menu = QMenu("Open recent", self)
        self._recent_menu.aboutToShow.connect(self._fill_recent)
        self.menus.fill(self.top_bar.menu_bar, extra={"File": self._recent_menu, "View": self._panels_menu()})
        self.status = StatusBar(self.session, self)
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
        self.panels.height_wanted.connect(self.workspaces.settle)

    def _on_panel_made(self, part: str, widget: QWidget) -> None:
        fill(self.docks[part], widget)
        if part == "runs":
            widget.offsets_wanted.connect(self.show_offsets)  # type: ignore[attr-defined]  # as below
        if part == "per_keypoint":
            widget.faces_wanted.connect(self._show_worst)  # type: ignore[attr-defined]  # imported later

    def _show_worst(self, ids: np.ndarray, title: str, run: str, keypoint: int) -> None:
        self.session.set_run(run)
        self.session.set_keypoint(keypoint)
        self._show_faces(ids, title, in_order=True)
        self.session.set_sample(int(ids[0]))

    def _show_faces(self, ids: np.ndarray, title: str, *, in_order: bool = False) -> None:
        self.docks["gallery"].show()
        self.gallery.show_ids(ids, title, in_order=in_order)

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
        else:
            self.panels.set_default(key, value)

    def _work_on_face(self, _sample_id: int) -> None:
        """Show the face opened in the gallery on the canvas and give the canvas the focus."""
        self.canvas.show_face()
        self.canvas.setFocus()

    # ---- actions that belong to neither the session nor a panel

    def show_export(self) -> None:
        from fkp_studio.dialogs.exchange.export_dialog import ExportDialog

        ExportDialog(self.session, self).open()

    def show_keypoints(self) -> None:
        """Show the dialog for mirror pairs and the normaliser."""
        from fkp_studio.window.pages.keypoints_dialog import KeypointsDialog

        if self.session.store is not None:
            KeypointsDialog(self.session.store, self).open()

    def show_accept(self) -> None:
        """Show the dialog that accepts predictions of the chosen run in many faces."""
        from fkp_studio.dialogs.review.accept_dialog import AcceptDialog

        AcceptDialog(self.session, self.jobs, self.session.run, self).open()

    def show_confidence(self) -> None:
        """Show whether the chosen run's confidences are calibrated."""
        from fkp_studio.dialogs.review.confidence_dialog import ConfidenceDialog

        run = self.session.run
        if self.session.store is not None and run:
            show_beside(
                self,
                ConfidenceDialog,
                lambda: ConfidenceDialog(self.session, self.jobs, self),
                same=lambda d: d.run == run,
            )

    def take_back(self) -> None:
        """Unset all points accepted from the chosen run."""
        if self.session.store is not None and self.session.run:
            run = self.session.run
            self.session.store.edit(lambda project: take_back(project, run))

    def next_incomplete(self) -> None:
        """Go to the next face with missing points; show a hint if there is none."""
        if not self.session.next_incomplete():
            self.status.show_hint("No other face in the gallery has missing points.")

    def train(self) -> None:
        self.panels.train()

    def show_augmentation(self) -> None:
        self.panels.show_augmentation()

    def show_compare(self) -> None:
        self.panels.show_compare()

    def show_poses(self) -> None:
        from fkp_studio.dialogs.poses.dialog import PosesDialog

        def make() -> PosesDialog:
            dialog = PosesDialog(self.session, self)
            dialog.faces_wanted.connect(self._show_faces)
            dialog.use_wanted.connect(self.panels.balance_by_pose)
            return dialog

        show_beside(self, PosesDialog, make)

    def show_live(self) -> None:
        """Show the window for a camera or a video."""
        from fkp_studio.views.live.window import LiveWindow

        show_beside(self, LiveWindow, lambda: LiveWindow(self.session, self))

    def show_offsets(self) -> None:
        """Show the dialog that detects and corrects a shift of the labels."""
        from fkp_studio.dialogs.review.offsets_dialog import OffsetsDialog

        OffsetsDialog(self.session, self).open()

    def show_adjust(self) -> None:
        """Show the dialog that calibrates the chosen run to the user's labels."""
        from fkp_studio.dialogs.review.adjust_dialog import AdjustDialog

        AdjustDialog(self.session, self.jobs, self).open()

    def show_protocol(self) -> None:
        """Show the evaluation by protocol, for the chosen run, else for the one with the smallest error."""
        from fkp_studio.dialogs.experiments.protocol_dialog import ProtocolDialog

        folder = self.jobs.book.folder  # a starter, which lies elsewhere, is not a run of the project
        runs = [info for info in self.jobs.book.infos() if info.has_model and info.run.path.parent == folder]
        best = min(runs, key=lambda info: info.least_error, default=None)
        if self.session.store is None or best is None:
            self.status.show_hint("No model to evaluate yet: train one first.")
            return
        names = [info.name for info in runs]
        chosen = self.session.run if self.session.run in names else best.name
        ProtocolDialog(self.session.store, chosen, self, runs=names).open()

    def show_experiments(self) -> None:
        from fkp_studio.dialogs.experiments.dialog import ExperimentsDialog

        if self.session.store is not None:
            show_beside(self, ExperimentsDialog, lambda: ExperimentsDialog(self.session, self.jobs, self))

    def show_random_search(self) -> None:
        self.panels.show_random_search()

    def stop_training(self) -> None:
        """Stop all trainings; their best models are kept."""
        self.jobs.experiments.stop()
        for name in self.jobs.queue.training():
            self.jobs.stop(name)

    def close_project(self) -> None:
        """Go back to the start page, once large changes are written."""
        if wait_for_writing(self.session.store, self):
            self.session.close_project()

    def show_settings(self) -> None:
        from fkp_studio.window.pages.settings_dialog import SettingsDialog

        SettingsDialog(self.settings, self).open()

    def show_search(self) -> None:
        """Show the search for actions, faces and runs."""
        from fkp_studio.window.pages.command_palette import SearchDialog

        SearchDialog(self.session, self.menus, self.jobs.book.names(), parent=self).open()

    def show_keys(self) -> None:
        from fkp_studio.window.pages.shortcuts import ShortcutsOverlay

        self._centred(ShortcutsOverlay(self)).open()

    def show_about(self) -> None:
        text = (
            f"<b>FKP Studio {__version__}</b><br>A workbench for facial keypoints.<br>"
            "Apache-2.0. Uses Qt, PySide6 and pyqtgraph."
        )
        QMessageBox(QMessageBox.Icon.NoIcon, "About", text, QMessageBox.StandardButton.Ok, self).open()

    def toggle_theme(self) -> None:
        self.settings.set("theme", "light" if theme.colours().dark else "dark")

    def toggle_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def _centred(self, dialog: QDialog) -> QDialog:
        dialog.adjustSize()
        rect = dialog.rect()
        rect.moveCenter(self.geometry().center())
        dialog.move(rect.topLeft())
        return dialog

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
        if not (ask_to_leave(self.jobs, self) and wait_for_writing(self.session.store, self)):
            event.ignore()
            return
        self.settings.set_state("geometry", self.saveGeometry())
        self.workspaces.keep()
        self.opener.stop()
        self.hide()
        self.jobs.close()
        self.session.close_project()  # every view ends its threads
        event.accept()
