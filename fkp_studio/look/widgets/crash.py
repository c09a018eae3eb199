"""The dialog shown after an internal error, with the text for a bug report."""

from __future__ import annotations

import platform
import traceback

from PySide6.QtCore import Qt, qVersion
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from fkp_studio.look.style import theme
from fkp_studio.look.widgets.plain_text import PlainLabel
from training import __version__


def report(error: BaseException) -> str:
    """Versions and traceback, for a bug report."""
    versions = f"FKP Studio {__version__}, Qt {qVersion()}, Python {platform.python_version()}, {platform.platform()}"
    return f"{versions}\n\n{''.join(traceback.format_exception(error))}"


class CrashDialog(QDialog):
    """Says that the labels are safe, shows the traceback and copies it."""

    def __init__(self, error: BaseException, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("FKP Studio: internal error")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(640, 420)
        title = PlainLabel("Internal error")
        title.setProperty("role", "title")
        what = PlainLabel(
            "Your labels are safe: every edit was saved when you made it. You can keep working; if the window "
            "behaves oddly, close it and open it again. Please include this text in a bug report:"
        )
        what.setWordWrap(True)
        self.text = QPlainTextEdit(report(error))
        self.text.setReadOnly(True)
        self.text.setFont(theme.table_font())
        self.text.setAccessibleName("Error report")
        buttons = QDialogButtonBox()
        self.copy_button = QPushButton("Copy text")
        self.copy_button.clicked.connect(self._copy)
        go_on = QPushButton("Continue")
        go_on.setProperty("role", "primary")
        buttons.addButton(self.copy_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(go_on, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self.accept)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 16)
        layout.setSpacing(12)
        for widget in (title, what, self.text, buttons):
            layout.addWidget(widget)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())
        self.copy_button.setText("Copied")
