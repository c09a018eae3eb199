"""Names out of files are shown as they are, never as markup.

Qt guesses whether a text is HTML: a label, a tip or a message box would render a name such as `<h1>a</h1>`, or show the
image that it points to. So all labels and message boxes of the window are made here, and tips are escaped where Qt would
guess. A test keeps it so.
"""

from __future__ import annotations

import html
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import Qt as Guess
from PySide6.QtWidgets import QLabel, QMessageBox, QWidget


class PlainLabel(QLabel):
    """A label that shows its texts as they are."""

    def __init__(self, *arguments: Any, **properties: Any) -> None:
        """As of QLabel."""
        super().__init__(**properties)
        self.setTextFormat(Qt.TextFormat.PlainText)
        for argument in arguments:
            if isinstance(argument, str):
                self.setText(argument)
            else:
                self.setParent(argument)


def plain_box(
    parent: QWidget | None,
    text: str = "",
    *,
    title: str = "FKP Studio",
    buttons: QMessageBox.StandardButton = QMessageBox.StandardButton.NoButton,
) -> QMessageBox:
    """A message box that shows its texts as they are; its informative text is set with `set_informative`."""
    made = QMessageBox(QMessageBox.Icon.NoIcon, title, "", buttons, parent)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setText(text)
    return made


def set_informative(box: QMessageBox, text: str) -> None:
    """The second text of a box, for which Qt knows no format."""
    box.setInformativeText(text)
    label = box.findChild(QLabel, "qt_msgbox_informativelabel")
    if isinstance(label, QLabel):
        label.setTextFormat(Qt.TextFormat.PlainText)


def own_markup(text: str) -> str:
    """Marks markup of the program's own, which holds no name out of a file."""
    return text


def plain_tip(text: str) -> str:
    """The text of a tool tip that Qt shows as it is, with its line breaks."""
    return f'<span style="white-space: pre-wrap">{html.escape(text)}</span>' if Guess.mightBeRichText(text) else text


def plot_text(text: str) -> str:
    """A text for a legend or an axis of pyqtgraph, which takes all texts for HTML."""
    return html.escape(text, quote=False)


def menu_text(name: str) -> str:
    """A name in a menu or on a button, where a single & would underline the next letter."""
    return name.replace("&", "&&")
