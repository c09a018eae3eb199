"""A histogram of poses with clickable bins: the number of faces per bin, and their weight when balanced."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFileDialog, QMenu, QSizePolicy, QWidget

from fkp_studio.look.style import theme
from training.faces.measures.pose_balance import Balance
from training.words import counted

SIDES = 8  # px, left and right
FACE = 56  # px, the largest image under a bin
SMALLEST_FACE = 24
AXIS = 22  # px, for the words under the images
COUNT = 18  # px above a bar, for its number
NUMBERS = 34  # px, the narrowest bin that shows its number


class PoseHistogram(QWidget):
    """Filled bars: number of faces; outlines above them: what balancing adds. A click or Return chooses a bin."""

    chosen = Signal(int)  # the bin
    pointed = Signal(str)  # the count in the bin under the pointer, in words; "" for none

    def __init__(self, parent: QWidget | None = None, *, project: Path | None = None) -> None:
        """project: the open one, whose sources no saved histogram replaces."""
        super().__init__(parent)
        self._project = project
        self._edges, self._before, self._after = np.zeros(0), np.zeros(0, int), np.zeros(0, int)
        self._images: Sequence[QImage | None] = ()
        self._at = -1  # the bin under the pointer or the keyboard
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(360, 200)
        self.setAccessibleName("histogram of poses")
        theme.current().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(720, 340)

    def set_balance(self, balance: Balance | None) -> None:
        """Show this balance; its images follow later."""
        self._images = ()
        self._edges = np.zeros(0) if balance is None else balance.edges
        self._before, self._after = (np.zeros(0, int),) * 2 if balance is None else (balance.before, balance.after)
        self._point_at(-1)
        self.update()

    def set_images(self, images: Sequence[QImage | None]) -> None:
        """Show one face per bin; None for a bin without one."""
        self._images = images
        self.update()

    @property
    def bins(self) -> int:
        """The number of bins."""
        return len(self._before)

    @property
    def face_pixels(self) -> int:
        """The side of an image in device pixels; 0 if the bins are too narrow for images."""
        side = self._face_side()
        return round(side * self.devicePixelRatioF()) if side >= SMALLEST_FACE else 0

    def words(self, place: int) -> str:
        """The count in a bin, in words."""
        before, after = int(self._before[place]), int(self._after[place])
        low, high = self._edges[place], self._edges[place + 1]
        more = f", count as {after:,} when balanced" if after > before else ""
        return f"{low:+.1f} to {high:+.1f}: {counted(before, 'face')}{more}"

    def centre_of(self, place: int) -> QPointF:
        """The middle of a bin's column."""
        return self._column(place).center()

    # ---- drawing

    def _column(self, place: int) -> QRectF:
        width = (self.width() - 2 * SIDES) / max(self.bins, 1)
        return QRectF(SIDES + place * width, 0, width, self.height() - AXIS)

    def _face_side(self) -> int:
        return int(min(FACE, self._column(0).width() - 4))

    def _floor(self) -> float:
        """The y of the bars' lower end."""
        return self.height() - AXIS - (self._face_side() + 6 if self.face_pixels else 0)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - the whole histogram is drawn
        painter = QPainter(self)
        self.draw(painter)
        painter.end()

    def draw(self, painter: QPainter) -> None:
        """Draw the histogram, on the screen or into a file."""
        colours = theme.colours()
        painter.fillRect(self.rect(), QColor(colours.panel))
        painter.setFont(theme.font(pixels=11, tabular=True))
        if not self.bins:
            return
        most = max(int(self._after.max()), 1)
        for place in range(self.bins):
            self._draw_bin(painter, place, most)
        floor = self._floor()
        painter.setPen(QPen(QColor(colours.edge), 1))
        painter.drawLine(QPointF(SIDES, floor), QPointF(self.width() - SIDES, floor))
        painter.setPen(QColor(colours.dim))
        words = QRectF(SIDES, self.height() - AXIS, self.width() - 2 * SIDES, AXIS)
        painter.drawText(words, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, "← looking left")
        painter.drawText(words, Qt.AlignmentFlag.AlignCenter, "pose (standard deviations)")
        painter.drawText(words, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, "looking right →")

    def _draw_bin(self, painter: QPainter, place: int, most: int) -> None:
        colours, column, floor = theme.colours(), self._column(place), self._floor()
        before, after = int(self._before[place]), int(self._after[place])
        room = floor - COUNT
        gap = 2 if column.width() > 8 else 0.5
        bar = column.adjusted(gap, 0, -gap, 0)
        if place == self._at:
            painter.fillRect(column, QColor(colours.selection))
        tall, high = room * before / most, room * after / most
        painter.fillRect(QRectF(bar.x(), floor - tall, bar.width(), tall), QColor(theme.LABEL))
        if after > before:
            painter.setPen(QPen(QColor(colours.link), 1, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(bar.x() + 0.5, floor - high + 0.5, bar.width() - 1, high - tall))
        if column.width() >= NUMBERS:
            painter.setPen(QColor(colours.text))
            top = QRectF(column.x(), floor - tall - COUNT, column.width(), COUNT)
            painter.drawText(top, Qt.AlignmentFlag.AlignCenter, f"{before:,}")
        self._draw_face(painter, place, column, floor)

    def _draw_face(self, painter: QPainter, place: int, column: QRectF, floor: float) -> None:
        image = self._images[place] if place < len(self._images) else None
        if image is not None and self.face_pixels:
            side = self._face_side()
            scale = side / max(image.width(), image.height())
            size = (image.width() * scale, image.height() * scale)
            target = QRectF(column.center().x() - size[0] / 2, floor + 3 + (side - size[1]) / 2, *size)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(target, image)

    # ---- export

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for kind, filters in (("SVG", "SVG (*.svg)"), ("PNG", "PNG (*.png)"), ("CSV", "CSV (*.csv)")):
            menu.addAction(f"Save as {kind}…", partial(self._ask_export, kind, filters))
        menu.popup(event.globalPos())

    def _ask_export(self, kind: str, filters: str) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the histogram", f"poses.{kind.lower()}", filters)
        if path:
            self.export(Path(path), kind=kind)

    def export(self, path: Path, *, kind: str) -> None:
        """Save the histogram as shown, or its numbers (CSV); the line below it reports the outcome."""
        from fkp_studio.views.plots import export as plot_export

        if kind == "CSV":
            columns = zip(self._edges[:-1], self._edges[1:], self._before, self._after, strict=True)
            lines = [f"{low:.4f},{high:.4f},{before},{after}" for low, high, before, after in columns]
            data = "\n".join(["low,high,faces,balanced", *lines, ""]).encode()
        else:
            data = (
                plot_export.svg_of(self.draw, self.size())
                if kind == "SVG"
                else plot_export.png_of(self.draw, self.size())
            )
        plot_export.save(path, data, tell=self.pointed.emit, owner=self, project=self._project)

    # ---- mouse and keys

    def bin_at(self, x: float) -> int:
        """The bin at this x; -1 for none."""
        if not self.bins or not SIDES <= x < self.width() - SIDES:
            return -1
        return int(np.clip((x - SIDES) / self._column(0).width(), 0, self.bins - 1))

    def _point_at(self, place: int) -> None:
        if place != self._at:
            self._at = place
            self.setCursor(Qt.CursorShape.PointingHandCursor if place >= 0 else Qt.CursorShape.ArrowCursor)
            self.pointed.emit(self.words(place) if place >= 0 else "")
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._point_at(self.bin_at(event.position().x()))

    def leaveEvent(self, event: QEvent) -> None:
        self._point_at(-1)
        super().leaveEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = self.bin_at(event.position().x())
        if event.button() == Qt.MouseButton.LeftButton and place >= 0:
            self.chosen.emit(place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is not None and self.bins:
            self._point_at(min(max(self._at + step, 0), self.bins - 1))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._at >= 0:
            self.chosen.emit(self._at)
        else:
            super().keyPressEvent(event)
