"""SVG icons from resources/icons, rendered in the text colour at any resolution."""

from __future__ import annotations

from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, QStandardPaths, Qt
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QIconEngine, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer

from training.errors import UserError


def svg(name: str, *, colour: str = "currentColor") -> str:
    """The icon's SVG text with `currentColor` replaced. Raises UserError for an unknown name."""
    try:
        text = (files("resources") / "icons" / f"{name}.svg").read_text("utf-8")
    except FileNotFoundError:
        raise UserError(f"The icon {name!r} is missing; reinstall FKP Studio.") from None
    return text.replace("currentColor", colour)


class _Engine(QIconEngine):
    """Paints the drawing in the palette's current text colour, so that a theme change needs no new icons."""

    def __init__(self, name: str, colour: str | None) -> None:
        super().__init__()
        self._name, self._colour = name, colour
        self._renderers: dict[str, QSvgRenderer] = {}

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, _state: QIcon.State) -> None:
        self._renderer(self._ink(mode)).render(painter, QRectF(rect))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, _scale: float) -> QPixmap:
        made = QPixmap(size)
        made.fill(Qt.GlobalColor.transparent)
        painter = QPainter(made)
        self.paint(painter, made.rect(), mode, state)
        painter.end()
        return made

    def clone(self) -> QIconEngine:
        return _Engine(self._name, self._colour)

    def _ink(self, mode: QIcon.Mode) -> str:
        if self._colour is not None and mode != QIcon.Mode.Disabled:
            return self._colour
        group = QPalette.ColorGroup.Disabled if mode == QIcon.Mode.Disabled else QPalette.ColorGroup.Active
        return QGuiApplication.palette().color(group, QPalette.ColorRole.WindowText).name()

    def _renderer(self, ink: str) -> QSvgRenderer:
        if ink not in self._renderers:
            self._renderers[ink] = QSvgRenderer(QByteArray(svg(self._name, colour=ink).encode()))
        return self._renderers[ink]


def icon(name: str, *, colour: str | None = None) -> QIcon:
    """The icon in the current theme's text colour, or in `colour`. Raises UserError for an unknown name."""
    svg(name)
    return QIcon(_Engine(name, colour))


def icon_path(name: str, *, colour: str) -> Path:
    """A file with the icon in `colour`, for style sheets, which accept only paths. It is kept in the cache folder.

    If that cannot be written the file is missing, and style sheets draw nothing in its place.
    """
    folder = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.CacheLocation)) / "icons"
    path = folder / f"{name}-{QColor(colour).name()[1:]}.svg"
    text = svg(name, colour=colour)
    with suppress(OSError):
        if not path.exists() or path.read_text("utf-8") != text:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    return path
