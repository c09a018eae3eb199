"""A widget that tiles images with points, using the row length that fits best."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from fkp_studio.face.images import to_image
from fkp_studio.jobs.prediction.augmentation_preview import Sheet
from fkp_studio.look.style import theme

GAP = 4.0  # px between tiles


class ImageTiles(QWidget):
    """Shows a sheet, or a sentence until there is one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Augmented faces")
        self.setMinimumSize(360, 300)
        self._sheet: Sheet | None = None
        self._images: list[QImage] = []
        self._words = ""
        theme.current().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(660, 480)

    @property
    def sheet(self) -> Sheet | None:
        """The shown sheet; None if there is none."""
        return self._sheet

    def show_sheet(self, sheet: Sheet) -> None:
        """Show these images and points."""
        self._sheet = sheet
        self._images = [to_image(image) for image in sheet.images]
        self.update()

    def say(self, words: str) -> None:
        """Show a sentence while there are no images."""
        self._words = words
        self.update()

    def tiles(self) -> list[QRectF]:
        """The rectangles of the tiles, in the order of the images."""
        count, width, height = max(len(self._images), 1), self.width(), self.height()
        columns = max(range(1, count + 1), key=lambda n: _fit(n, -(-count // n), count, width + GAP, height + GAP))
        rows = -(-count // columns)
        side = min((width + GAP) / columns, (height + GAP) / rows)
        left, top = (width + GAP - columns * side) / 2, (height + GAP - rows * side) / 2
        places = (divmod(n, columns) for n in range(count))
        return [QRectF(left + c * side, top + r * side, side - GAP, side - GAP) for r, c in places]

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._sheet is None:
            painter.setPen(QColor(theme.colours().dim))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._words)
            return
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        for place, tile in enumerate(self.tiles()):
            painter.drawImage(tile, self._images[place])
            self._draw_points(painter, tile, self._sheet, place)

    def _draw_points(self, painter: QPainter, tile: QRectF, sheet: Sheet, place: int) -> None:
        scale = tile.width() / sheet.images.shape[2]
        points = (sheet.points[place][sheet.mask[place]] + 0.5) * scale
        radius = float(np.clip(tile.width() / 42 * (15 / max(sheet.points.shape[1], 15)) ** 0.4, 1.2, 4.0))
        painter.save()
        painter.setClipRect(tile)
        painter.setPen(QPen(QColor("#1A1A1A"), 0.9))
        painter.setBrush(QColor(theme.LABEL))
        for x, y in points.tolist():
            painter.drawEllipse(QPointF(tile.left() + x, tile.top() + y), radius, radius)
        painter.restore()


def _fit(columns: int, rows: int, count: int, width: float, height: float) -> float:
    """Score a number of columns: the side of a tile, reduced for empty places."""
    return min(width / columns, height / rows) * float(count / (columns * rows)) ** 0.5
