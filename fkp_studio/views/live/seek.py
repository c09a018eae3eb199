"""The seek bar under a video file."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QSlider, QStyle, QStyleOptionSlider, QWidget

from fkp_studio.look.style import theme
from fkp_studio.look.widgets.plain_text import PlainLabel

_RECORDING = "Recording takes every frame. End it to seek."


class SeekBar(QWidget):
    """Follows the shown frame. A drag or click requests another; of requests made meanwhile only the last is kept."""

    sought = Signal(int)  # the requested frame

    def __init__(self) -> None:
        super().__init__()
        self.slider, self.time = _Bar(), PlainLabel()
        self._rate = 25.0
        self._asked = False  # a requested frame is pending
        self._wish: int | None = None
        self.time.setProperty("role", "dim")
        self.time.setFont(theme.table_font())
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(12)
        line.addWidget(self.slider, 1)
        line.addWidget(self.time)
        self.slider.valueChanged.connect(self.go)
        self.hide()

    def begin(self, count: int, rate: float) -> None:
        """Set up for a video of `count` frames at `rate` per second; count 0: a camera, or unknown length."""
        self._rate, self._asked, self._wish = rate, False, None
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, max(0, count - 1))
            self.slider.setPageStep(max(1, round(5 * rate)))
        self.allow(allowed=True)
        self.follow(0)
        self.setVisible(count > 1)

    def allow(self, *, allowed: bool) -> None:
        """Enable or disable seeking."""
        self.slider.setEnabled(allowed)
        self.slider.setToolTip("" if allowed else _RECORDING)

    def follow(self, number: int) -> None:
        """Move to the shown frame, unless the user drags the bar or waits for another frame."""
        if self.slider.isSliderDown() or self._asked:
            return
        with QSignalBlocker(self.slider):
            self.slider.setValue(number)
        self._tell()

    def step(self, frames: int) -> None:
        """Seek `frames` forwards (back if negative)."""
        if self.isVisible() and self.slider.isEnabled():
            self.slider.setValue(self.slider.value() + frames)

    def go(self, number: int) -> None:
        """Request this frame, at once or after the pending one has arrived."""
        self._tell()
        if self._asked:
            self._wish = number
            return
        self._asked = True
        self.sought.emit(number)

    def arrived(self) -> None:
        """Note that the requested frame is shown."""
        wish, self._wish, self._asked = self._wish, None, False
        if wish is not None:
            self.go(wish)

    def _tell(self) -> None:
        whole = (self.slider.maximum() + 1) / self._rate
        self.time.setText(f"{_clock(self.slider.value() / self._rate)} / {_clock(whole)}")


class _Bar(QSlider):
    """A slider that jumps to a press on its groove and drags from there."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setAccessibleName("position in the video")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        handle = self.style().subControlRect(
            QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, self
        )
        if event.button() == Qt.MouseButton.LeftButton and not handle.contains(event.position().toPoint()):
            room = self.width() - handle.width()
            place = round(event.position().x() - handle.width() / 2)
            self.setValue(QStyle.sliderValueFromPosition(self.minimum(), self.maximum(), place, room))
        super().mousePressEvent(event)


def _clock(seconds: float) -> str:
    """The time as 1:02:03, or 2:03 below an hour."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
