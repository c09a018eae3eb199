"""The short form of every harness, each in a process of its own; `make torture` runs the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.catalogue import HARNESSES, Harness
from tests.torture.single import run_single


@pytest.mark.parametrize("harness", HARNESSES, ids=lambda harness: harness.name)
def test_nothing_is_found(harness: Harness, tmp_path: Path) -> None:
    outcome = run_single(harness, tmp_path / "scratch", count=harness.short, seed=0)
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert sum(row.tried for row in outcome.rows) > 0
    assert outcome.found == []
