"""A form of a run's settings, generated from RunConfig's fields, and its dialog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import Field
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSlider,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from fkp_studio.look.style import theme
from fkp_studio.look.widgets.plain_text import PlainLabel, plain_tip
from training.errors import UserError
from training.storage.runs.settings.config import SETTINGS, RunConfig, with_overrides
from training.storage.runs.settings.recipes import RECIPES, recipe_config
from training.storage.runs.settings.setting import PAGES

FIXED = ("recipe", "variant")  # chosen above the form
LARGEST_SPIN = 2**31 - 1


class ConfigForm(QWidget):
    """One tab per group, one row per setting: name, value, description. Settings that differ from the recipe are bold.

    wanted: the pages to show; a single one has no tab. sliders: settings that get a slider up to this value instead of
    their description, which becomes a tool tip.
    """

    changed = Signal()

    def __init__(
        self,
        config: RunConfig,
        parent: QWidget | None = None,
        *,
        wanted: Sequence[str] = PAGES,
        sliders: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(parent)
        self._ends, self._sliders = sliders or {}, dict[str, _Slider]()
        self._labels: dict[str, QLabel] = {}
        self._editors: dict[str, QWidget] = {}
        self._base = self._config = config
        pages = {g: self._page([f for f in SETTINGS.values() if f.metadata["page"] == g]) for g in wanted}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(_tabs(pages) if len(pages) > 1 else pages[wanted[0]])
        self.set_config(config, base=config)

    def set_config(self, config: RunConfig, *, base: RunConfig) -> None:
        """Show these settings, with those that differ from `base` in bold."""
        self._base, self._config = base, config
        for name, editor in self._editors.items():
            editor.blockSignals(True)
            _show(editor, config.value(name))
            editor.blockSignals(False)
        for name, slider in self._sliders.items():
            slider.follow(_as_text(config.value(name)))
        self._mark()

    def config(self) -> RunConfig:
        """The current settings; those not shown keep their values. Raises UserError naming an invalid one."""
        texts = {name: _text(editor) for name, editor in self._editors.items()}
        return with_overrides(self._config, texts)

    def _page(self, rows: list[Field[Any]]) -> QScrollArea:
        page = QWidget()
        grid = QGridLayout(page)
        grid.setContentsMargins(16, 16, 16, 16)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(2, 1)
        for row, field in enumerate(f for f in rows if f.name not in FIXED):
            self._add_row(grid, row, field)
        grid.setRowStretch(grid.rowCount(), 1)
        area = QScrollArea(widgetResizable=True)
        area.setWidget(page)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        return area

    def _add_row(self, grid: QGridLayout, row: int, field: Field[Any]) -> None:
        words = field.name.replace("_", " ")
        label, editor = PlainLabel(words), _editor(field, self._touched)
        about = self._about(field, editor)
        editor.setAccessibleName(words)
        editor.setAccessibleDescription(field.metadata["help"])
        editor.setFixedWidth(64 if field.name in self._ends else 132)
        label.setBuddy(editor)
        for column, widget in enumerate((label, editor, about)):
            if widget is not None:
                span = 2 if widget is editor and about is None else 1
                grid.addWidget(widget, row, column, 1, span, Qt.AlignmentFlag.AlignVCenter)
        self._labels[field.name], self._editors[field.name] = label, editor

    def _about(self, field: Field[Any], editor: QWidget) -> QWidget | None:
        """The widget beside a value: its description or its slider."""
        words, limits = field.metadata["help"], _range_text(field)
        if field.name in self._ends and isinstance(editor, QLineEdit):
            editor.setToolTip(plain_tip(f"{words}\n{limits}"))
            slider = _Slider(editor, low=field.metadata["low"], end=self._ends[field.name])
            slider.setToolTip(plain_tip(words))
            slider.setAccessibleName(words)
            self._sliders[field.name] = slider
            return slider
        if self._ends:
            editor.setToolTip(plain_tip(words))
            return None
        editor.setToolTip(plain_tip(limits))
        about = PlainLabel(words, wordWrap=True)
        about.setProperty("role", "dim")
        about.setFont(theme.font(pixels=12))
        return about

    def _touched(self) -> None:
        self._mark()
        self.changed.emit()

    def _mark(self) -> None:
        for name, editor in self._editors.items():
            same = _text(editor) == _as_text(self._base.value(name))
            self._labels[name].setFont(theme.font(bold=not same))


class ConfigDialog(QDialog):
    """Edits a recipe's settings; once accepted, `config` returns them and `train_now` says whether to start at once."""

    def __init__(self, config: RunConfig, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.train_now = False
        self._result = config
        self.setWindowTitle("Run settings")
        self.variant = QComboBox()
        self.variant.addItem("Our values, for minutes on a CPU", "default")
        if "paper" in RECIPES[config.recipe].variants:
            self.variant.addItem("The paper's values", "paper")
        self.variant.setCurrentIndex(max(0, self.variant.findData(config.variant)))
        self.variant.setAccessibleName("Variant of the recipe")
        self.form = ConfigForm(config)
        self.form.set_config(config, base=recipe_config(config.recipe, config.variant))
        self.fault = PlainLabel(wordWrap=True)
        self.fault.setProperty("role", "danger")
        self.buttons = self._make_buttons()
        self._lay_out(config.recipe)
        self.variant.currentIndexChanged.connect(self._reset)
        self.form.changed.connect(self._check)
        self.resize(720, 520)

    def config(self) -> RunConfig:
        """The accepted settings."""
        return self._result

    def _make_buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.reset_button = buttons.addButton("Reset", QDialogButtonBox.ButtonRole.ResetRole)
        self.keep_button = buttons.addButton("Keep settings", QDialogButtonBox.ButtonRole.AcceptRole)
        self.train_button = QPushButton("Train now")
        self.train_button.setProperty("role", "primary")
        buttons.addButton(self.train_button, QDialogButtonBox.ButtonRole.AcceptRole)
        self.train_button.setDefault(True)
        self.train_button.clicked.connect(self._train)
        self.keep_button.clicked.connect(self.accept)
        self.reset_button.clicked.connect(self._reset)
        buttons.rejected.connect(self.reject)
        return buttons

    def _lay_out(self, recipe: str) -> None:
        top = QHBoxLayout()
        title = PlainLabel(RECIPES[recipe].title if recipe in RECIPES else recipe)
        title.setFont(theme.font(pixels=15, bold=True))
        top.addWidget(title)
        top.addStretch()
        top.addWidget(self.variant)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        column.addLayout(top)
        column.addWidget(self.form, 1)
        column.addWidget(self.fault)
        column.addWidget(self.buttons)

    def _reset(self) -> None:
        base = recipe_config(self._result.recipe, self.variant.currentData())
        self.form.set_config(base, base=base)
        self._check()

    def _check(self) -> bool:
        try:
            self._result = self.form.config()
        except UserError as error:
            self.fault.setText(str(error))
        else:
            self.fault.setText("")
        right = not self.fault.text()
        self.train_button.setEnabled(right)
        self.keep_button.setEnabled(right)
        return right

    def _train(self) -> None:
        self.train_now = True
        self.accept()

    def accept(self) -> None:
        """Close, unless a setting is invalid."""
        if self._check():
            super().accept()


def _tabs(pages: Mapping[str, QWidget]) -> QTabWidget:
    tabs = QTabWidget()
    tabs.setDocumentMode(True)
    for name, page in pages.items():
        tabs.addTab(page, name)
    return tabs


class _Slider(QSlider):
    """A slider tied to the number in a line edit: low to end in a hundred steps."""

    def __init__(self, line: QLineEdit, *, low: float, end: float) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setMaximum(100)
        self._low, self._end = low, end
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the line edit beside it takes the keyboard
        line.textChanged.connect(self.follow)
        self.valueChanged.connect(lambda value: line.setText(f"{low + value / 100 * (end - low):.3g}"))

    def follow(self, text: str) -> None:
        """Move to the number without changing it."""
        self.blockSignals(True)
        try:
            self.setValue(round(100 * (float(text) - self._low) / (self._end - self._low)))
        except (ValueError, OverflowError):  # still being typed
            self.setValue(0)
        self.blockSignals(False)


def _editor(field: Field[Any], touched: Any) -> QWidget:
    """A combo box for choices, a check box for booleans, a spin box for integers, a line edit for the rest."""
    kind, limits = str(field.type), field.metadata
    if limits["choices"]:
        combo = QComboBox()
        combo.addItems(limits["choices"])
        combo.currentIndexChanged.connect(touched)
        return combo
    if kind == "bool":
        check = QCheckBox()
        check.toggled.connect(touched)
        return check
    if kind == "int":
        spin = QSpinBox(minimum=int(limits["low"]), maximum=min(int(limits["high"]), LARGEST_SPIN))
        spin.valueChanged.connect(touched)
        return spin
    line = QLineEdit(placeholderText="none" if "None" in kind else "")
    line.textChanged.connect(touched)
    return line


def _show(editor: QWidget, value: Any) -> None:
    if isinstance(editor, QComboBox):
        editor.setCurrentText(str(value))
    elif isinstance(editor, QCheckBox):
        editor.setChecked(bool(value))
    elif isinstance(editor, QSpinBox):
        editor.setValue(int(value))
    elif isinstance(editor, QLineEdit):
        editor.setText(_as_text(value))


def _text(editor: QWidget) -> str:
    if isinstance(editor, QComboBox):
        return editor.currentText()
    if isinstance(editor, QCheckBox):
        return _as_text(editor.isChecked())
    if isinstance(editor, QSpinBox):
        return str(editor.value())
    return editor.text().strip() if isinstance(editor, QLineEdit) else ""


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _range_text(field: Field[Any]) -> str:
    low, high = field.metadata["low"], field.metadata["high"]
    return "" if low is None else f"From {low:g} to {high:g}"
