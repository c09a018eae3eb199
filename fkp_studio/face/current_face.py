"""The session's current face, read again whenever its data changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from fkp_studio.face.face import Face, read_faces

if TYPE_CHECKING:
    from fkp_studio.document.changes import Changes
    from fkp_studio.document.session import Session
    from fkp_studio.document.store import ProjectStore


class CurrentFace(QObject):
    """Follows session and store. `face` is None without a project or sample."""

    cut = Signal(object)  # ids of samples whose crop changed; emitted before `changed`
    changed = Signal()  # another face, or other labels or predictions of the same one

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._store: ProjectStore | None = None
        self.face: Face | None = None
        session.project_changed.connect(self._on_project_changed)
        session.sample_changed.connect(self._read)
        session.run_changed.connect(self._read)
        self._on_project_changed()

    def _on_project_changed(self) -> None:
        if self._store is not None:
            self._store.changed.disconnect(self._on_store_changed)
        self._store = self._session.store
        if self._store is not None:
            self._store.changed.connect(self._on_store_changed)
        self._read()

    def _on_store_changed(self, changes: Changes) -> None:
        if changes.samples and changes.ids is not None:
            self.cut.emit(changes.ids)
        touches = changes.ids is None or self._session.sample_id in changes.ids
        if touches and (changes.labels or changes.predictions or changes.samples):
            self._read()

    def _read(self) -> None:
        store, sample_id = self._session.store, self._session.sample_id
        known = store is not None and sample_id >= 0
        self.face = read_faces(store, [sample_id], run=self._session.run)[0] if known and store else None
        self.changed.emit()
