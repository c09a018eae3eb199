"""The photo page: shows the whole photo of the current face, to redraw the face's box or add a face that was missed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from fkp_studio.background.tasks import Task, run_task
from fkp_studio.document.members import add
from fkp_studio.face.images import REDUCED_SIDE, reduced, to_image
from fkp_studio.look.style import theme
from training.errors import UserError
from training.faces.images.crops import square_crop
from training.faces.images.reading import read_image
from training.storage.project.edits.crop_again import crop_again, photo_of
from training.storage.project.identity import Place
from training.storage.project.project import Project
from training.storage.runs.model.starters import room_for

if TYPE_CHECKING:
    from fkp_studio.document.session import Session

MARGIN = 16  # screen pixels round the photo
LEAST = 8.0  # screen pixels: a shorter drag is ignored
HINT = (
    "Drag a box around the face, from eyebrows to chin and from ear to ear. "
    "The dashed square is the crop that models see."
)
ADD_HINT = (
    "Drag a box around the missed face, from eyebrows to chin and from ear to ear. "
    "Dashed squares mark the faces that already exist."
)


@dataclass(frozen=True)
class ShownPhoto:
    """A photo ready to show, possibly smaller than its file (width x height px). Crops are in px of the file."""

    image: QImage
    width: int
    height: int
    crop: tuple[int, int, int] | None
    others: tuple[tuple[int, int, int], ...]
    room: float  # margin around the drawn box


def read_photo(project: Place, sample_id: int) -> ShownPhoto:
    """Read the photo of a sample. Raises UserError. For a background thread."""
    with Project.open(project, read_only=True) as opened:
        photo, room = photo_of(opened, sample_id), room_for(opened.schema)
    pixels = read_image(photo.path, channels=3)
    height, width = pixels.shape[:2]
    return ShownPhoto(to_image(reduced(pixels, REDUCED_SIDE)), width, height, photo.crop, photo.others, room)


class BoxPage(QWidget):
    """`begin` reads the photo of the current face; a drag crops the face again, or adds another one. `closed` is
    emitted at the end, whatever the outcome."""

    closed = Signal()
    refused = Signal(str)  # why no box can be drawn

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._sample, self._adding = -1, False
        self._reading: Task | None = None
        self.photo = PhotoView()
        self.hint, self.cancel = QLabel(HINT), QPushButton("Cancel")
        self.hint.setWordWrap(True)
        self.hint.setProperty("role", "dim")
        self.cancel.setToolTip("Back to the face without changes (Esc)")
        strip = QHBoxLayout()
        strip.setContentsMargins(16, 8, 16, 8)
        strip.setSpacing(16)
        strip.addWidget(self.hint, 1)
        strip.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.photo, 1)
        column.addLayout(strip)
        self.setFocusProxy(self.photo)
        self.cancel.clicked.connect(self.end)
        self.photo.left.connect(self.end)
        self.photo.drawn.connect(self._on_drawn)
        session.sample_changed.connect(lambda _: self.end())
        session.project_changed.connect(self.end)

    def begin(self, *, adding: bool = False) -> None:
        """Show the photo of the current face once it is read. adding: the box adds a face instead of replacing one."""
        store, self._sample, self._adding = self._session.store, self._session.sample_id, adding
        self.hint.setText(ADD_HINT if adding else HINT)
        self.photo.show_photo(None)
        if store is not None:
            self._reading = run_task(
                read_photo, store.project.address, self._sample, done=self._on_read, failed=self._on_failed, owner=self
            )

    def end(self) -> None:
        """Back to the face."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        if self._sample >= 0:
            self._sample = -1
            self.photo.show_photo(None)
            self.closed.emit()

    def _on_read(self, photo: ShownPhoto) -> None:
        self._reading = None
        if self._adding and photo.crop is not None:
            photo = replace(photo, crop=None, others=(photo.crop, *photo.others))
        self.photo.show_photo(photo)

    def _on_failed(self, error: Exception) -> None:
        self._reading = None
        self.end()
        self.refused.emit(str(error))

    def _on_drawn(self, box: np.ndarray) -> None:
        store, photo = self._session.store, self.photo.photo
        if store is None or photo is None:
            return
        sample, size, room = self._sample, (photo.width, photo.height), photo.room
        try:
            if self._adding:
                sample = add(store, sample, box, photo=size, room=room)
            else:
                store.edit(lambda project: crop_again(project, sample, box, photo=size, room=room), samples=1)
        except UserError as error:
            self.refused.emit(str(error))
        else:
            self.end()
            self._session.set_sample(sample)


class PhotoView(QWidget):
    """Paints the photo, the crops of its faces, and the box being drawn."""

    drawn = Signal(object)  # float64 [4], x, y, width, height in px of the file
    left = Signal()  # Esc

    def __init__(self) -> None:
        super().__init__()
        self.photo: ShownPhoto | None = None
        self._start: QPointF | None = None
        self._now = QPointF()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setMinimumSize(240, 200)
        self.setAccessibleName("Photo of the face")

    def show_photo(self, photo: ShownPhoto | None) -> None:
        """Show this photo; None while it is being read."""
        self.photo, self._start = photo, None
        self.update()

    def box(self) -> np.ndarray | None:
        """The box being drawn, clipped to the photo: float64 [4], px of the file. None if too small or not drawing."""
        photo = self.photo
        if photo is None or self._start is None:
            return None
        frame, scale = self._place()
        drag = QRectF(self._start, self._now).normalized()
        if min(drag.width(), drag.height()) < LEAST:
            return None
        inside = drag.intersected(frame).translated(-frame.topLeft())
        return np.round(np.array([inside.x(), inside.y(), inside.width(), inside.height()]) / scale, 2)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.photo is not None:
            self._start = self._now = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._start is not None:
            self._now = event.position()
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._start is None:
            return
        self._now = event.position()
        box = self.box()
        self._start = None
        self.update()
        if box is not None and min(box[2:]) > 0:
            self.drawn.emit(box)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), QColor(theme.colours().canvas))
        if self.photo is None:
            painter.setPen(QColor(theme.colours().dim))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "Reading the photo…")
            return
        frame, _ = self._place()
        painter.drawImage(frame, self.photo.image)
        for crop in self.photo.others:
            self._paint(painter, crop, "#FFFFFF", dashed=True)
        box = self.box()
        if box is None:
            if self.photo.crop is not None:
                self._paint(painter, self.photo.crop, theme.PREDICTION, dashed=True)
            return
        self._paint(painter, square_crop(box, self.photo.room), theme.PREDICTION, dashed=True)
        self._paint(painter, (box[0], box[1], box[2], box[3]), theme.LABEL, dashed=False)

    def _paint(self, painter: QPainter, area: tuple[float, ...], colour: str, *, dashed: bool) -> None:
        """Draw a rectangle (x, y, width, height) or square (x, y, side), in px of the file, over a dark outline."""
        frame, scale = self._place()
        x, y, width, height = (*area, area[2]) if len(area) == 3 else area
        rect = QRectF(frame.x() + x * scale, frame.y() + y * scale, width * scale, height * scale)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(0, 0, 0, 150), 3.5))
        painter.drawRect(rect)
        pen = QPen(QColor(colour), 2)
        if dashed:
            pen.setDashPattern([4, 3])
        painter.setPen(pen)
        painter.drawRect(rect)

    def _place(self) -> tuple[QRectF, float]:
        """The photo's rectangle in the widget, and screen pixels per pixel of the file."""
        photo = self.photo
        if photo is None:
            return QRectF(), 1.0
        room = QRectF(self.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        scale = max(min(room.width() / photo.width, room.height() / photo.height), 1e-6)
        frame = QRectF(0, 0, photo.width * scale, photo.height * scale)
        frame.moveCenter(room.center())
        return frame, scale
