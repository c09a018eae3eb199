"""The rows of the import dialog for photos without labels: whether to detect faces, and which keypoints they get."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QWidget

from fkp_studio.look.widgets.dialog_parts import text_label
from training.faces.labels.schema import KAGGLE_15, KeypointSchema
from training.sources.exchange.import_source import SourcePreview
from training.storage.runs.model.starters import starters

FIND, WHOLE = "detect and crop faces", "whole images: one face each"


class PhotoChoice(QWidget):
    """Detected faces or whole images, and the keypoints: those that a starter model knows."""

    changed = Signal(str, object)  # whole or detect, KeypointSchema

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.faces, self.points, self.note = QComboBox(), QComboBox(), text_label(role="dim")
        self.faces.addItem(FIND, "detect")
        self.faces.addItem(WHOLE, "whole")
        self.faces.setAccessibleName("faces")
        self.points.setAccessibleName("keypoints")
        rows = QFormLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(8)
        rows.addRow("Faces", self.faces)
        rows.addRow("Points", self.points)
        rows.addRow(self.note)
        self._known = starters()
        self._offer()
        self.faces.currentIndexChanged.connect(self._on_changed)
        self.points.currentIndexChanged.connect(self._on_changed)

    @property
    def schema(self) -> KeypointSchema:
        """The chosen keypoints."""
        chosen: KeypointSchema = self.points.currentData()
        return chosen

    def show_seen(self, found: SourcePreview, faces: str) -> None:
        """Show the choices the first faces were drawn with; hidden for a source with labels."""
        self.setVisible(found.format == "pictures")
        for box, at in ((self.faces, self.faces.findData(faces)), (self.points, self._row(found.schema))):
            box.blockSignals(True)
            box.setCurrentIndex(max(0, at))
            box.blockSignals(False)
        self._say()

    def _offer(self) -> None:
        for starter in self._known:
            self.points.addItem(starter.title, starter.schema)
        if not self.points.count():
            self.points.addItem(f"{len(KAGGLE_15)} points ({KAGGLE_15.name})", KAGGLE_15)

    def _row(self, schema: KeypointSchema) -> int:
        rows = range(self.points.count())
        return next((row for row in rows if self.points.itemData(row).keypoints == schema.keypoints), 0)

    def _say(self) -> None:
        known = any(starter.schema is self.schema for starter in self._known)
        self.note.setText("A bundled model predicts these points as soon as the project opens." if known else "")
        self.note.setVisible(known)

    def _on_changed(self) -> None:
        self._say()
        self.changed.emit(self.faces.currentData(), self.schema)
