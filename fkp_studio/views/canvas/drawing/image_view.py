"""An image that fits its window and can be zoomed and moved."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QResizeEvent, QTransform, QWheelEvent
from PySide6.QtWidgets import QFrame, QGraphicsScene, QGraphicsView, QWidget

from fkp_studio.face.marks import ToScreen
from fkp_studio.look.style import theme
from fkp_studio.views.canvas.drawing.camera import STEP, Camera
from fkp_studio.views.canvas.drawing.image_item import ImageItem
from fkp_studio.views.canvas.gestures.interactions import Place

EMPTY_SIZE = (96, 96)  # px, of the space without an image


class ImageView(QGraphicsView):
    """Shows the image of `item` through a camera, which stays when the image changes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.item = ImageItem()
        self._camera = Camera()
        self.setScene(QGraphicsScene(self))
        self.scene().addItem(self.item)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontSavePainterState)
        theme.current().changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    def fit(self) -> None:
        """Show the whole image."""
        self._look(Camera())

    def zoom_in(self) -> None:
        """Zoom in on the middle of the window."""
        self._zoom(STEP, self._window_middle())

    def zoom_out(self) -> None:
        """Zoom out from the middle of the window."""
        self._zoom(1 / STEP, self._window_middle())

    def pan(self, dx: float, dy: float) -> None:
        """Move the image by screen pixels."""
        self._look(self._camera.moved(dx, dy, window=self._window(), image=self._size()))

    def place_image(self) -> None:
        """Apply the camera after the size of the image or of the window has changed."""
        self._look(self._camera)

    def to_screen(self) -> ToScreen:
        """The current mapping from image pixels to the window."""
        t = self.viewportTransform()
        return ToScreen(t.m11(), (t.dx(), t.dy()))

    def redraw(self) -> None:
        """Paint again soon."""
        self.viewport().update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        at = event.position()
        self._zoom(STEP ** (event.angleDelta().y() / 120), (at.x(), at.y()))
        event.accept()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.place_image()

    def _on_theme_changed(self) -> None:
        self.setBackgroundBrush(QColor(theme.colours().canvas))

    def _look(self, camera: Camera) -> None:
        self._camera = camera
        size = self._size()
        scale = camera.scale(self._window(), size)
        width, height = size
        self.setSceneRect(-2.0 * width, -2.0 * height, 5.0 * width, 5.0 * height)
        self.setTransform(QTransform.fromScale(scale, scale))
        self.centerOn(QPointF(*camera.middle(size)))
        self.redraw()

    def _zoom(self, factor: float, at: Place) -> None:
        self._look(self._camera.zoomed(factor, at=at, window=self._window(), image=self._size()))

    def _size(self) -> tuple[int, int]:
        image = self.item.image
        return (image.width, image.height) if image is not None else EMPTY_SIZE

    def _window(self) -> tuple[int, int]:
        return self.viewport().width(), self.viewport().height()

    def _window_middle(self) -> Place:
        width, height = self._window()
        return width / 2, height / 2
