"""What `make` runs: makes the virtual environment when it has to, then the app, the tour or the checks.

usage: python3 .ci/setup.py run | test | install | screenshots | bench
Standard library only. pip's own configuration decides where packages come from; constraints.txt says which versions.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from system import SetupError, apt_install, can_apt, has_display, need_qt, need_venv_module, say

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
STAMP = VENV / "fkp-studio.json"
TOUR = ROOT / "tour"
NO_BENCHMARKS = {  # what the others share, half an hour of training on real faces, and what needs another environment
    ROOT / "benchmarks" / "window.py",
    ROOT / "benchmarks" / "faces15_results.py",
    ROOT / "benchmarks" / "comparison_data.py",
    ROOT / "benchmarks" / "compare_predictors.py",
    ROOT / "benchmarks" / "foreign_maps.py",
    ROOT / "benchmarks" / "foreign_points.py",
}
X_TOOLS = {"Xvfb": "xvfb"}  # for the end-to-end tests in a real X window
CHECKS = (
    ("code style (ruff check)", ["ruff", "check", "."]),
    ("formatting (ruff format)", ["ruff", "format", "--check", "."]),
    ("types (mypy)", ["mypy"]),
    ("import contracts (lint-imports)", ["lint-imports"]),
    ("tests (pytest)", ["pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "worksteal"]),
)


def stamp(extras: str) -> dict[str, str]:
    """What the environment is made of: it is made anew when any of this changed."""
    content = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    return {"content": hashlib.sha256(content).hexdigest(), "python": sys.version, "extras": extras, "at": str(ROOT)}


def is_ready(extras: str) -> bool:
    """Whether the environment is there and holds at least these extras."""
    if not STAMP.exists() or not (BIN / "python").exists():
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
    need_venv_module()
    if not _works(BIN / "python"):
        say(f"Making a virtual environment in {VENV}")
        shutil.rmtree(VENV, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(VENV)], "The virtual environment could not be made.")
    say("Installing the packages (the first time this takes a few minutes)")
    what = f"{ROOT}[{extras}]" if extras else str(ROOT)
    pip = [str(BIN / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
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


def start() -> None:
    """Start the app; without a display run its loop offscreen and leave pictures and a report in tour/."""
    install("all")
    need_qt(VENV)
    if has_display():
        say("Starting FKP Studio")
        os.chdir(ROOT)
        os.execv(BIN / "fkp-studio", [str(BIN / "fkp-studio")])  # noqa: S606 - this process becomes the app
    say(f"There is no display here: running the same loop offscreen, with pictures in {TOUR}")
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    run([str(BIN / "python"), "-m", "fkp_studio", "--tour", str(TOUR)], "The tour did not come to its end.")


def test() -> None:
    """All checks and tests, the quick ones first; the first that fails ends it."""
    install("dev")
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    need_qt(VENV)
    _x_tools()
    for name, (tool, *arguments) in CHECKS:
        say(name)
        began = time.monotonic()
        run([str(BIN / tool), *arguments], f"Failed: {name}.")
        print(f"    fine, {time.monotonic() - began:.0f} s", flush=True)
    say("All checks passed")


def _x_tools() -> None:
    lacking = [package for tool, package in X_TOOLS.items() if shutil.which(tool) is None]
    if not lacking or not sys.platform.startswith("linux"):
        return
    if not (can_apt() and apt_install(lacking)):
        say(f"Tests in a real X window are skipped; for them: sudo apt-get install {' '.join(lacking)}")


def screenshots() -> None:
    """Draw the pictures of the documentation anew."""
    install()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    need_qt(VENV)
    run([str(BIN / "python"), "docs/make_screenshots.py"], "The pictures were not made.")


def bench() -> None:
    """Run every benchmark; each prints its medians."""
    install("dev")
    for script in sorted(set((ROOT / "benchmarks").glob("*.py")) - NO_BENCHMARKS):
        say(script.name)
        run([str(BIN / "python"), str(script)], f"Failed: benchmarks/{script.name}.")


ACTS = {"run": start, "test": test, "install": install, "screenshots": screenshots, "bench": bench}


def main() -> int:
    """The exit code: 0, or 1 after a sentence on stderr."""
    if len(sys.argv) != 2 or sys.argv[1] not in ACTS:
        print(f"usage: python3 .ci/setup.py {' | '.join(ACTS)}", file=sys.stderr)
        return 2
    try:
        ACTS[sys.argv[1]]()
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
