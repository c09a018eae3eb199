"""The canvas widget: one face with its points, edited by mouse and keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QEvent, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QWidget

from fkp_studio.face.current_face import CurrentFace
from fkp_studio.face.face import Face
from fkp_studio.face.geometry import clamped
from fkp_studio.face.images import ImageCache
from fkp_studio.face.marks import Display, paint_face
from fkp_studio.face.words import READING
from fkp_studio.look.widgets.plain_text import PlainLabel
from fkp_studio.views.canvas.display_bar import DisplayBar
from fkp_studio.views.canvas.drawing.image_view import ImageView
from fkp_studio.views.canvas.drawing.overlay import paint_drag, paint_ellipses, paint_focus, paint_hover
from fkp_studio.views.canvas.editor import FaceEditor
from fkp_studio.views.canvas.gestures.hover import Hover
from fkp_studio.views.canvas.gestures.interactions import Cursor, Place
from fkp_studio.views.canvas.gestures.keys import Keys
from fkp_studio.views.canvas.gestures.mouse import Mouse
from fkp_studio.views.canvas.loaded_face import LoadedFace

if TYPE_CHECKING:
    from fkp_studio.document.session import Session

Toggled = Literal["edges", "predictions", "names", "ellipses"]  # fields of Display


class CanvasView(ImageView):
    """Shows the session's sample with labels and predictions; edits go through `editor`.

    Marks are painted over the scene in one pass, in screen pixels, so that they keep their size at every zoom.
    """

    display_changed = Signal(object)  # Display

    def __init__(self, session: Session, parent: QWidget | None = None, *, images: ImageCache | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.current = CurrentFace(session, self)
        self.editor = FaceEditor(session, self.current, self)
        self.loaded = LoadedFace(session, self.current, images=images or ImageCache(self), parent=self)
        self._display = Display()
        self._preview: tuple[Face, Place] | None = None  # the face with the dragged point at the mouse
        self._build()
        self._hover = Hover(self)
        self._mouse = Mouse(self, self.editor, session)
        self._keys = Keys(self, self.editor, mouse=self._mouse, bar=self.bar)
        self._connect()
        self.loaded.start()

    def _build(self) -> None:
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(240, 200)
        self.setAccessibleName("Face")
        self.sentence = PlainLabel(self.viewport())
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sentence.setWordWrap(True)
        self.sentence.setProperty("role", "dim")
        self.sentence.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.bar = DisplayBar(self)

    def _connect(self) -> None:
        self._session.project_changed.connect(self._on_project_changed)
        self._session.keypoint_changed.connect(self.redraw)
        self.loaded.leaving.connect(self._on_leaving)
        self.loaded.changed.connect(self._on_loaded)
        self.editor.walk_changed.connect(self.redraw)
        self._hover.changed.connect(self.redraw)
        self._keys.hand_changed.connect(self._show_cursor)
        self.bar.display_chosen.connect(self.set_display)
        self.bar.fit_chosen.connect(self.fit)

    # ---- how it is shown

    @property
    def display(self) -> Display:
        """What is shown over the image, and how."""
        return self._display

    def set_display(self, display: Display) -> None:
        """Apply edges, predictions, names, ellipses, point size and tone."""
        if display != self._display:
            self._display = display
            self.item.set_tone(display.tone)
            self.bar.show_display(display)
            self.redraw()
            self.display_changed.emit(display)

    def toggle(self, part: Toggled) -> None:
        """Show or hide the lines of the face, the predictions, the names of all points, or the error ellipses."""
        change: dict[str, Any] = {part: not getattr(self._display, part)}
        self.set_display(replace(self._display, **change))

    # ---- what gestures use

    @property
    def shown_face(self) -> Face | None:
        """The face on the screen, None while its image is loading."""
        return self.loaded.current

    def preview(self, keypoint: int, at: Place | None) -> None:
        """Show a point at another position while it is dragged."""
        face = self.shown_face
        if at is None or face is None:
            self._preview = None
        else:
            at = clamped(at, width=face.width, height=face.height)
            self._preview = (face.with_point(keypoint, at), at)
        self.redraw()

    # ---- events

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._hover.forget()
        self._mouse.press(self._cursor_of(event), event.button(), panning=self._keys.hand)
        self._keys.used()
        self._show_cursor()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        cursor = self._cursor_of(event)
        if self._mouse.busy:
            self._mouse.move(cursor)
            return
        self._hover.over(*self._mouse.hit(cursor))
        self._show_cursor()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._mouse.release(self._cursor_of(event))
        self._show_cursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._mouse.double_click(self._cursor_of(event))

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
        self.redraw()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.redraw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.sentence.setGeometry(self.viewport().rect().adjusted(32, 0, -32, 0))
        self.bar.put()

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:  # noqa: ARG002 - Qt gives it
        painter.resetTransform()
        if self.hasFocus():
            paint_focus(painter, self.viewport().rect())
        face, store = self.loaded.face, self._session.store
        if face is None or store is None or self.loaded.image is None:
            return
        place, display = self.to_screen(), self._display
        if self._preview is not None:
            face = self._preview[0]
        paint_ellipses(painter, face, place=place, display=display)
        paint_face(painter, face, schema=store.schema, place=place, display=display, current=self._session.keypoint)
        radius = display.point_size / 2
        keypoint, ring = self._hover.rests_on
        if self._preview is not None:
            limits = QRectF(self.viewport().rect())
            paint_drag(painter, self.item, place=place, at=self._preview[1], radius=radius, limits=limits)
        elif keypoint >= 0:
            title = store.schema.titles[keypoint]
            paint_hover(painter, face, keypoint, title=title, ring=ring, place=place, radius=radius)

    # ---- inside

    def _on_project_changed(self) -> None:
        self._mouse.cancel()
        self.fit()

    def _on_leaving(self) -> None:
        self._mouse.cancel()
        self._hover.forget()

    def _on_loaded(self) -> None:
        face, sentence = self.loaded.face, self.loaded.sentence
        self.item.show_image(self.loaded.image)
        self.sentence.setText(sentence)
        self.sentence.setVisible(bool(sentence))
        self.bar.setVisible(sentence in ("", READING))
        self.setAccessibleDescription(face.name if face is not None else sentence)
        self.place_image()

    def _show_cursor(self) -> None:
        self.viewport().setCursor(self._keys.cursor(self._mouse.busy, self.editor.target >= 0))

    def _cursor_of(self, event: QMouseEvent) -> Cursor:
        at = event.position()
        return Cursor((at.x(), at.y()), self.to_screen().back(at.x(), at.y()))
