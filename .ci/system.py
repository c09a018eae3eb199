"""What the machine itself must bring: Qt's system libraries, a font, an X server for tests, Python's venv module.

Standard library only. On macOS and Windows, Qt brings all that it needs.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import debian

FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
FONT_FILES = (".ttf", ".otf", ".ttc", ".pfb")


class SetupError(Exception):
    """Something a person must fix first, as a sentence."""


@dataclass(frozen=True)
class Missing:
    """What this machine lacks. packages: nothing runs without them. for_x_tests: tests in a real X window do not run
    without them. unknown: file names of libraries that no package is known for."""

    packages: tuple[str, ...] = ()
    for_x_tests: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def all_packages(self) -> list[str]:
        return sorted({*self.packages, *self.for_x_tests})


def say(sentence: str) -> None:
    """Say what is being done."""
    print(f"==> {sentence}", flush=True)


def has_display() -> bool:
    """Whether a window can be shown."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def qt_platform() -> str:
    """Name of the Qt platform plugin that will be used."""
    if os.environ.get("QT_QPA_PLATFORM"):
        return os.environ["QT_QPA_PLATFORM"].split(":")[0]
    if os.environ.get("DISPLAY"):
        return "xcb"
    return "wayland" if os.environ.get("WAYLAND_DISPLAY") else "offscreen"


def provide(venv: Path, *, platform: str, x_tests: bool = False) -> Missing:
    """Install all that is missing where that is allowed, else name it. Raises SetupError where nothing would run.

    Call it before the virtual environment is made, so that nobody waits in vain, and once more when Qt is there.
    """
    missing = find_missing(venv, platform=platform, x_tests=x_tests)
    if missing.all_packages and debian.can_install():
        debian.install(missing.all_packages)
        missing = find_missing(venv, platform=platform, x_tests=x_tests)
    if missing.packages or missing.unknown:
        raise SetupError(_how(missing.all_packages, missing.unknown))
    return missing


def find_missing(venv: Path, *, platform: str, x_tests: bool = False) -> Missing:
    """What a window on this Qt platform lacks here, and where x_tests is set, what one in an X server does."""
    if sys.platform != "linux":
        return Missing()
    packages, unknown = _library_packages(venv, ("qt", platform))
    if not _has_font():
        packages.add(debian.FONT)
    if not (venv / "bin" / "python").exists() and not _has_venv_module():
        packages.add(debian.venv_package())
    for_x_tests: set[str] = set()
    if x_tests:
        for_x_tests, _ = _library_packages(venv, ("xcb",))
        if shutil.which("Xvfb") is None:
            for_x_tests.add(debian.X_SERVER)
    return Missing(tuple(sorted(packages)), tuple(sorted(for_x_tests - packages)), tuple(unknown))


def _library_packages(venv: Path, groups: Iterable[str]) -> tuple[set[str], list[str]]:
    """(packages to install, libraries no package is known for)."""
    names = _missing_libraries(venv, groups)
    known = {debian.PACKAGES[name] for name in names if name in debian.PACKAGES}
    return known, [name for name in names if name not in debian.PACKAGES]


def _missing_libraries(venv: Path, groups: Iterable[str]) -> list[str]:
    """The libraries that Qt needs and the loader does not find: asked of Qt's own files where they are installed, else
    of our table."""
    folder = next(iter(venv.glob("lib/python*/site-packages/PySide6")), None)
    ldd = shutil.which("ldd")
    if folder is None or ldd is None:
        return sorted(name for group in groups for name in debian.LIBRARIES.get(group, {}) if not _loads(name))
    files = [file for group in groups for file in _qt_files(folder, group)]
    lines = [line for file in files if file.exists() for line in _ldd(ldd, file)]
    return sorted({line.split("=>")[0].strip() for line in lines if line.rstrip().endswith("not found")})


def _qt_files(folder: Path, group: str) -> list[Path]:
    names = ("QtGui.abi3.so", "QtWidgets.abi3.so") if group == "qt" else (f"Qt/plugins/platforms/libq{group}.so",)
    return [folder / name for name in names]


def _ldd(ldd: str, file: Path) -> list[str]:
    return subprocess.run([ldd, str(file)], capture_output=True, text=True, check=False).stdout.splitlines()


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _has_font() -> bool:
    """Whether there is any font Qt can draw text with."""
    folders = [Path(name).expanduser() for name in FONT_FOLDERS]
    return any(file.suffix.lower() in FONT_FILES for folder in folders if folder.is_dir() for file in folder.rglob("*"))


def _has_venv_module() -> bool:
    importlib.invalidate_caches()  # it may have been installed since
    return all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))


def _how(packages: Sequence[str], unknown: Sequence[str]) -> str:
    """One sentence with one command for all that is missing."""
    if not packages:
        return f"Qt needs system libraries that are missing here: {', '.join(unknown)}."
    command = f"apt-get install {' '.join(packages)}"
    also = f"\n\nAlso missing, by file name: {', '.join(unknown)}." if unknown else ""
    if shutil.which("apt-get"):
        return f"System packages are missing; install them with this command and run this again:\n\n    sudo {command}{also}"
    return (
        "System packages are missing; find the same in your system's packages as on Debian and Ubuntu are installed with:"
        f"\n\n    {command}{also}"
    )
