"""Windows beside the main one: asked for again, one that is open comes to the front."""

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
    """Show the parent's open window of a kind that is the `same` as what is asked for, or make it."""
    there = (window for window in parent.findChildren(kind) if window.isVisible() and same(window))
    window = next(there, None) or make()
    window.show()
    window.activateWindow()
