"""What `make` relies on before there is a virtual environment."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from training import __version__

CI = Path(__file__).resolve().parents[2] / ".ci"


@pytest.fixture
def ci(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The set-up's modules can be imported by their names, in this test alone."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(CI))
    yield
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent == CI:
            del sys.modules[name]


@pytest.fixture
def system(ci: None, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """On a bare Debian: no library is found, no program but apt-get, no font, no venv; nothing may be installed."""
    module = importlib.import_module("system")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(module, "_loads", lambda library: False)
    monkeypatch.setattr(module, "_has_font", lambda: False)
    monkeypatch.setattr(module, "_has_venv_module", lambda: False)
    monkeypatch.setattr(module.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(module.debian, "can_install", lambda: False)
    return module


def test_all_that_is_missing_is_named_in_one_command(system: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(system.SetupError) as raised:
        system.provide(tmp_path, platform="offscreen", x_tests=True)
    (command,) = [line.split() for line in str(raised.value).splitlines() if "apt-get install" in line]
    venv = f"python3.{sys.version_info.minor}-venv"
    assert {"libegl1", "libxcb-cursor0", "libxcb-icccm4", "fonts-dejavu-core", "xvfb", venv} <= set(command)
    assert len(command) == len(set(command))


def test_the_app_alone_needs_no_x_server(system: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(system.SetupError) as raised:
        system.provide(tmp_path, platform="offscreen")
    assert "libegl1" in str(raised.value) and "xvfb" not in str(raised.value) and "libxcb" not in str(raised.value)


def test_without_an_x_server_the_other_tests_run(
    system: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_loads", "_has_font", "_has_venv_module"):
        monkeypatch.setattr(system, name, lambda *_: True)
    assert system.provide(tmp_path, platform="offscreen", x_tests=True).for_x_tests == ("xvfb",)


def test_as_root_what_is_missing_is_installed_at_once(
    system: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[list[str]] = []

    def install(packages: list[str]) -> bool:
        installed.append(packages)
        for name in ("_loads", "_has_font", "_has_venv_module"):
            monkeypatch.setattr(system, name, lambda *_: True)
        return True

    monkeypatch.setattr(system.debian, "can_install", lambda: True)
    monkeypatch.setattr(system.debian, "install", install)
    system.provide(tmp_path, platform="xcb")
    (packages,) = installed
    assert {"libegl1", "libxcb-cursor0"} <= set(packages)


def test_tests_mirror_packages(ci: None, tmp_path: Path) -> None:
    changed_tests = importlib.import_module("changed_tests")
    files = ("unit/a/test_b.py", "unit/a/test_b_more.py", "unit/a/test_c.py", "gui/a/test_b.py", "unit/test_b.py")
    for file in files:
        (tmp_path / "tests" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tests" / file).touch()
    found = sorted(changed_tests.tests_of("training/a/b.py", tmp_path))
    assert found == ["tests/unit/a/test_b.py", "tests/unit/a/test_b_more.py"]
    assert changed_tests.tests_of("fkp_studio/a/b.py", tmp_path) == ["tests/gui/a/test_b.py"]
    nearest = sorted(changed_tests.tests_of("training/a/deep/d.py", tmp_path))
    assert nearest == ["tests/unit/a/test_b.py", "tests/unit/a/test_b_more.py", "tests/unit/a/test_c.py"]
    assert changed_tests.tests_of("training/elsewhere/d.py", tmp_path) == []
    assert changed_tests.tests_of("tests/unit/a/test_c.py", tmp_path) == ["tests/unit/a/test_c.py"]
    for other in (
        "training/a/__init__.py",
        "README.md",
        "tests/unit/a/test_gone.py",
        "benchmarks/b.py",
        "tests/e2e/test_x.py",
    ):
        assert changed_tests.tests_of(other, tmp_path) == []


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_changed_and_new_files_are_found(ci: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)  # in a commit hook they name the project's own repository
    changed_tests = importlib.import_module("changed_tests")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for name in ("training/a.py", "training/b.py", "tests/unit/test_a.py", "tests/unit/test_b.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    assert changed_tests.changed_tests(tmp_path) == []
    (tmp_path / "training" / "a.py").write_text("x = 1\n")
    (tmp_path / "tests" / "unit" / "test_new.py").touch()
    assert changed_tests.changed_tests(tmp_path) == ["tests/unit/test_a.py", "tests/unit/test_new.py"]


def test_the_version_is_the_same_everywhere() -> None:
    citation = (CI.parent / "CITATION.cff").read_text(encoding="utf-8")
    changes = (CI.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.search(r"^## (\d\S*) - (\d{4}-\d\d-\d\d)$", changes, re.MULTILINE)
    assert released is not None and released[1] == __version__
    assert f"version: {__version__}\n" in citation and f'date-released: "{released[2]}"' in citation
