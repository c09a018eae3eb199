"""What the machine itself must bring: Qt's system libraries, a font, Python's venv. Standard library only."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

# Which Debian or Ubuntu package brings a library that Qt needs.
PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLX.so.0": "libglx0",
    "libGLdispatch.so.0": "libglvnd0",
    "libOpenGL.so.0": "libopengl0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libstdc++.so.6": "libstdc++6",
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libz.so.1": "zlib1g",
    "libzstd.so.1": "libzstd1",
}
FONT = "fonts-dejavu-core"
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")


class SetupError(Exception):
    """Something a person must mend first, told as a sentence."""


def say(sentence: str) -> None:
    """Tell what is being done."""
    print(f"==> {sentence}", flush=True)


def has_display() -> bool:
    """Whether a window can be shown."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def qt_platforms() -> tuple[str, ...]:
    """Names of the Qt platform plugins that will be used."""
    if os.environ.get("QT_QPA_PLATFORM"):
        return (os.environ["QT_QPA_PLATFORM"].split(":")[0],)
    if os.environ.get("DISPLAY"):
        return ("xcb",)
    return ("wayland",) if os.environ.get("WAYLAND_DISPLAY") else ("offscreen",)


def missing_libraries(venv: Path, platforms: Iterable[str]) -> list[str]:
    """File names of the system libraries that Qt (in this venv) needs and the loader does not find."""
    ldd = shutil.which("ldd") if sys.platform.startswith("linux") else None
    if ldd is None:
        return []
    folders = list(venv.glob("lib/python*/site-packages/PySide6"))
    names = [f"Qt/plugins/platforms/libq{name}.so" for name in platforms]
    files = [folder / name for folder in folders for name in ("QtGui.abi3.so", "QtWidgets.abi3.so", *names)]
    lines = [line for file in files if file.exists() for line in _ldd(ldd, file)]
    return sorted({line.split("=>")[0].strip() for line in lines if line.rstrip().endswith("not found")})


def _ldd(ldd: str, file: Path) -> list[str]:
    return subprocess.run([ldd, str(file)], capture_output=True, text=True, check=False).stdout.splitlines()


def has_font() -> bool:
    """Whether there is any font Qt can draw text with."""
    folders = [Path(name).expanduser() for name in FONT_FOLDERS]
    kinds = (".ttf", ".otf", ".ttc", ".pfb")
    return any(file.suffix.lower() in kinds for folder in folders if folder.is_dir() for file in folder.rglob("*"))


def qt_packages(venv: Path, platforms: Iterable[str]) -> tuple[list[str], list[str]]:
    """(packages to install, libraries no package is known for) so that Qt can start."""
    missing = missing_libraries(venv, platforms)
    packages = {PACKAGES[name] for name in missing if name in PACKAGES}
    if sys.platform.startswith("linux") and not has_font():
        packages.add(FONT)
    return sorted(packages), [name for name in missing if name not in PACKAGES]


def can_apt() -> bool:
    """Whether this process may install Debian packages."""
    return sys.platform.startswith("linux") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(packages: Sequence[str]) -> bool:
    """Install Debian packages as root; whether that worked. The package lists are fetched only where they are needed."""
    say(f"Installing system packages: {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]

    def run(command: list[str]) -> bool:
        return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0

    return run(install) or (run(["apt-get", "update", "-q"]) and run(install))


def need_qt(venv: Path) -> None:
    """Make sure Qt can start here: install what is missing where that is allowed, else say how. Raises SetupError."""
    platforms = qt_platforms()
    packages, unknown = qt_packages(venv, platforms)
    if packages and can_apt():
        apt_install(packages)
        packages, unknown = qt_packages(venv, platforms)
    if packages or unknown:
        raise SetupError(_how(packages, unknown))


def _how(packages: Sequence[str], unknown: Sequence[str]) -> str:
    sentences = ["Qt needs system libraries that are not installed here."]
    if packages:
        command = f"apt-get install {' '.join(packages)}"
        if shutil.which("apt-get"):
            sentences.append(f"Install them with\n\n    sudo {command}\n\nand run this again.")
        else:
            sentences.append(f"On Debian and Ubuntu that is `{command}`; find the same in your system's packages.")
    if unknown:
        sentences.append(f"Also missing, by file name: {', '.join(unknown)}.")
    return " ".join(sentences)


def need_venv_module() -> None:
    """Make sure `python -m venv` works: Debian keeps it in a package of its own. Raises SetupError."""
    try:
        import ensurepip  # noqa: F401 - its absence is the sign
        import venv  # noqa: F401 - likewise
    except ImportError:
        name = f"python{platform.python_version_tuple()[0]}.{platform.python_version_tuple()[1]}-venv"
        if can_apt() and (apt_install([name]) or apt_install(["python3-venv"])):
            return
        raise SetupError(
            f"Python's venv module is missing. On Debian and Ubuntu: sudo apt-get install {name}. Then run this again."
        ) from None
