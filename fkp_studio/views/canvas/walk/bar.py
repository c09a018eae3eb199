"""The strip under the canvas: the next point, where it is on a face, and the progress on this face."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from fkp_studio.actions import BY_ID, key_text
from fkp_studio.face.face import Face
from fkp_studio.look.style import theme
from fkp_studio.look.widgets.elided import ElidedLabel
from fkp_studio.look.widgets.plain_text import PlainLabel
from fkp_studio.views.canvas.editor import FaceEditor, progress
from fkp_studio.views.canvas.walk.template import TemplateWidget
from training.faces.labels.labels import PointState

if TYPE_CHECKING:
    from fkp_studio.document.session import Session


class WalkBar(QWidget):
    """Shows "next: left eyebrow inner end" and the helpful keys."""

    def __init__(self, session: Session, editor: FaceEditor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._editor = session, editor
        self.template = TemplateWidget()
        self.title = ElidedLabel()
        self.title.setFont(theme.font(pixels=14, bold=True))
        self.hint = ElidedLabel()
        self.hint.setProperty("role", "dim")
        self.progress = PlainLabel()
        self.progress.setProperty("role", "dim")
        self.progress.setFont(theme.font(pixels=13, tabular=True))
        self._lay_out()
        editor.walk_changed.connect(self.refresh)
        self.refresh()

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addStretch()
        words.addWidget(self.title)
        words.addWidget(self.hint)
        words.addStretch()
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 4, 16, 4)
        row.setSpacing(16)
        row.addWidget(self.template)
        row.addLayout(words, 1)
        row.addWidget(self.progress, 0, Qt.AlignmentFlag.AlignVCenter)

    def refresh(self) -> None:
        """Show what is next."""
        face, store = self._editor.face, self._session.store
        self.setVisible(face is not None)
        if face is None or store is None:
            return
        target, schema = self._editor.target, store.schema
        self.template.show_point(schema, done=face.states != PointState.UNSET, following=target)
        done, total = progress(face.states)
        self.progress.setText(f"{done} of {total}")
        if target >= 0:
            how = " (occluded)" if self._editor.place_state == PointState.OCCLUDED else ""
            self.title.set_text(f"next: {schema.titles[target]}{how}")
        else:
            self.title.set_text("This face is complete.")
        self.hint.set_text(self._hint(face, target))

    def _hint(self, face: Face, target: int) -> str:
        if target < 0:
            return f"{_key('next_incomplete')} goes to the next face with missing points"
        parts = ["Click where it is"]
        if face.acceptable[target]:
            parts.append(f"{_key('accept_point')} accepts its prediction")
        parts += [f"{_key('absent')} absent", f"{_key('next_point')} another point"]
        return " · ".join(parts)


def _key(action: str) -> str:
    return key_text(BY_ID[action].keys[0])
