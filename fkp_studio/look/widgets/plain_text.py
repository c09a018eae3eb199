"""Names out of files are shown as they are, never as markup.

Qt guesses whether a text is HTML. A label, a tip or a message box would render a name such as `<h1>a</h1>` or fetch the
image that it points to. So labels and message boxes get a plain format here, and tips are escaped where Qt would guess.
"""

from __future__ import annotations

import html

from PySide6.QtCore import Qt
from PySide6.QtGui import Qt as Guess
from PySide6.QtWidgets import QLabel, QMessageBox, QWidget


def plain_label(text: str = "", *, role: str = "", parent: QWidget | None = None) -> QLabel:
    """A label that shows its texts as they are. role: a role of the style sheet."""
    made = QLabel(parent)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setText(text)
    if role:
        made.setProperty("role", role)
    return made


def plain_box(
    parent: QWidget | None,
    text: str = "",
    *,
    title: str = "FKP Studio",
    buttons: QMessageBox.StandardButton = QMessageBox.StandardButton.NoButton,
) -> QMessageBox:
    """A message box that shows its texts as they are, also the informative one."""
    made = QMessageBox(QMessageBox.Icon.NoIcon, title, text, buttons, parent)
    made.setTextFormat(Qt.TextFormat.PlainText)
    for label in made.findChildren(QLabel):
        label.setTextFormat(Qt.TextFormat.PlainText)
    return made


def plain_tip(text: str) -> str:
    """The text of a tool tip, status tip or what's-this that Qt shows as it is, with its line breaks."""
    return f"<span style='white-space: pre-wrap'>{html.escape(text)}</span>" if Guess.mightBeRichText(text) else text


def menu_text(name: str) -> str:
    """A name in a menu, a button or a tab, where a single & would underline the next letter."""
    return name.replace("&", "&&")
