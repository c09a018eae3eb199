"""The display controls in the canvas's corner: fit, brightness, contrast, equalise, point size, error ellipses."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from fkp_studio.face.marks import SIZES, Display
from fkp_studio.face.tone import Tone
from fkp_studio.look.style import assets, theme
from fkp_studio.look.widgets.plain_text import PlainLabel, plain_tip

GAP = 8


class DisplayBar(QWidget):
    """Floats over its parent's top right corner. It changes only how the image is shown."""

    display_chosen = Signal(object)  # Display
    fit_chosen = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._over = parent
        self._display = Display()
        self.fit_button = _button("fit", "Fit the face to the window")
        self.adjust_button = _button("contrast", "Brightness, contrast, point size and error ellipses")
        self.adjust_button.setCheckable(True)
        self.adjust = AdjustPanel(parent)
        self.adjust.hide()
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)  # readable over a bright image too
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 2, 2, 2)
        row.setSpacing(2)
        row.addWidget(self.fit_button)
        row.addWidget(self.adjust_button)
        self.fit_button.clicked.connect(self.fit_chosen)
        self.adjust_button.toggled.connect(self._on_adjust_toggled)
        self.adjust.display_chosen.connect(self.display_chosen)
        theme.current().changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    def put(self) -> None:
        """Move to the parent's corner. Call it when the parent is resized."""
        right = self._over.width() - GAP
        self.adjustSize()
        self.move(right - self.width(), GAP)
        self.adjust.adjustSize()
        self.adjust.move(right - self.adjust.width(), GAP + self.height() + 4)

    def toggle_adjust(self) -> None:
        """Open or close the sliders."""
        self.adjust_button.toggle()

    def close_adjust(self) -> bool:
        """Close the sliders; returns whether they were open."""
        was_open = self.adjust_button.isChecked()
        self.adjust_button.setChecked(False)
        return was_open

    def show_display(self, display: Display) -> None:
        """Set the sliders to the canvas's display."""
        self.adjust.show_display(display)

    def setVisible(self, visible: bool) -> None:
        super().setVisible(visible)
        self.adjust.setVisible(visible and self.adjust_button.isChecked())

    def _on_theme_changed(self) -> None:
        self.setStyleSheet(f"DisplayBar {{ background: {theme.colours().panel}; border-radius: 6px; }}")

    def _on_adjust_toggled(self, on: bool) -> None:
        self.put()
        self.adjust.setVisible(on)
        self.adjust.raise_()


class AdjustPanel(QFrame):
    """The panel with the sliders."""

    display_chosen = Signal(object)  # Display

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._display = Display()
        self._showing = False
        self.brightness = _slider("Brightness", -100, 100)
        self.contrast = _slider("Contrast", -100, 100)
        self.point_size = _slider("Point size", int(SIZES[0]), int(SIZES[1]))
        self.equalise = QCheckBox("Equalise")
        self.equalise.setToolTip("Spread the grey levels evenly, to see detail in dark areas")
        self.ellipses = QCheckBox("Error ellipses")
        self.ellipses.setToolTip(
            "Each missing point lies in its ellipse with 95 % probability; each label you place shrinks the others"
        )
        self.reset = QPushButton("Reset")
        self._lay_out()
        for slider in (self.brightness, self.contrast, self.point_size):
            slider.valueChanged.connect(self._on_changed)
        for box in (self.equalise, self.ellipses):
            box.toggled.connect(self._on_changed)
        self.reset.clicked.connect(self._on_reset)
        theme.current().changed.connect(self._on_theme_changed)
        self._on_theme_changed()
        self.show_display(self._display)

    def show_display(self, display: Display) -> None:
        """Set the sliders to `display` without emitting `display_chosen`."""
        self._display, self._showing = display, True
        self.brightness.setValue(display.tone.brightness)
        self.contrast.setValue(display.tone.contrast)
        self.equalise.setChecked(display.tone.equalise)
        self.ellipses.setChecked(display.ellipses)
        self.point_size.setValue(round(display.point_size))
        self._showing = False

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        rows = (("Brightness", self.brightness), ("Contrast", self.contrast), ("Point size", self.point_size))
        for row, (text, slider) in enumerate(rows):
            label = PlainLabel(text)
            label.setBuddy(slider)
            grid.addWidget(label, row, 0)
            grid.addWidget(slider, row, 1)
        last = QHBoxLayout()
        last.addWidget(self.equalise)
        last.addStretch()
        last.addWidget(self.reset)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(12)
        column.addLayout(grid)
        column.addWidget(self.ellipses)
        column.addLayout(last)

    def _on_changed(self) -> None:
        if self._showing:
            return
        tone = Tone(self.brightness.value(), self.contrast.value(), self.equalise.isChecked())
        size, ellipses = float(self.point_size.value()), self.ellipses.isChecked()
        self._display = replace(self._display, tone=tone, point_size=size, ellipses=ellipses)
        self.display_chosen.emit(self._display)

    def _on_reset(self) -> None:
        self.display_chosen.emit(replace(self._display, tone=Tone(), point_size=Display().point_size))

    def _on_theme_changed(self) -> None:
        c = theme.colours()
        self.setStyleSheet(f"AdjustPanel {{ background: {c.panel}; border: 1px solid {c.line}; border-radius: 6px; }}")


def _button(icon: str, text: str) -> QToolButton:
    button = QToolButton()
    button.setIcon(assets.icon(icon))
    button.setToolTip(plain_tip(text))
    button.setAccessibleName(text)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def _slider(name: str, low: int, high: int) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(low, high)
    slider.setFixedWidth(136)
    slider.setAccessibleName(name)
    return slider
