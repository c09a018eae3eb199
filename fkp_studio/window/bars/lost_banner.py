"""The strip below the top bar that says that the open project was moved, deleted or replaced, and offers the way back."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from fkp_studio.look.widgets.dialog_parts import button
from fkp_studio.look.widgets.plain_text import plain_label
from training.storage.project.whereabouts import Lost

HEADS = {
    "moved": "{name} was moved or renamed.",
    "deleted": "{name} was deleted, or its disk was removed.",
    "replaced": "{name} was replaced by another project.",
    "away": "The disk of {name} does not answer.",
}
ADVICE = {
    "moved": "Your edits are saved where it is now. Continue there to see its runs and predictions again.",
    "deleted": "Your labels are still in this window, and no longer on the disk. Save them as a copy before you close it.",
    "replaced": "Your labels are still in this window, and no longer on the disk: the project that is there now stays "
    "untouched. Save yours as a copy.",
    "away": "Edits cannot be saved until it is back; all edits before are on it. ({reason})",
}


def head(path: Path, lost: Lost) -> str:
    """What happened, in a sentence."""
    return HEADS[lost.how].format(name=path.name)


class LostBanner(QFrame):
    """Hidden until `show_lost`. Its buttons emit signals."""

    go_on_wanted = Signal(object)  # the Path where the project is now
    find_wanted = Signal()
    copy_wanted = Signal()
    close_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("lost")
        self._found: Path | None = None
        self.head, self.advice = plain_label(), plain_label(role="dim")
        self.advice.setWordWrap(True)
        self.head.setProperty("role", "strong")
        self.go_on_button = button("Continue there", "primary")
        self.find_button = button("Find it…")
        self.copy_button = button("Save a copy…", "primary")
        self.close_button = button("Close the project", "flat")
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(self.head)
        texts.addWidget(self.advice)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 8, 12, 8)
        layout.setSpacing(8)
        layout.addLayout(texts, 1)
        for widget in self._buttons():
            layout.addWidget(widget)
        self.go_on_button.clicked.connect(lambda: self.go_on_wanted.emit(self._found))
        self.find_button.clicked.connect(self.find_wanted)
        self.copy_button.clicked.connect(self.copy_wanted)
        self.close_button.clicked.connect(self.close_wanted)
        self.hide()

    def show_lost(self, path: Path, lost: Lost | None) -> None:
        """path: where the project was. None hides the banner."""
        self.setVisible(lost is not None)
        if lost is None:
            return
        self._found = lost.found
        self.head.setText(head(path, lost))
        self.advice.setText(self._advice(lost))
        shown = {self.close_button}
        if lost.how == "moved":
            shown.add(self.go_on_button if lost.found is not None else self.find_button)
        elif lost.how != "away":
            shown.add(self.copy_button)
        for widget in self._buttons():
            widget.setVisible(widget in shown)

    def _advice(self, lost: Lost) -> str:
        if lost.found is not None:
            return f"It is now {lost.found}. {ADVICE['moved']}"
        return ADVICE[lost.how].format(reason=lost.reason)

    def _buttons(self) -> tuple[QPushButton, ...]:
        return self.close_button, self.find_button, self.go_on_button, self.copy_button


def stacked(*widgets: QWidget) -> QWidget:
    """Widgets one below the other, without space between them."""
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    for widget in widgets:
        column.addWidget(widget)
    return holder
