"""The canvas's graphics item for the image, reused for every face."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from fkp_studio.face.images import Image, to_image
from fkp_studio.face.tone import Tone, apply_tone


class ImageItem(QGraphicsItem):
    """Paints an Image in image pixels: the centre of the first pixel is (0, 0), so it begins at (-0.5, -0.5)."""

    def __init__(self) -> None:
        super().__init__()
        self._image: Image | None = None
        self._tone = Tone()
        self._images: dict[int, QImage] = {}  # by level, made on first paint

    @property
    def image(self) -> Image | None:
        """The Image shown."""
        return self._image

    def show_image(self, image: Image | None) -> None:
        """Show this Image; None clears the item."""
        if image is self._image:
            return
        if image is None or self._image is None or self._rect(image) != self._rect(self._image):
            self.prepareGeometryChange()
        self._image = image
        self._images.clear()
        self.update()

    def set_tone(self, tone: Tone) -> None:
        """Show the image in this tone; the Image itself is unchanged."""
        if tone != self._tone:
            self._tone = tone
            self._images.clear()
            self.update()

    def scaled(self, scale: float) -> QImage | None:
        """The smallest level that suffices for `scale` screen pixels per image pixel; None if there is none."""
        if self._image is None or not self._image.levels:
            return None
        levels = self._image.levels
        level = len(levels) - 1
        while level > 0 and levels[level].shape[1] < self._image.width * scale:
            level -= 1
        if level not in self._images:
            self._images[level] = to_image(apply_tone(self._tone, levels[level]))
        return self._images[level]

    def boundingRect(self) -> QRectF:
        return self._rect(self._image) if self._image is not None else QRectF()

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None) -> None:
        scale = painter.worldTransform().m11() * painter.device().devicePixelRatioF()
        image = self.scaled(scale)
        if image is None or self._image is None:
            return
        shrunk = image.width() > self._image.width * scale
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, shrunk)
        painter.drawImage(self._rect(self._image), image)

    @staticmethod
    def _rect(image: Image) -> QRectF:
        return QRectF(-0.5, -0.5, image.width, image.height)
