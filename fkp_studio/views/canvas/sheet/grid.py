"""The grid of the contact sheet: tiles of face, marks and caption, painted in one pass."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from fkp_studio.face.face import Face
from fkp_studio.face.marks import SIZES, Display, ToScreen, paint_face
from fkp_studio.look.style import theme
from training.faces.labels.schema import KeypointSchema

GAP = 12
CAPTION = 20
NARROWEST = 124  # px; a tile's name and error still fit


@dataclass(frozen=True)
class Tile:
    """One face on the sheet. image: None while it is loading. problem: why there is no image."""

    face: Face
    image: QImage | None = None
    problem: str = ""


class SheetGrid(QWidget):
    """Shows `tiles` in `across` columns. The arrow keys move within the page and beyond it."""

    chosen = Signal(int)  # place of the tile that was clicked, or on which Enter was pressed
    stepped = Signal(int)  # arrow keys: places to move, possibly off the page

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tiles: list[Tile] = []
        self._schema: KeypointSchema | None = None
        self._across = 4
        self._current = -1
        self._display = Display()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(300, 240)
        self.setAccessibleName("Contact sheet")

    def minimumSizeHint(self) -> QSize:
        return QSize(300, 240)

    def show_tiles(self, tiles: list[Tile], *, schema: KeypointSchema | None, across: int, current: int) -> None:
        """Show these faces. current: the place of the session's face, -1 if it is on another page."""
        self._tiles, self._schema, self._across, self._current = tiles, schema, across, current
        text = caption_of(tiles[current].face) if 0 <= current < len(tiles) else ""
        self.setAccessibleDescription("  ".join(text))
        self.update()

    def set_tile(self, place: int, tile: Tile) -> None:
        """Replace one tile."""
        self._tiles[place] = tile
        self.update(self.box(place))

    def set_display(self, display: Display) -> None:
        """Use the canvas's marks."""
        self._display = display
        self.update()

    def box(self, place: int) -> QRect:
        """The rectangle of a tile with its caption."""
        across = self._across
        height = (self.height() - GAP) / across
        width = min((self.width() - GAP) / across, max(height - CAPTION, NARROWEST))
        left = (self.width() - GAP - width * across) / 2 + GAP
        x, y = place % across, place // across
        return QRect(round(left + x * width), round(GAP + y * height), round(width - GAP), round(height - GAP))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), QColor(theme.colours().canvas))
        for place, tile in enumerate(self._tiles):
            box = self.box(place)
            if box.adjusted(-3, -3, 3, 3).intersects(event.rect()):
                self._paint_tile(painter, tile, box, current=place == self._current)

    def _paint_tile(self, painter: QPainter, tile: Tile, box: QRect, *, current: bool) -> None:
        colours = theme.colours()
        place = fit_into(tile.face, QRectF(box.adjusted(0, 0, 0, -CAPTION)))
        if current:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(colours.link if self.hasFocus() else colours.edge), 2))
            painter.setBrush(QColor(colours.selection))
            painter.drawRoundedRect(QRectF(box).adjusted(-4, -4, 4, 4), 4, 4)
        area = QRectF(*place.offset, tile.face.width * place.scale, tile.face.height * place.scale)
        area.translate(-place.scale / 2, -place.scale / 2)
        if tile.image is not None and self._schema is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, tile.image.width() > area.width())
            painter.drawImage(area, tile.image)
            size = float(np.clip(area.width() / 28, SIZES[0], self._display.point_size))
            display = replace(self._display, names=False, point_size=size)
            paint_face(painter, tile.face, schema=self._schema, place=place, display=display)
        else:
            painter.fillRect(area, QColor(colours.line))
            painter.setPen(QColor(colours.dim))
            wrap = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(area.adjusted(8, 8, -8, -8), int(wrap), tile.problem)
        self._paint_caption(
            painter, tile.face, QRectF(box.left(), box.bottom() - CAPTION + 3, box.width(), CAPTION - 2)
        )

    def _paint_caption(self, painter: QPainter, face: Face, box: QRectF) -> None:
        colours = theme.colours()
        painter.setFont(theme.table_font())
        name, error = caption_of(face)
        metrics = QFontMetrics(painter.font())
        taken = metrics.horizontalAdvance(error) + 8 if error else 0
        shown = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, int(box.width()) - taken)
        painter.setPen(QColor(colours.text))
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)
        painter.setPen(QColor(colours.dim))
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, error)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = self.place_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and place >= 0:
            self.chosen.emit(place)

    def place_at(self, at: QPointF) -> int:
        """The tile at a position in the widget, -1 for none."""
        return next((p for p in range(len(self._tiles)) if self.box(p).contains(at.toPoint())), -1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -self._across,
            Qt.Key.Key_Down: self._across,
        }
        if (key := Qt.Key(event.key())) in steps:
            self.stepped.emit(steps[key])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._current >= 0:
            self.chosen.emit(self._current)
        else:
            super().keyPressEvent(event)


def caption_of(face: Face) -> tuple[str, str]:
    """Name and mean distance from labels to predictions, as text ("" if unknown)."""
    name = re.sub(r"\.(png|jpe?g|bmp|tiff?|webp)$", "", face.name, flags=re.IGNORECASE)
    return name, f"{face.mean_error:.2f} px" if np.isfinite(face.mean_error) else ""


def fit_into(face: Face, box: QRectF) -> ToScreen:
    """The mapping that fits the image into the middle of `box`."""
    scale = min(box.width() / max(face.width, 1), box.height() / max(face.height, 1))
    left = box.center().x() - face.width * scale / 2
    top = box.center().y() - face.height * scale / 2
    return ToScreen(scale, (left + scale / 2, top + scale / 2))
