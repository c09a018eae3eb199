"""The central widget: the canvas with its walk bar, the contact sheet, or the photo page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from fkp_studio.face.images import ImageCache
from fkp_studio.views.canvas.box_page import BoxPage
from fkp_studio.views.canvas.sheet.contact_sheet import ContactSheet
from fkp_studio.views.canvas.view import CanvasView
from fkp_studio.views.canvas.walk.bar import WalkBar

if TYPE_CHECKING:
    from fkp_studio.document.session import Session


class CanvasPanel(QWidget):
    """Shows one of: `view` with its walk bar, `sheet`, `box_page`."""

    hint = Signal(str)  # a short sentence for the status bar
    contact_sheet_shown = Signal(bool)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        images = ImageCache(self)
        self.view = CanvasView(session, images=images)
        self.walk_bar = WalkBar(session, self.view.editor)
        self.sheet = ContactSheet(session, images=images)
        self.box_page = BoxPage(session)
        self._face = QWidget()
        column = QVBoxLayout(self._face)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.view, 1)
        column.addWidget(self.walk_bar)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._face)
        self._stack.addWidget(self.sheet)
        self._stack.addWidget(self.box_page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._stack)
        self.setFocusProxy(self.view)
        self.view.editor.hint.connect(self.hint)
        self.view.display_changed.connect(self.sheet.set_display)
        self.sheet.chosen.connect(self.show_face)
        self.box_page.closed.connect(self.show_face)
        self.box_page.refused.connect(self.hint)

    @property
    def shows_sheet(self) -> bool:
        """Whether the contact sheet is shown."""
        return self._stack.currentWidget() is self.sheet

    def toggle_contact_sheet(self) -> None:
        """Switch between the face and the contact sheet."""
        if self.shows_sheet:
            self.show_face()
        else:
            self._show(self.sheet)

    def show_face(self) -> None:
        self._show(self._face)

    def draw_box(self) -> None:
        """Let the user draw the current face's box in its photo."""
        self._show(self.box_page)
        self.box_page.begin()

    def add_face(self) -> None:
        """Let the user draw the box of another face in the current face's photo."""
        self._show(self.box_page)
        self.box_page.begin(adding=True)

    def _show(self, page: QWidget) -> None:
        former = self._stack.currentWidget()
        if page is former:
            return
        self._stack.setCurrentWidget(page)
        self.setFocusProxy(self.view if page is self._face else page)
        self.setFocus()
        if former is self.box_page:
            self.box_page.end()
        if self.sheet in (page, former):
            self.contact_sheet_shown.emit(page is self.sheet)
