"""The virtual environment in .venv: made when it has to be, with the versions of constraints.txt. Standard library only."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from system import Missing, SetupError, provide, say

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
WINDOWS = os.name == "nt"
BIN = VENV / ("Scripts" if WINDOWS else "bin")
STAMP = VENV / "fkp-studio.json"


def stamp(extras: str) -> dict[str, str]:
    """What the environment is made of: it is rebuilt when any of this changes."""
    content = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    return {"content": hashlib.sha256(content).hexdigest(), "python": sys.version, "extras": extras, "at": str(ROOT)}


def program(name: str) -> Path:
    """A program of the virtual environment."""
    return BIN / (f"{name}.exe" if WINDOWS else name)


def is_ready(extras: str) -> bool:
    """Whether the environment is there and holds at least these extras."""
    if not STAMP.exists() or not program("python").exists():
        return False
    try:
        there = json.loads(STAMP.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return there in (stamp(extras), stamp("dev"))


def install(extras: str = "") -> None:
    """Make .venv and install the app into it, unless that was done before. Raises SetupError."""
    if is_ready(extras):
        return
    if not _works(program("python")):
        say(f"Making a virtual environment in {VENV}")
        shutil.rmtree(VENV, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(VENV)], "The virtual environment could not be made.")
    say("Installing the packages (the first time this takes a few minutes)")
    what = f"{ROOT}[{extras}]" if extras else str(ROOT)
    pip = [str(program("python")), "-m", "pip", "install", "--disable-pip-version-check"]
    pip += [] if sys.stdout.isatty() else ["--quiet"]
    run(
        [*pip, "--constraint", str(ROOT / "constraints.txt"), "--editable", what],
        "pip could not install the packages: see what it says above. It needs a connection to a package index "
        "(or a local one in pip's configuration) and about 2 GB of disk.",
    )
    STAMP.write_text(json.dumps(stamp(extras)), encoding="utf-8")


def _works(python: Path) -> bool:
    """Whether this interpreter runs, and is of the version of the one that runs us."""
    if not python.exists():
        return False
    ask = [str(python), "-c", "import sys, pip; print(sys.version)"]
    answer = subprocess.run(ask, capture_output=True, text=True, check=False)
    return answer.returncode == 0 and answer.stdout.strip() == sys.version.strip()


def run(command: list[str], fault: str) -> None:
    """Run a command in the root folder. Raises SetupError with `fault` where it fails."""
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        raise SetupError(fault)


def prepare(extras: str, *, platform: str = "offscreen", x_tests: bool = False) -> Missing:
    """The system's packages and the virtual environment; what is missing without which it goes on. Raises SetupError."""
    provide(VENV, platform=platform, x_tests=x_tests)
    install(extras)
    return provide(VENV, platform=platform, x_tests=x_tests)
