"""The start page: cards for the demo, import and photos, and recent projects with a face each."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLayout,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from fkp_studio.background.tasks import run_task
from fkp_studio.face.images import to_image
from fkp_studio.look.style import assets, theme
from fkp_studio.look.widgets.plain_text import PlainLabel, plain_tip
from training.errors import UserError
from training.words import counted

WIDTH = 880  # px, the page's largest width
FACE = 56  # px
SHOWN = 6  # recent projects


@dataclass(frozen=True)
class Glimpse:
    """What the start page shows of a project. image: uint8, grey, of its first face; None if it is unreadable."""

    path: Path
    count: int
    changed: float
    image: np.ndarray | None


def glimpse(path: Path) -> Glimpse:
    """Read a project's summary. Raises UserError if it cannot be opened. For a background thread."""
    from training.storage.project.project import Project

    with Project.open(path, read_only=True) as project:
        changed, kept = (path / "project.db").stat().st_mtime, project.kept_ids()
        try:
            image = project.images(kept[:1], size=FACE * 2)[0] if len(kept) else None
        except UserError:
            image = None
        return Glimpse(path, len(kept), changed, image)


def ago(then: float, *, now: float | None = None) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `2 days ago`, or the date."""
    seconds = max(0.0, (time.time() if now is None else now) - then)
    for size, words in ((60, "just now"), (3600, "{} min ago"), (86400, "{} h ago"), (30 * 86400, "{} days ago")):
        if seconds < size:
            unit = {60: 1, 3600: 60, 86400: 3600}.get(size, 86400)
            return words.format(int(seconds // unit)).replace("1 days", "1 day")
    return time.strftime("%Y-%m-%d", time.localtime(then))


class Card(QPushButton):
    """A large button with an icon, a title and a line on what it does."""

    def __init__(self, icon: str, title: str, text: str) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.setAccessibleName(title)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._icon_name, self._icon = icon, PlainLabel()
        heading = PlainLabel(title)
        heading.setFont(theme.font(pixels=15, bold=True))
        self.line = PlainLabel(text)
        self.line.setProperty("role", "dim")
        self.line.setWordWrap(True)
        self.bar = QProgressBar(maximum=1000)
        self.bar.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(6)
        for widget in (self._icon, heading, self.line):
            widget.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            layout.addWidget(widget)
        layout.addStretch(1)
        layout.addWidget(self.bar)
        self._draw()
        theme.current().changed.connect(self._draw)

    def _draw(self) -> None:
        self._icon.setPixmap(
            assets.icon(self._icon_name, colour=theme.colours().link).pixmap(QSize(28, 28), self.devicePixelRatioF())
        )


class Recent(QPushButton):
    """A recent project: a face, its name, its number of faces, when it was changed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.setProperty("small", True)
        self.setToolTip(plain_tip(str(path)))
        self.setAccessibleName(f"Open {path.stem}")
        self._image = PlainLabel()
        self._image.setFixedSize(FACE, FACE)
        name = PlainLabel(path.stem)
        name.setText(name.fontMetrics().elidedText(path.stem, Qt.TextElideMode.ElideMiddle, 170))
        name.setFont(theme.font(bold=True))
        self._facts = PlainLabel(" ")
        self._facts.setProperty("role", "dim")
        grid = QGridLayout(self)
        grid.setContentsMargins(10, 10, 10, 10)
        grid.setHorizontalSpacing(12)
        grid.addWidget(self._image, 0, 0, 2, 1)
        grid.addWidget(name, 0, 1, Qt.AlignmentFlag.AlignBottom)
        grid.addWidget(self._facts, 1, 1, Qt.AlignmentFlag.AlignTop)
        grid.setColumnStretch(1, 1)
        for label in (self._image, name, self._facts):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def show_glimpse(self, found: Glimpse) -> None:
        """Fill in what was read in the background."""
        self._facts.setText(f"{counted(found.count, 'face')} · {ago(found.changed)}")
        if found.image is not None:
            self._image.setPixmap(_rounded(found.image, self.devicePixelRatioF()))

    def show_fault(self, error: BaseException) -> None:
        """Show that the project cannot be read, in place of its facts."""
        self._facts.setText("can't be read")
        self.setToolTip(plain_tip(str(error)))


def _rounded(image: np.ndarray, ratio: float) -> QPixmap:
    """A pixmap with rounded corners from an image uint8 [H, W], FACE px at the screen's ratio."""
    side = round(FACE * ratio)
    scaled = to_image(image).scaled(side, side, mode=Qt.TransformationMode.SmoothTransformation)
    made = QPixmap(side, side)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    shape = QPainterPath()
    shape.addRoundedRect(0, 0, side, side, 4 * ratio, 4 * ratio)
    painter.setClipPath(shape)
    painter.drawImage(0, 0, scaled)
    painter.end()
    made.setDevicePixelRatio(ratio)
    return made


def _stack(page: QWidget, *parts: QWidget | QLayout | int) -> None:
    """Stack parts vertically; a number adds that many pixels of space."""
    column = QVBoxLayout(page)
    column.setContentsMargins(24, 24, 24, 24)
    column.setSpacing(8)
    for part in parts:
        if isinstance(part, int):
            column.addSpacing(part)
        elif isinstance(part, QWidget):
            column.addWidget(part)
        else:
            column.addLayout(part)


class WelcomePage(QWidget):
    """Shown while no project is open. `acts`: the actions behind the cards; `open_path` opens a recent project."""

    def __init__(self, acts: dict[str, Callable[[], object]], open_path: Callable[[Path], object]) -> None:
        super().__init__()
        self._open_path = open_path
        # The page takes the first focus, so that no card is highlighted before a key is pressed.
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        title = PlainLabel("FKP Studio")
        title.setFont(theme.font(pixels=26, bold=True))
        line = PlainLabel(
            "See where facial keypoints are missing or wrong, fill them with a model, train on your labels."
        )
        line.setProperty("role", "dim")
        line.setWordWrap(True)
        self.demo = Card("face", "Open the demo", "1,000 synthetic faces with missing labels, to try everything.")
        self._demo_text = self.demo.line.text()
        self.data = Card(
            "import", "Import a data set", "Kaggle CSV, images with .pts files, or images with a CSV of points."
        )
        self.photos = Card(
            "photos", "Open a folder of photos", "Photos without labels, to place points by hand or with a model."
        )
        for card, name in ((self.demo, "demo"), (self.data, "import"), (self.photos, "import_photos")):
            card.clicked.connect(acts[name])
        cards = QHBoxLayout()
        cards.setSpacing(16)
        for card in (self.demo, self.data, self.photos):
            cards.addWidget(card, 1)
        self._heading = PlainLabel("RECENT PROJECTS")
        self._heading.setProperty("role", "heading")
        self._recent = QGridLayout()
        self._recent.setSpacing(12)
        hint = PlainLabel("Or drop a folder, CSV or project anywhere on this window.")
        hint.setProperty("role", "dim")
        self._page = QWidget()
        _stack(self._page, title, line, 24, cards, 24, self._heading, self._recent, 16, hint)
        self.setMinimumSize(320, 240)  # or its width would keep the docks narrow while another page is shown
        outer = QHBoxLayout(self)
        outer.addWidget(self._page, alignment=Qt.AlignmentFlag.AlignCenter)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._page.setFixedWidth(min(WIDTH, self.width() - 32))
        super().resizeEvent(event)

    def show_recent(self, paths: list[Path]) -> None:
        """List the recent projects; their faces follow a moment later."""
        while (item := self._recent.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        self._heading.setVisible(bool(paths))
        for place, path in enumerate(paths[:SHOWN]):
            entry = Recent(path)
            entry.clicked.connect(lambda _checked=False, p=path: self._open_path(p))
            self._recent.addWidget(entry, place // 3, place % 3)
            run_task(glimpse, path, done=entry.show_glimpse, failed=entry.show_fault)
        for column in range(3):
            self._recent.setColumnStretch(column, 1)

    def show_progress(self, done: float, sentence: str) -> None:
        """Show how far the demo is."""
        self.demo.bar.show()
        self.demo.bar.setValue(round(done * 1000))
        self.demo.line.setText(sentence[:1].upper() + sentence[1:])
        self.demo.setEnabled(False)

    def end_progress(self) -> None:
        """Reset the demo card after it was made or failed."""
        self.demo.bar.hide()
        self.demo.line.setText(self._demo_text)
        self.demo.setEnabled(True)
