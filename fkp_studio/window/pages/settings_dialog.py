"""The settings dialog, generated from the table of settings. Changes apply at once."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from fkp_studio.document.settings import SETTINGS, Setting, Settings
from fkp_studio.look.widgets.plain_text import PlainLabel

HELP_WIDTH = 340  # px; a wrapped label needs a fixed width to know its height


class SettingsDialog(QDialog):
    """One row per setting, by group."""

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._settings = settings
        self.fields: dict[str, QWidget] = {}
        form = QFormLayout()
        form.setHorizontalSpacing(24)
        form.setVerticalSpacing(4)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        group = ""
        for setting in SETTINGS:
            if setting.group != group:
                group = setting.group
                form.addRow(_heading(group))
            form.addRow(setting.title, self._field(setting))
            form.addRow("", _dim(setting.help))
        close = QPushButton("Close")
        close.clicked.connect(self.accept)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(16)
        layout.addLayout(form)
        layout.addWidget(close, alignment=Qt.AlignmentFlag.AlignRight)

    def _field(self, setting: Setting) -> QWidget:
        value = self._settings.get(setting.key)
        field = self._choices(setting, value) if setting.choices else self._number(setting, value)
        field.setAccessibleName(setting.title)
        field.setMinimumWidth(160)
        self.fields[setting.key] = field
        return field

    def _choices(self, setting: Setting, value: Any) -> QWidget:
        box = QComboBox()
        for choice, text in setting.choices:
            box.addItem(text, choice)
        box.setCurrentIndex(box.findData(value))
        box.currentIndexChanged.connect(lambda _row: self._settings.set(setting.key, box.currentData()))
        return box

    def _number(self, setting: Setting, value: Any) -> QWidget:
        if isinstance(setting.default, int):
            whole = QSpinBox(minimum=int(setting.low), maximum=int(setting.high), suffix=setting.unit)
            whole.setValue(value)
            whole.valueChanged.connect(lambda v: self._settings.set(setting.key, v))
            return whole
        number = QDoubleSpinBox(minimum=setting.low, maximum=setting.high, decimals=1, suffix=setting.unit)
        number.setValue(value)
        number.valueChanged.connect(lambda v: self._settings.set(setting.key, round(v, 1)))
        return number


def _heading(text: str) -> QLabel:
    label = PlainLabel(text.upper())
    label.setProperty("role", "heading")
    label.setContentsMargins(0, 8, 0, 0)
    return label


def _dim(text: str) -> QLabel:
    label = PlainLabel(text)
    label.setProperty("role", "dim")
    label.setWordWrap(True)
    label.setFixedWidth(HELP_WIDTH)
    label.setContentsMargins(0, 0, 0, 8)
    return label
