"""Counts in words."""

from __future__ import annotations

from training.words import counted


def test_a_count_has_its_plural_and_thousands() -> None:
    assert [counted(n, "face") for n in (0, 1, 2, 1204)] == ["0 faces", "1 face", "2 faces", "1,204 faces"]
