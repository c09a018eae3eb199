"""The canvas widget: one image with its points, in image pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QGraphicsScene, QGraphicsView, QLabel, QWidget

from fkp_studio.document.session import neighbours
from fkp_studio.face.current_face import CurrentFace
from fkp_studio.face.face import Face
from fkp_studio.face.geometry import clamped
from fkp_studio.face.images import Picture, PictureCache
from fkp_studio.face.marks import Display, ToScreen, paint_face
from fkp_studio.face.words import nothing_here
from fkp_studio.look.style import theme
from fkp_studio.views.canvas.camera import STEP, Camera
from fkp_studio.views.canvas.display_bar import DisplayBar
from fkp_studio.views.canvas.editor import FaceEditor
from fkp_studio.views.canvas.gestures.hover import Hover
from fkp_studio.views.canvas.gestures.interactions import Cursor, Place
from fkp_studio.views.canvas.gestures.keys import Keys
from fkp_studio.views.canvas.gestures.mouse import Mouse
from fkp_studio.views.canvas.image_item import PictureItem
from fkp_studio.views.canvas.overlay import paint_drag, paint_ellipses, paint_focus, paint_hover
from training.faces.labels.labels import PointState

if TYPE_CHECKING:
    import numpy as np

    from fkp_studio.document.session import Session

PATIENCE_MS = 200  # how long the last face stays while the next image is read


class CanvasView(QGraphicsView):
    """Shows the session's sample with labels and predictions; edits go through `editor`.

    Marks are painted over the scene in one pass, in screen pixels, so that they keep their size at every zoom.
    """

    display_changed = Signal(object)  # Display

    def __init__(
        self, session: Session, parent: QWidget | None = None, *, pictures: PictureCache | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._pictures = pictures or PictureCache(self)
        self.current = CurrentFace(session, self)
        self.editor = FaceEditor(session, self.current, self)
        self._display = Display()
        self._camera = Camera()
        self._shown: Face | None = None  # the face on the screen: the current one once its image is loaded
        self._preview: tuple[Face, Place] | None = None  # the face with the dragged point at the mouse
        self._hover = Hover(self)
        self._mouse = Mouse(self, self.editor)
        self._keys = Keys(self, session)
        self._build()
        self._connect()
        self._on_project_changed()

    def _build(self) -> None:
        self.setScene(QGraphicsScene(self))
        self._item = PictureItem()
        self.scene().addItem(self._item)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontSavePainterState)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(240, 200)
        self.setAccessibleName("Face")
        self.sentence = QLabel(self.viewport())
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sentence.setWordWrap(True)
        self.sentence.setProperty("role", "dim")
        self.sentence.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.bar = DisplayBar(self)
        self._patience = QTimer(self, singleShot=True, interval=PATIENCE_MS)
        self._prefetch_timer = QTimer(self, singleShot=True, interval=0)

    def _connect(self) -> None:
        self._session.project_changed.connect(self._on_project_changed)
        self._session.keypoint_changed.connect(lambda _: self._redraw())
        self._session.order_changed.connect(self._prefetch_timer.start)
        self.current.cut.connect(self._on_cut)
        self.current.changed.connect(self._on_face_changed)
        self.editor.walk_changed.connect(self._redraw)
        self._hover.changed.connect(self._redraw)
        self._patience.timeout.connect(self._on_patience_lost)
        self._prefetch_timer.timeout.connect(self._on_prefetch)
        self._pictures.ready.connect(self._on_picture_ready)
        self.bar.display_chosen.connect(self.set_display)
        self.bar.fit_chosen.connect(self.fit)
        theme.current().changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    # what the window's actions call

    def fit(self) -> None:
        """Show the whole image."""
        self._look(Camera())

    def zoom_in(self) -> None:
        """Zoom in on the middle of the window."""
        self._zoom(STEP, self._window_middle())

    def zoom_out(self) -> None:
        """Zoom out from the middle of the window."""
        self._zoom(1 / STEP, self._window_middle())

    def toggle_edges(self) -> None:
        """Show or hide the lines of the face."""
        self.set_display(replace(self._display, edges=not self._display.edges))

    def toggle_predictions(self) -> None:
        """Show or hide predictions."""
        self.set_display(replace(self._display, predictions=not self._display.predictions))

    def toggle_names(self) -> None:
        """Show or hide the names of all points."""
        self.set_display(replace(self._display, names=not self._display.names))

    def toggle_ellipses(self) -> None:
        """Show or hide the error ellipses."""
        self.set_display(replace(self._display, ellipses=not self._display.ellipses))

    def toggle_adjust(self) -> None:
        """Open or close brightness, contrast and point size."""
        self.bar.toggle_adjust()

    def set_state_of_current(self, state: PointState) -> None:
        self.editor.set_state(state)

    def next_point(self, step: int = 1) -> None:
        self.editor.next_point(step)

    def nudge(self, dx: float, dy: float) -> None:
        """Move the current point by image pixels."""
        self.editor.nudge(dx, dy)

    def accept_current_point(self) -> None:
        self.editor.accept_current()

    def accept_missing_of_face(self) -> None:
        """Accept the predictions of all unset points of this face."""
        self.editor.accept_missing()

    @property
    def display(self) -> Display:
        """What is shown over the image, and how."""
        return self._display

    def set_display(self, display: Display) -> None:
        """Apply edges, predictions, names, ellipses, point size and tone."""
        if display != self._display:
            self._display = display
            self._item.set_tone(display.tone)
            self.bar.show_display(display)
            self._redraw()
            self.display_changed.emit(display)

    # what gestures and keys use

    @property
    def shown_face(self) -> Face | None:
        """The face on the screen, None while its image is loading."""
        face = self.current.face
        return self._shown if face is not None and self._shown is face else None

    def to_screen(self) -> ToScreen:
        """The current mapping from image pixels to the window."""
        t = self.viewportTransform()
        return ToScreen(t.m11(), (t.dx(), t.dy()))

    def preview(self, keypoint: int, at: Place | None) -> None:
        """Show a point at another position while it is dragged."""
        face = self.shown_face
        if at is None or face is None:
            self._preview = None
        else:
            at = clamped(at, width=face.width, height=face.height)
            self._preview = (face.with_point(keypoint, at), at)
        self._redraw()

    def commit(self, keypoint: int, at: Place) -> None:
        """Place a point at the end of a gesture."""
        self.editor.place(keypoint, at)

    def pan(self, dx: float, dy: float) -> None:
        """Move the image by screen pixels."""
        self._look(self._camera.moved(dx, dy, window=self._window(), picture=self._size()))

    def select(self, keypoint: int) -> None:
        """Make a keypoint the current one."""
        self._session.set_keypoint(keypoint)

    def cancel_gesture(self) -> bool:
        """Cancel the gesture; returns whether there was one."""
        return self._mouse.cancel()

    # events

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._hover.forget()
        self._mouse.press(self._cursor_of(event), event.button(), panning=self._keys.hand)
        self._keys.used()
        self.show_cursor()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        cursor = self._cursor_of(event)
        if self._mouse.busy:
            self._mouse.move(cursor)
            return
        self._hover.over(*self._mouse.hit(cursor))
        self.show_cursor()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._mouse.release(self._cursor_of(event))
        self.show_cursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._mouse.double_click(self._cursor_of(event))

    def wheelEvent(self, event: QWheelEvent) -> None:
        at = event.position()
        self._zoom(STEP ** (event.angleDelta().y() / 120), (at.x(), at.y()))
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover.forget()
        super().leaveEvent(event)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and self._keys.handle(event):
            return True
        return bool(super().event(event))

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._keys.forget()
        super().focusOutEvent(event)
        self._redraw()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._redraw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.sentence.setGeometry(self.viewport().rect().adjusted(32, 0, -32, 0))
        self.bar.put()
        self._look(self._camera)

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:  # noqa: ARG002 - Qt gives it
        painter.resetTransform()
        if self.hasFocus():
            paint_focus(painter, self.viewport().rect())
        face, store = self._shown, self._session.store
        if face is None or store is None or self._item.picture is None:
            return
        place = self.to_screen()
        if self._preview is not None:
            face = self._preview[0]
        paint_ellipses(painter, face, place=place, display=self._display)
        paint_face(
            painter, face, schema=store.schema, place=place, display=self._display, current=self._session.keypoint
        )
        radius = self._display.point_size / 2
        keypoint, ring = self._hover.rests_on
        if self._preview is not None:
            limits = QRectF(self.viewport().rect())
            paint_drag(painter, self._item, place=place, at=self._preview[1], radius=radius, limits=limits)
        elif keypoint >= 0:
            title = store.schema.titles[keypoint]
            paint_hover(painter, face, keypoint, title=title, ring=ring, place=place, radius=radius)

    # inside

    def _on_project_changed(self) -> None:
        store = self._session.store
        self._mouse.cancel()
        self._camera = Camera()
        self._pictures.set_project(store.project.path if store is not None else None)
        self._on_face_changed()

    def _on_face_changed(self) -> None:
        face = self.current.face
        if self._shown is not None and (face is None or face.sample_id != self._shown.sample_id):
            self._mouse.cancel()
            self._hover.forget()
        if face is None:
            self._show(None)
            return
        if self._picture_of(face) is not None:
            self._show(face)
        else:
            self._pictures.request([face.sample_id])
            self._patience.start()
        self._prefetch_timer.start()

    def _on_cut(self, ids: np.ndarray) -> None:
        """Drop the images of these faces, which were cropped again."""
        self._pictures.forget(ids.tolist())
        if self._shown is not None and self._shown.sample_id in ids:
            self._item.show_picture(None)

    def _on_picture_ready(self, sample_id: int) -> None:
        face = self.current.face
        if face is not None and face.sample_id == sample_id and self._shown is not face:
            self._show(face)

    def _show(self, face: Face | None) -> None:
        self._patience.stop()
        picture = self._picture_of(face) if face is not None else None
        readable = picture is not None and not picture.problem
        self._item.show_picture(picture if readable else None)
        self._shown = face
        self.sentence.setText("" if readable else nothing_here(self._session, picture))
        self.sentence.setVisible(not readable)
        self.bar.setVisible(readable)
        self.setAccessibleDescription(face.name if face is not None else self.sentence.text())
        self._look(self._camera)

    def _picture_of(self, face: Face) -> Picture | None:
        """The face's image if it is loaded; the one on the screen even if the cache has dropped it."""
        if self._shown is not None and self._shown.sample_id == face.sample_id and self._item.picture is not None:
            return self._item.picture
        return self._pictures.get(face.sample_id)

    def _on_patience_lost(self) -> None:
        self._shown = None
        self._item.show_picture(None)
        self.sentence.setText("Reading the image…")
        self.sentence.show()

    def _on_prefetch(self) -> None:
        self._pictures.request(neighbours(self._session))

    def _on_theme_changed(self) -> None:
        self.setBackgroundBrush(QColor(theme.colours().canvas))

    def show_cursor(self) -> None:
        """Update the cursor shape."""
        self.viewport().setCursor(self._keys.cursor(self._mouse.busy, self.editor.target >= 0))

    def _look(self, camera: Camera) -> None:
        self._camera = camera
        size = self._size()
        scale = camera.scale(self._window(), size)
        width, height = size
        self.setSceneRect(-2.0 * width, -2.0 * height, 5.0 * width, 5.0 * height)
        self.setTransform(QTransform.fromScale(scale, scale))
        self.centerOn(QPointF(*camera.middle(size)))
        self._redraw()

    def _zoom(self, factor: float, at: Place) -> None:
        self._look(self._camera.zoomed(factor, at=at, window=self._window(), picture=self._size()))

    def _size(self) -> tuple[int, int]:
        picture = self._item.picture
        return (picture.width, picture.height) if picture is not None else (96, 96)

    def _window(self) -> tuple[int, int]:
        return self.viewport().width(), self.viewport().height()

    def _window_middle(self) -> Place:
        width, height = self._window()
        return width / 2, height / 2

    def _cursor_of(self, event: QMouseEvent) -> Cursor:
        at = event.position()
        return Cursor((at.x(), at.y()), self.to_screen().back(at.x(), at.y()))

    def _redraw(self) -> None:
        self.viewport().update()
