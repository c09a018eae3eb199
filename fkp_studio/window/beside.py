"""Secondary windows: raises one that is already open instead of opening a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtWidgets import QWidget

_Window = TypeVar("_Window", bound=QWidget)


def show_beside(
    parent: QWidget,
    kind: type[_Window],
    make: Callable[[], _Window],
    *,
    same: Callable[[_Window], bool] = lambda _: True,
) -> None:
    """Raise the parent's visible window of this kind that satisfies `same`; make one if there is none."""
    there = (window for window in parent.findChildren(kind) if window.isVisible() and same(window))
    window = next(there, None) or make()
    window.show()
    window.activateWindow()
