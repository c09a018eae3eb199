"""Which Debian and Ubuntu packages bring what FKP Studio needs of the system, and how they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

# Library -> package. "qt" is needed by every window; "xcb" and "wayland" by Qt's plugin of that name; "indirect" are
# libraries of libraries: they come with the packages above, but an incomplete installation may lack them.
LIBRARIES: dict[str, dict[str, str]] = {
    "qt": {
        "libEGL.so.1": "libegl1",
        "libGL.so.1": "libgl1",
        "libX11.so.6": "libx11-6",
        "libdbus-1.so.3": "libdbus-1-3",
        "libfontconfig.so.1": "libfontconfig1",
        "libfreetype.so.6": "libfreetype6",
        "libglib-2.0.so.0": "libglib2.0-0",
        "libgthread-2.0.so.0": "libglib2.0-0",
        "libstdc++.so.6": "libstdc++6",
        "libxkbcommon.so.0": "libxkbcommon0",
        "libz.so.1": "zlib1g",
        "libzstd.so.1": "libzstd1",
    },
    "xcb": {
        "libX11-xcb.so.1": "libx11-xcb1",
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
        "libxcb-xkb.so.1": "libxcb-xkb1",
        "libxcb.so.1": "libxcb1",
        "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    },
    "wayland": {
        "libwayland-client.so.0": "libwayland-client0",
        "libwayland-cursor.so.0": "libwayland-cursor0",
    },
    "indirect": {
        "libGLX.so.0": "libglx0",
        "libGLdispatch.so.0": "libglvnd0",
        "libOpenGL.so.0": "libopengl0",
        "libwayland-egl.so.1": "libwayland-egl1",
        "libxcb-xinerama.so.0": "libxcb-xinerama0",
    },
}
PACKAGES = {library: package for group in LIBRARIES.values() for library, package in group.items()}
FONT = "fonts-dejavu-core"
X_SERVER = "xvfb"


def venv_package() -> str:
    """Debian keeps what `python -m venv` needs in a package of its own."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}-venv"


def can_install() -> bool:
    """Whether this process may install Debian packages."""
    return sys.platform == "linux" and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: Sequence[str]) -> bool:
    """Install packages as root; whether that worked. The package lists are fetched only where they are needed."""
    print(f"==> Installing system packages: {' '.join(packages)}", flush=True)
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    return _run(command, quiet=True) or (_run(["apt-get", "update", "-q"]) and _run(command))


def _run(command: list[str], *, quiet: bool = False) -> bool:
    errors = subprocess.DEVNULL if quiet else None
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors, check=False)
    return done.returncode == 0
