"""The row of the import dialog that sets how faces are cropped from their images."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSpinBox, QWidget

from fkp_studio.look.widgets.plain_text import PlainLabel
from training.faces.images.crops import PADDING, CropOptions
from training.sources.exchange.import_source import SourcePreview

WHOLE, BY_BOX, BY_POINTS = "whole images", "cropped by their boxes", "cropped by their points"


class CropChoice(QWidget):
    """Whole images or cropped faces, and the margin around a face."""

    changed = Signal(object)  # CropOptions | None

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.by, self.room = QComboBox(), PlainLabel("margin")
        self.padding = QSpinBox(minimum=0, maximum=300, value=round(100 * PADDING), suffix=" %", singleStep=5)
        self.padding.setToolTip("Added on each side of the face's box, in percent of its longer side")
        self.padding.setKeyboardTracking(False)
        self.by.setAccessibleName("crop")
        self.padding.setAccessibleName("margin around a face")
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        for widget in (PlainLabel("Faces"), self.by, self.room, self.padding):
            line.addWidget(widget)
        line.addStretch(1)
        self.by.currentIndexChanged.connect(self._on_changed)
        self.padding.valueChanged.connect(self._on_changed)

    def options(self) -> CropOptions | None:
        """The chosen crop; None for what the source defines."""
        by = self.by.currentData()
        return CropOptions(by, self.padding.value() / 100) if by else None

    def show_seen(self, found: SourcePreview, crop: CropOptions | None) -> None:
        """Offer the choices for this source, and show the one its faces were drawn with."""
        mapping = found.mapping
        exported = mapping is not None and bool(mapping.crop)
        offers: list[tuple[str, str | None]] = [("as in its crop columns", None)] if exported else []
        offers.append((WHOLE, "none" if exported or not (mapping and mapping.keypoints) else None))
        offers += [(BY_BOX, "box")] if mapping is not None and mapping.box else []
        offers += [(BY_POINTS, "points")]
        self.blockSignals(True)
        self.by.clear()
        for text, by in offers:
            self.by.addItem(text, by)
        self.by.setCurrentIndex(max(0, self.by.findData(crop.by if crop else None)))
        if crop is not None:
            self.padding.setValue(round(100 * crop.padding))
        self.blockSignals(False)
        self.setVisible(found.format not in ("kaggle", "pictures"))
        self._show_room()

    def _show_room(self) -> None:
        cuts = self.by.currentData() in ("box", "points")
        self.room.setVisible(cuts)
        self.padding.setVisible(cuts)

    def _on_changed(self) -> None:
        self._show_room()
        if not self.signalsBlocked():
            self.changed.emit(self.options())
