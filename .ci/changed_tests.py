"""The tests of what changed since the last commit, for `make check`.

Tests mirror the packages: training/a/b.py and fkp_studio/a/b.py are tested by tests/unit/a/test_b*.py and
tests/gui/a/test_b*.py; without such a file, by all test files of the nearest folder above that has any. A changed test
file is run itself.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path, PurePosixPath

TESTS = {"training": "tests/unit", "fkp_studio": "tests/gui"}


def changed_tests(root: Path) -> list[str]:
    """Test files below `root`, relative to it; none where nothing changed or git is not there."""
    return sorted({test for name in _changed(root) for test in tests_of(name, root)})


def tests_of(name: str, root: Path) -> list[str]:
    """The test files of one changed file, such as "training/a/b.py"."""
    path = PurePosixPath(name)
    if path.suffix != ".py" or len(path.parts) < 2:
        return []
    if path.name.startswith("test_"):
        return [name] if name.startswith(tuple(TESTS.values())) and (root / path).exists() else []
    if path.parts[0] not in TESTS or path.name == "__init__.py":
        return []
    tests, inner = root / TESTS[path.parts[0]], path.relative_to(path.parts[0])
    named = list((tests / inner.parent).glob(f"test_{path.stem}*.py"))
    folders = [tests / folder for folder in inner.parents][:-1]  # the last one is all tests
    nearest = next((found for folder in folders if (found := list(folder.glob("test_*.py")))), [])
    return [file.relative_to(root).as_posix() for file in named or nearest]


def _changed(root: Path) -> list[str]:
    """Files that differ from the last commit, staged or not, and new ones that git does not ignore."""
    names: list[str] = []
    if shutil.which("git") is None:
        return names
    for command in (["diff", "--name-only", "--relative", "HEAD"], ["ls-files", "--others", "--exclude-standard"]):
        done = subprocess.run(["git", *command], cwd=root, capture_output=True, text=True, check=False)  # noqa: S607
        names += done.stdout.splitlines()
    return names
