"""ARCHITECTURE.md names only what exists, and every package has its place in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`((?:training|fkp_studio|tests|benchmarks|docs)/[\w/.]*)`", PAGE)))


@pytest.mark.parametrize("path", PATHS)
def test_each_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("side", ["training", "fkp_studio"])
def test_each_package_is_named(side: str) -> None:
    packages = {f"{side}/{init.parent.name}/" for init in (ROOT / side).glob("*/__init__.py")}
    assert packages <= set(PATHS)
