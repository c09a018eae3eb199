"""The contact sheet: many faces at once with labels, predictions, name and error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from fkp_studio.face.face import Face, read_faces
from fkp_studio.face.images import ImageCache, to_image
from fkp_studio.face.marks import Display
from fkp_studio.face.tone import apply_tone
from fkp_studio.face.words import nothing_here
from fkp_studio.look.style import assets, theme
from fkp_studio.views.canvas.sheet.grid import SheetGrid, Tile

if TYPE_CHECKING:
    from fkp_studio.document.changes import Changes
    from fkp_studio.document.session import Session
    from fkp_studio.document.store import ProjectStore

COUNTS = (9, 16, 25)
SIDE = 384  # px, the largest side of images on a page


class ContactSheet(QWidget):
    """The page of the gallery's order that holds the current face. Reads nothing while hidden."""

    chosen = Signal()  # a face was clicked and is now the session's current one

    def __init__(self, session: Session, parent: QWidget | None = None, *, images: ImageCache | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._own_images = images is None
        self._images = images or ImageCache(self)
        self._store: ProjectStore | None = None
        self._count = COUNTS[1]
        self._ids: list[int] = []
        self._tiles: list[Tile] = []
        self._display = Display()
        self.grid = SheetGrid()
        self.sentence = QLabel()
        self.sentence.setProperty("role", "dim")
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.where = QLabel()
        self.previous_button = _tool("previous", "Previous page")
        self.next_button = _tool("next", "Next page")
        self.count_buttons = [_count_button(n) for n in COUNTS]
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self.refresh)
        self._lay_out()
        self._connect()
        self._on_project_changed()

    def _lay_out(self) -> None:
        self.where.setFont(theme.table_font())
        self.where.setProperty("role", "dim")
        row = QHBoxLayout()
        row.setContentsMargins(12, 6, 8, 0)
        row.setSpacing(4)
        row.addWidget(self.where)
        row.addStretch()
        for button in (*self.count_buttons, self.previous_button, self.next_button):
            row.addWidget(button)
        row.insertSpacing(row.count() - 2, 12)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self.grid, 1)
        column.addWidget(self.sentence, 1)
        self.setFocusProxy(self.grid)

    def _connect(self) -> None:
        group = QButtonGroup(self)
        for count, button in zip(COUNTS, self.count_buttons, strict=True):
            group.addButton(button)
            button.clicked.connect(lambda _=False, n=count: self.set_count(n))
        self.previous_button.clicked.connect(lambda: self.page(-1))
        self.next_button.clicked.connect(lambda: self.page(1))
        self.grid.chosen.connect(self._on_chosen)
        self.grid.stepped.connect(self._on_stepped)
        for signal in (self._session.sample_changed, self._session.run_changed, self._session.order_changed):
            signal.connect(self._refresh_later)
        self._session.project_changed.connect(self._on_project_changed)
        self._images.ready.connect(self._on_image_ready)
        theme.current().changed.connect(self.grid.update)

    def set_count(self, count: int) -> None:
        """Show 9, 16 or 25 faces per page."""
        self._count = count
        self.refresh()

    def page(self, step: int) -> None:
        """Turn `step` pages; the current face becomes the one at the same position of the new page."""
        self._on_stepped(step * self._count)

    def set_display(self, display: Display) -> None:
        """Use the canvas's marks and tone."""
        tone_changed = display.tone != self._display.tone
        self._display = display
        self.grid.set_display(display)
        if tone_changed:
            self.refresh()

    @property
    def ids(self) -> list[int]:
        """The sample ids of the page, in order."""
        return list(self._ids)

    def refresh(self) -> None:
        """Read the page again."""
        if not self.isVisible():
            return
        store, order = self._session.store, self._session.order
        at = max(self._session.place(self._session.sample_id), 0)
        first = at // self._count * self._count
        self._ids = [int(i) for i in order[first : first + self._count]]
        faces = read_faces(store, self._ids, run=self._session.run) if store is not None and self._ids else []
        self._tiles = [self._tile(face) for face in faces]
        current = self._ids.index(self._session.sample_id) if self._session.sample_id in self._ids else -1
        schema = store.schema if store is not None else None
        self.grid.show_tiles(self._tiles, schema=schema, across=round(self._count**0.5), current=current)
        self._images.request(order[first + self._count : first + 2 * self._count], side=SIDE)
        self._images.request(self._ids, side=SIDE)
        self._say(first, len(order))

    def _say(self, first: int, total: int) -> None:
        here = bool(self._ids)
        self.grid.setVisible(here)
        self.sentence.setVisible(not here)
        filtered = self._session.store is not None and len(self._session.store.ids()) > 0
        empty = "No face matches the filter." if filtered else nothing_here(self._session, None)
        self.sentence.setText("" if here else empty)
        self.where.setText(f"{first + 1:,}–{first + len(self._ids):,} of {total:,}" if here else "")
        self.previous_button.setEnabled(first > 0)
        self.next_button.setEnabled(first + self._count < total)
        for count, button in zip(COUNTS, self.count_buttons, strict=True):
            button.setChecked(count == self._count)

    def _tile(self, face: Face) -> Tile:
        image = self._images.get(face.sample_id, side=SIDE)
        if image is None:
            return Tile(face)
        if image.problem:
            return Tile(face, problem="This image can't be read.")
        return Tile(face, to_image(apply_tone(self._display.tone, image.levels[0])))

    def _on_image_ready(self, sample_id: int) -> None:
        if self.isVisible() and sample_id in self._ids:
            place = self._ids.index(sample_id)
            if self._tiles[place].image is None:
                self.grid.set_tile(place, self._tile(self._tiles[place].face))

    def _on_chosen(self, place: int) -> None:
        self._session.set_sample(self._ids[place])
        self.chosen.emit()

    def _on_stepped(self, step: int) -> None:
        self._session.next_sample(step)

    def _on_project_changed(self) -> None:
        if self._store is not None:
            self._store.changed.disconnect(self._on_store_changed)
        self._store = self._session.store
        if self._store is not None:
            self._store.changed.connect(self._on_store_changed)
        if self._own_images:
            self._images.set_project(self._store.project.address if self._store is not None else None)
        self._refresh_later()

    def _on_store_changed(self, changes: Changes) -> None:
        if changes.may_touch(self._ids):
            self._refresh_later()

    def _refresh_later(self) -> None:
        if self.isVisible():
            self._later.start(0)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        self.grid.update()


def _tool(icon: str, text: str) -> QToolButton:
    button = QToolButton()
    button.setIcon(assets.icon(icon))
    button.setToolTip(text)
    button.setAccessibleName(text)
    return button


def _count_button(count: int) -> QToolButton:
    button = QToolButton()
    button.setText(str(count))
    button.setCheckable(True)
    button.setAccessibleName(f"{count} faces per page")
    button.setToolTip(f"{count} faces per page")
    return button
