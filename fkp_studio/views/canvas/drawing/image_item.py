"""The canvas's graphics item for the image, reused for every face."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from fkp_studio.face.images import Picture, to_image
from fkp_studio.face.tone import Tone, apply_tone


class PictureItem(QGraphicsItem):
    """Paints a Picture in image pixels: the centre of the first pixel is (0, 0), so it begins at (-0.5, -0.5)."""

    def __init__(self) -> None:
        super().__init__()
        self._picture: Picture | None = None
        self._tone = Tone()
        self._images: dict[int, QImage] = {}  # by level, made on first paint

    @property
    def picture(self) -> Picture | None:
        """The Picture shown."""
        return self._picture

    def show_picture(self, picture: Picture | None) -> None:
        """Show this Picture; None clears the item."""
        if picture is self._picture:
            return
        if picture is None or self._picture is None or self._rect(picture) != self._rect(self._picture):
            self.prepareGeometryChange()
        self._picture = picture
        self._images.clear()
        self.update()

    def set_tone(self, tone: Tone) -> None:
        """Show the image in this tone; the Picture itself is unchanged."""
        if tone != self._tone:
            self._tone = tone
            self._images.clear()
            self.update()

    def image(self, scale: float) -> QImage | None:
        """The smallest level that suffices for `scale` screen pixels per image pixel; None if there is none."""
        if self._picture is None or not self._picture.levels:
            return None
        levels = self._picture.levels
        level = len(levels) - 1
        while level > 0 and levels[level].shape[1] < self._picture.width * scale:
            level -= 1
        if level not in self._images:
            self._images[level] = to_image(apply_tone(self._tone, levels[level]))
        return self._images[level]

    def boundingRect(self) -> QRectF:
        return self._rect(self._picture) if self._picture is not None else QRectF()

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None) -> None:
        scale = painter.worldTransform().m11() * painter.device().devicePixelRatioF()
        image = self.image(scale)
        if image is None or self._picture is None:
            return
        shrunk = image.width() > self._picture.width * scale
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, shrunk)
        painter.drawImage(self._rect(self._picture), image)

    @staticmethod
    def _rect(picture: Picture) -> QRectF:
        return QRectF(-0.5, -0.5, picture.width, picture.height)
