"""Colours and fonts. Data colours are fixed (Okabe-Ito); the interface is grey, light or dark."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from fkp_studio.look.style.interface_colours import DARK, LIGHT, Colours
from fkp_studio.look.style.stylesheet import stylesheet

Mode = Literal["system", "light", "dark"]

LABEL = "#E69F00"  # filled disc
PREDICTION = "#56B4E9"  # ring
SUSPECT = "#D55E00"
ACCENT = "#0072B2"
RUN_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#0072B2", "#F0E442", "#999999")


def run_colour(place: int) -> str:
    """The colour of the run at `place` (0 is the first of the project); colours repeat after eight runs."""
    return RUN_COLOURS[place % len(RUN_COLOURS)]


def font(*, pixels: int = 13, bold: bool = False, tabular: bool = False) -> QFont:
    """The system font. tabular: with figures of equal width."""
    made = QFont(QApplication.font())
    made.setPixelSize(pixels)
    made.setBold(bold)
    if tabular:
        made.setFeature(QFont.Tag("tnum"), 1)
    return made


def table_font() -> QFont:
    """The font of tables: 12 px with tabular figures."""
    return font(pixels=12, tabular=True)


def colours() -> Colours:
    """The current interface colours, valid until `current().changed` is emitted."""
    return DARK if QGuiApplication.palette().color(QPalette.ColorRole.Window).lightness() < 128 else LIGHT


class Theme(QObject):
    """Keeps the application's palette and style sheet in sync with the chosen mode and the system's."""

    changed = Signal()

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self.setObjectName("theme")
        self._app = app
        self._mode: Mode = "system"
        app.styleHints().colorSchemeChanged.connect(self._apply)

    @property
    def mode(self) -> Mode:
        """The chosen mode; `colours()` gives the resulting colours."""
        return self._mode

    def set_mode(self, mode: Mode) -> None:
        """Use the light or dark colours, or follow the system."""
        self._mode = mode
        hints = self._app.styleHints()
        schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
        hints.setColorScheme(schemes.get(mode, Qt.ColorScheme.Unknown))
        self._apply()

    def toggle(self) -> Mode:
        """Switch between light and dark, and return the new mode."""
        self.set_mode("light" if colours().dark else "dark")
        return self._mode

    def _apply(self) -> None:
        chosen = self._chosen()
        self._app.setFont(font())
        self._app.setPalette(palette(chosen))
        self._app.setStyleSheet(stylesheet(chosen))
        self.changed.emit()

    def _chosen(self) -> Colours:
        if self._mode != "system":
            return DARK if self._mode == "dark" else LIGHT
        return DARK if self._app.styleHints().colorScheme() == Qt.ColorScheme.Dark else LIGHT


def current() -> Theme:
    """The application's single Theme, made on first use. Raises RuntimeError without a QApplication."""
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        raise RuntimeError("a theme needs a QApplication")
    return app.findChild(Theme) or Theme(app)


def palette(c: Colours) -> QPalette:
    """The Qt palette with these colours."""
    made, role, group = QPalette(), QPalette.ColorRole, QPalette.ColorGroup
    pairs = (
        (role.Window, c.window), (role.WindowText, c.text), (role.Base, c.panel), (role.AlternateBase, c.window),
        (role.Text, c.text), (role.Button, c.raised), (role.ButtonText, c.text), (role.BrightText, c.danger),
        (role.Highlight, c.accent), (role.HighlightedText, c.accent_text), (role.PlaceholderText, c.dim),
        (role.ToolTipBase, c.raised), (role.ToolTipText, c.text), (role.Link, c.link), (role.LinkVisited, c.link),
        (role.Mid, c.line), (role.Light, c.hover), (role.Dark, c.edge), (role.Accent, c.accent),
    )  # fmt: skip
    for which, value in pairs:
        made.setColor(which, QColor(value))
    for which in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(group.Disabled, which, QColor(c.edge))
    return made
