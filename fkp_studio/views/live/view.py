"""The widget that shows a live frame with the points and lines of its faces."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from fkp_studio.face.sprites import draw_marks
from fkp_studio.look.style import theme
from fkp_studio.views.live.feed import LiveFrame

_SURE = 0.5  # points below this confidence are drawn as suspect
_RADIUS = 3.5
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}


class LiveView(QWidget):
    """Shows the newest frame as large as it fits, or a message while there is none."""

    resized = Signal()  # `room` changed
    pressed = Signal()  # clicked, or Space pressed
    stepped = Signal(int)  # 1: right arrow key; -1: left

    def __init__(self) -> None:
        super().__init__()
        self.frame: LiveFrame | None = None
        self.edges: list[tuple[int, int]] = []
        self.sentence = ""
        self.setMinimumSize(320, 240)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("video")

    @property
    def room(self) -> QSize:
        """The available size in device pixels; frames of this size are drawn unscaled, which is fastest."""
        return (self.size().toSizeF() * self.devicePixelRatioF()).toSize()

    def show_frame(self, frame: LiveFrame | None) -> None:
        """Show this frame; None clears the view."""
        self.frame = frame
        self.update()

    def say(self, sentence: str) -> None:
        """Set the message shown in place of a frame."""
        self.sentence = sentence
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self.pressed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.pressed.emit()
        elif event.key() in _STEPS:
            self.stepped.emit(_STEPS[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor("#000000") if self.frame else self.palette().base().color())
        if self.frame is None:
            painter.setPen(self.palette().placeholderText().color())
            room = self.rect().adjusted(24, 24, -24, -24)
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.sentence)
            return
        place = self._place(self.frame)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(place, self.frame.image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        scale = place.width() / self.frame.image.width()
        corner = np.array([place.x(), place.y()])
        for points, sure in zip(self.frame.points, self.frame.confidences, strict=True):
            shown = ((points + 0.5) * self.frame.scale) * scale + corner
            self._face(painter, shown, sure)

    def _face(self, painter: QPainter, points: np.ndarray, sure: np.ndarray) -> None:
        pen = QPen(QColor(theme.PREDICTION), 1.2)
        painter.setPen(pen)
        painter.drawLines([QLineF(QPointF(*points[a]), QPointF(*points[b])) for a, b in self.edges])
        draw_marks(painter, "predicted", points[sure >= _SURE], _RADIUS)
        painter.setPen(QPen(QColor(theme.SUSPECT), 1.6))
        for x, y in points[sure < _SURE].tolist():
            painter.drawLine(QLineF(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS))
            painter.drawLine(QLineF(x - _RADIUS, y + _RADIUS, x + _RADIUS, y - _RADIUS))

    def _place(self, frame: LiveFrame) -> QRectF:
        """The frame's rectangle, on whole pixels so that a frame of the right size is only copied."""
        ratio = self.devicePixelRatioF()
        width, height = frame.image.width() / ratio, frame.image.height() / ratio
        scale = min(self.width() / width, self.height() / height)
        if abs(scale - 1) * max(width, height) > 1.5:  # sent for another size
            width, height = width * scale, height * scale
        return QRectF(round((self.width() - width) / 2), round((self.height() - height) / 2), width, height)
