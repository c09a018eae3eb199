"""Progress and cancelling of long work, independent of threads and Qt."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[float, str], None]
IsCancelled = Callable[[], bool]


class Cancelled(Exception):  # noqa: N818 - not an error: the user asked for it
    """The user cancelled; whoever catches it undoes partial work."""


class Progress:
    """Reports progress (0..1 and a few words) and raises Cancelled where the caller asked to stop."""

    def __init__(self, report: Report | None = None, cancelled: IsCancelled | None = None) -> None:
        self._report = report
        self._cancelled = cancelled

    def __call__(self, fraction: float, text: str) -> None:
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        if self._report is not None:
            self._report(min(max(fraction, 0.0), 1.0), text)

    def part(self, low: float, high: float) -> Progress:
        """A Progress whose 0..1 maps to low..high of this one."""
        report = self._report
        if report is None:
            return Progress(None, self._cancelled)
        return Progress(lambda fraction, text: report(low + (high - low) * fraction, text), self._cancelled)
