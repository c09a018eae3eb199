"""The window's parts and its four layouts. Changes to a layout are saved per workspace and can be reset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QByteArray, QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QDockWidget, QMainWindow

from fkp_studio.document.settings import Settings

ARRIVING_MS = 1000  # after the parts are shown the system may still resize the window
VERSION = 1  # of saved layouts: increase it when parts are added or removed
LEFT, RIGHT, BOTTOM = (
    Qt.DockWidgetArea.LeftDockWidgetArea,
    Qt.DockWidgetArea.RightDockWidgetArea,
    Qt.DockWidgetArea.BottomDockWidgetArea,
)


@dataclass(frozen=True)
class Part:
    """A dock: its id, title and default area."""

    id: str
    title: str
    area: Qt.DockWidgetArea


PARTS: tuple[Part, ...] = (
    Part("gallery", "Gallery", LEFT),
    Part("points", "Points", RIGHT),
    Part("training", "Train", RIGHT),
    Part("runs", "Runs", RIGHT),
    Part("loss", "Loss", BOTTOM),
    Part("ced", "CED", BOTTOM),
    Part("per_keypoint", "Error per keypoint", BOTTOM),
)


@dataclass(frozen=True)
class Workspace:
    """A layout: the parts shown, and the fractions of the window that left, right and bottom take.

    tall: the parts of the right column and their fractions of its height.
    """

    id: str  # the id of the action that shows it
    title: str
    left: float
    right: float
    bottom: float
    tall: Mapping[str, float]
    plots: tuple[str, ...] = ("loss", "ced", "per_keypoint")


WORKSPACES: tuple[Workspace, ...] = (
    Workspace("look", "Look", 0.23, 0.25, 0.27, {"points": 0.56, "training": 0.18, "runs": 0.26}),
    Workspace("label", "Label", 0.15, 0.26, 0.0, {"points": 1.0}, plots=()),
    Workspace("review", "Review", 0.36, 0.26, 0.0, {"points": 0.62, "runs": 0.38}, plots=()),
    Workspace("compare_runs", "Compare", 0.0, 0.25, 0.68, {"training": 0.24, "runs": 0.76}),
)
BY_ID = {w.id: w for w in WORKSPACES}


class Workspaces(QObject):
    """Shows one workspace at a time and saves the user's changes to each."""

    changed = Signal(str)  # the id of the one now shown

    def __init__(self, window: QMainWindow, docks: Mapping[str, QDockWidget], settings: Settings) -> None:
        super().__init__(window)
        self._window, self._docks, self._settings = window, docks, settings
        self.current = ""
        self.shown = False  # whether the parts are shown: not on the start page
        self._arriving = QTimer(self, singleShot=True, interval=ARRIVING_MS)
        window.installEventFilter(self)

    def start(self) -> None:
        """Show the parts in their last layout."""
        self.shown = True
        self._arriving.start()
        name = self._settings.text("workspace", WORKSPACES[0].id)
        self._show(name if name in BY_ID else WORKSPACES[0].id)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Lay out again on a resize just after the start: a maximised window gets its size only after it is shown."""
        if event.type() == QEvent.Type.Resize and watched is self._window and self.arriving:
            QTimer.singleShot(0, self, lambda: self._show(self.current) if self.shown else None)
        return super().eventFilter(watched, event)

    @property
    def arriving(self) -> bool:
        """Whether the parts were shown less than ARRIVING_MS ago."""
        return self._arriving.isActive()

    def end(self) -> None:
        """Save the layout and hide all parts, for the start page."""
        self.keep()
        self.shown = False
        for dock in self._docks.values():
            dock.hide()

    def switch(self, name: str) -> None:
        """Save the layout of the current workspace and show another."""
        if not self.shown:
            return
        if name != self.current:
            self.keep()
        self._show(name)

    def keep(self) -> None:
        """Save the current layout for this workspace."""
        if self.shown and self.current:
            self._settings.set_state(f"workspace/{self.current}", self._window.saveState(VERSION))
            self._settings.set_text("workspace", self.current)

    def reset(self) -> None:
        """Restore the default layout of the current workspace."""
        if self.shown and self.current:
            self._settings.set_state(f"workspace/{self.current}", QByteArray())
            self._show(self.current)

    def settle(self, part: str, height: int) -> None:
        """Give a part in a side column this content height (px), and its neighbours the rest."""
        dock = self._docks[part]
        column = self._window.dockWidgetArea(dock) in (LEFT, RIGHT) and not dock.isFloating()
        if self.shown and dock.isVisible() and column and not self._window.tabifiedDockWidgets(dock):
            title = dock.titleBarWidget()
            self._window.resizeDocks([dock], [height + (title.height() if title else 0)], Qt.Orientation.Vertical)

    def _show(self, name: str) -> None:
        self.current = name
        kept = self._settings.state(f"workspace/{name}")
        if kept.isEmpty() or not self._window.restoreState(kept, VERSION):
            self._lay_out(BY_ID[name])
        self._settings.set_text("workspace", name)
        self.changed.emit(name)

    def _lay_out(self, workspace: Workspace) -> None:
        for part in PARTS:
            dock = self._docks[part.id]
            dock.setFloating(False)
            self._window.removeDockWidget(dock)
        wanted = (*(("gallery",) if workspace.left else ()), *workspace.tall, *workspace.plots)
        for part in (p for p in PARTS if p.id in wanted):
            split = Qt.Orientation.Horizontal if part.area == BOTTOM else Qt.Orientation.Vertical
            self._window.addDockWidget(part.area, self._docks[part.id], split)
            self._docks[part.id].show()
        for part in (p for p in PARTS if p.id not in wanted):
            self._window.addDockWidget(part.area, self._docks[part.id])
            self._docks[part.id].hide()
        self._measure(workspace)
        QTimer.singleShot(0, self, lambda: self._measure(workspace))  # again once the parts' size hints are known

    def _measure(self, workspace: Workspace) -> None:
        width, height = self._window.width(), self._window.height()
        side = [
            (part, share)
            for part, share in (("gallery", workspace.left), (next(iter(workspace.tall)), workspace.right))
            if share
        ]
        self._resize({part: share * width for part, share in side}, Qt.Orientation.Horizontal)
        if workspace.plots:
            self._resize({workspace.plots[0]: workspace.bottom * height}, Qt.Orientation.Vertical)
            self._resize(
                dict.fromkeys(workspace.plots, (1 - workspace.right) * width / len(workspace.plots)),
                Qt.Orientation.Horizontal,
            )
        self._resize({part: share * height for part, share in workspace.tall.items()}, Qt.Orientation.Vertical)

    def _resize(self, sizes: Mapping[str, float], orientation: Qt.Orientation) -> None:
        self._window.resizeDocks([self._docks[p] for p in sizes], [round(s) for s in sizes.values()], orientation)
