"""Widgets shared by the import, export and accept dialogs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from fkp_studio.look.widgets.plain_text import PlainLabel, plain_tip


@dataclass(frozen=True)
class FaceCard:
    """A thumbnail with its points, its caption and its tool tip."""

    image: QImage
    caption: str
    more: str = ""


def text_label(text: str = "", role: str = "") -> QLabel:
    """A label that wraps. role: a role of the style sheet."""
    made = PlainLabel(text)
    made.setWordWrap(True)
    if role:
        made.setProperty("role", role)
    return made


def button(text: str, role: str = "") -> QPushButton:
    """A push button that Return presses only while it has the focus or is the primary one."""
    made = QPushButton(text)
    made.setAutoDefault(role == "primary")
    made.setDefault(role == "primary")
    if role:
        made.setProperty("role", role)
    return made


def row(*widgets: QWidget | None) -> QHBoxLayout:
    """Widgets side by side; None is a stretch."""
    made = QHBoxLayout()
    made.setSpacing(8)
    for widget in widgets:
        if widget is None:
            made.addStretch(1)
        else:
            made.addWidget(widget)
    return made


class FaceGrid(QWidget):
    """A grid of faces with `columns` per row."""

    def __init__(self, *, columns: int, side: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.side, self._columns = side, columns
        self.cards: list[QWidget] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(8)
        self._grid.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)

    @property
    def pixels(self) -> int:
        """The side of a card's image, in device pixels."""
        return round(self.side * self.devicePixelRatioF())

    def set_faces(self, faces: Sequence[FaceCard]) -> None:
        """Show these."""
        for card in self.cards:
            self._grid.removeWidget(card)
            card.deleteLater()
        self.cards = [self._card(face) for face in faces]
        for n, card in enumerate(self.cards):
            self._grid.addWidget(card, n // self._columns, n % self._columns)

    def _card(self, face: FaceCard) -> QWidget:
        card, image, caption = QWidget(), PlainLabel(), PlainLabel()
        pixmap = QPixmap.fromImage(face.image)
        pixmap.setDevicePixelRatio(self.devicePixelRatioF())
        image.setPixmap(pixmap)
        image.setFixedSize(self.side, self.side)
        image.setAlignment(Qt.AlignmentFlag.AlignCenter)
        caption.setProperty("role", "dim")
        caption.setText(caption.fontMetrics().elidedText(face.caption, Qt.TextElideMode.ElideMiddle, self.side - 2))
        card.setToolTip(plain_tip(face.more or face.caption))
        card.setAccessibleName(face.more or face.caption)
        column = QVBoxLayout(card)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(image)
        column.addWidget(caption)
        return card


class Working(QWidget):
    """A progress page: what is running, how far it is, and a button that cancels it."""

    cancel_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sentence, self.bar, self.cancel = text_label(), QProgressBar(), button("Cancel")
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("progress")
        self.cancel.clicked.connect(self.cancel_wanted)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addStretch(2)
        column.addWidget(self.sentence)
        column.addWidget(self.bar)
        column.addStretch(3)
        column.addLayout(row(None, self.cancel))

    def begin(self, sentence: str) -> None:
        """Show what starts; progress is unknown at first."""
        self.sentence.setText(sentence)
        self.bar.setRange(0, 0)
        self.cancel.setEnabled(True)

    def show_progress(self, fraction: float, sentence: str) -> None:
        """fraction: 0..1."""
        self.bar.setRange(0, 1000)
        self.bar.setValue(int(fraction * 1000))
        self.sentence.setText(f"{sentence}…")

    def end(self, sentence: str) -> None:
        """Show that it was cancelled and is ending."""
        self.sentence.setText(sentence)
        self.cancel.setEnabled(False)
