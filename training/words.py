"""Counts in words."""

from __future__ import annotations


def counted(number: int, word: str) -> str:
    """'1 face', '1,204 faces'."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")
