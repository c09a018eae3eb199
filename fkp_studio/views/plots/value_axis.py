"""A plot axis with plain numbers (1, 2, 5, 10, 20, 50...) on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyqtgraph as pg

TICK_ROOM = 18, 60  # px that a tick's text needs: its height, its width
Ticks = list[tuple[float, list[float]]]


class ValueAxis(pg.AxisItem):
    """Plain numbers on a logarithmic axis; a linear one is pyqtgraph's own."""

    def tickValues(self, minVal: float, maxVal: float, size: float) -> Ticks:
        """The tick positions: one level only, so that every grid line has a number."""
        if not self.logMode:
            ticks: Ticks = super().tickValues(minVal, maxVal, size)
            return ticks
        room = TICK_ROOM[self.orientation in ("top", "bottom")]
        return [(1.0, log_ticks(minVal, maxVal, most=max(2, int(size // room))))]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """The texts of the ticks."""
        if not self.logMode:
            texts: list[str] = super().tickStrings(values, scale, spacing)
            return texts
        return [f"{10**value:g}" for value in values]


def log_ticks(low: float, high: float, *, most: int) -> list[float]:
    """The log10 of at most `most` ticks in 10^low..10^high: powers of ten, with 2 and 5 (or 1 to 9) if they fit."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return []
    decades = range(math.floor(low), math.ceil(high) + 1)
    for factors in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3), (1,)):
        found = [t for d in decades for f in factors if low <= (t := d + math.log10(f)) <= high]
        if 2 <= len(found) <= most:
            return found
    step = -(-len(decades) // most)
    return [float(d) for d in decades if low <= d <= high and d % step == 0]
