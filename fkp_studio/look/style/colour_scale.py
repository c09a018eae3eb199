"""The cividis colour scale for errors and uncertainties: dark blue is low, yellow is high; colour-blind safe.

Nuñez, Anderton and Renslow, PLOS ONE 2018.
"""

from __future__ import annotations

from PySide6.QtGui import QColor

_STOPS = (0x00204D, 0x05366E, 0x414D6B, 0x61646F, 0x7D7C78, 0x9B9477, 0xBDAF6F, 0xE0CB5E, 0xFFEA46)  # evenly spaced
_BRIGHT = 0.47  # at or above this value dark text is readable


def cividis(value: float) -> QColor:
    """The colour of a value from 0 (low) to 1 (high); clipped."""
    at = min(max(value, 0.0), 1.0) * (len(_STOPS) - 1)
    low = min(int(at), len(_STOPS) - 2)
    part, first, second = at - low, _STOPS[low], _STOPS[low + 1]
    mixed = [round((first >> shift & 255) * (1 - part) + (second >> shift & 255) * part) for shift in (16, 8, 0)]
    return QColor(*mixed)


def text_on(value: float) -> QColor:
    """The text colour that is readable on `cividis(value)`."""
    return QColor("#000000" if value >= _BRIGHT else "#FFFFFF")
