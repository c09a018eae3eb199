"""The face on the screen: the current one once its image is loaded, until then the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from fkp_studio.document.session import neighbours
from fkp_studio.face.current_face import CurrentFace
from fkp_studio.face.face import Face
from fkp_studio.face.images import Image, ImageCache
from fkp_studio.face.words import READING, nothing_here

if TYPE_CHECKING:
    import numpy as np

    from fkp_studio.document.session import Session

PATIENCE_MS = 200  # how long the last face stays while the next image is read


class LoadedFace(QObject):
    """Requests the current face's image and those of its neighbours.

    face: to paint, None if there is none. image: its image, None if it is not readable. sentence: why there is no
    image, else "".
    """

    leaving = Signal()  # another sample is about to be shown
    changed = Signal()  # face, image or sentence

    def __init__(self, session: Session, current: CurrentFace, *, images: ImageCache, parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._current, self._images = session, current, images
        self.face: Face | None = None
        self.image: Image | None = None
        self.sentence = ""
        self._patience = QTimer(self, singleShot=True, interval=PATIENCE_MS)
        self._prefetch_timer = QTimer(self, singleShot=True, interval=0)
        self._patience.timeout.connect(self._on_patience_lost)
        self._prefetch_timer.timeout.connect(self._on_prefetch)
        session.project_changed.connect(self._on_project_changed)
        session.order_changed.connect(self._prefetch_timer.start)
        current.cut.connect(self._on_cut)
        current.changed.connect(self._on_face_changed)
        images.ready.connect(self._on_image_ready)

    def start(self) -> None:
        """Show the current face. Call it once `changed` is connected."""
        self._on_project_changed()

    @property
    def current(self) -> Face | None:
        """The current face; None while its image is loading."""
        face = self._current.face
        return self.face if face is not None and self.face is face else None

    def _on_project_changed(self) -> None:
        store = self._session.store
        self._images.set_project(store.project.address if store is not None else None)
        self._on_face_changed()

    def _on_face_changed(self) -> None:
        face = self._current.face
        if self.face is not None and (face is None or face.sample_id != self.face.sample_id):
            self.leaving.emit()
        if face is None:
            self._show(None)
            return
        if self._image_of(face) is not None:
            self._show(face)
        else:
            self._images.request([face.sample_id])
            self._patience.start()
        self._prefetch_timer.start()

    def _on_cut(self, ids: np.ndarray) -> None:
        """Drop the images of these faces, which were cropped again."""
        self._images.forget(ids.tolist())
        if self.face is not None and self.face.sample_id in ids:
            self.image = None
            self.changed.emit()

    def _on_image_ready(self, sample_id: int) -> None:
        face = self._current.face
        if face is not None and face.sample_id == sample_id and self.face is not face:
            self._show(face)

    def _show(self, face: Face | None) -> None:
        self._patience.stop()
        image = self._image_of(face) if face is not None else None
        readable = image is not None and not image.problem
        self.face, self.image = face, image if readable else None
        self.sentence = "" if readable else nothing_here(self._session, image)
        self.changed.emit()

    def _image_of(self, face: Face) -> Image | None:
        """The face's image if it is loaded; the one on the screen even if the cache has dropped it."""
        if self.face is not None and self.face.sample_id == face.sample_id and self.image is not None:
            return self.image
        return self._images.get(face.sample_id)

    def _on_patience_lost(self) -> None:
        self.face = self.image = None
        self.sentence = READING
        self.changed.emit()

    def _on_prefetch(self) -> None:
        self._images.request(neighbours(self._session))
