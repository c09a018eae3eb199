"""fkp doctor: check versions, devices, Qt's system libraries and write access."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from training import __version__
from training.commands.shared.output import say, say_json
from training.files.private import make_private, state_folder

PACKAGES = (
    "torch",
    "PySide6-Essentials",
    "numpy",
    "pandas",
    "opencv-python-headless",
    "pyqtgraph",
    "safetensors",
    "tqdm",
)
QT_PACKAGES = (
    "libegl1 libgl1 libdbus-1-3 libfontconfig1 libglib2.0-0 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 "
    "libxcb-keysyms1 libxcb-shape0"
)  # the others that Qt needs come with them
LITTLE_SPACE = 2 << 30

# Run in a child process: this package never imports Qt, and a missing system library can crash the importing process
QT_CHECK = """
import PySide6.QtWidgets, PySide6.QtCore
import os
os.environ["QT_QPA_PLATFORM"] = "offscreen"
app = PySide6.QtWidgets.QApplication([])
print(PySide6.QtCore.qVersion())
"""
XCB_CHECK = """
import ctypes, pathlib, PySide6
ctypes.CDLL(str(pathlib.Path(PySide6.__file__).parent / "Qt/plugins/platforms/libqxcb.so"))
"""


@dataclass(frozen=True)
class Finding:
    """One line of the report. state: "ok", "note" (works, with a limitation) or "bad" (does not work)."""

    name: str
    state: str
    text: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[--json]"""
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run all checks; returns 0 if none failed, else 1."""
    findings = []
    for finding in check():
        findings.append(finding)
        if not args.json:
            mark = {"ok": "ok  ", "note": "note", "bad": "BAD "}[finding.state]
            say(f"{mark} {finding.name}: {finding.text}")
    healthy = all(f.state != "bad" for f in findings)
    if args.json:
        say_json({"healthy": healthy, "findings": [vars(f) for f in findings]})
    return 0 if healthy else 1


def check() -> Iterator[Finding]:
    yield Finding(
        "system", "ok", f"FKP Studio {__version__}, Python {platform.python_version()}, {platform.platform()}"
    )
    yield from map(_package, PACKAGES)
    yield from _torch()
    yield _qt("window", QT_CHECK, "Qt starts, version ")
    if sys.platform == "linux":
        yield _qt("X window system", XCB_CHECK, "all libraries found")
    yield from _writable()


def _package(name: str) -> Finding:
    try:
        return Finding(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "bad", f"not installed: pip install {name}")


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("training", "bad", f"torch cannot be loaded ({error})")
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("processor", "ok", f"{cores} cores, torch uses {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        yield from (Finding("cuda", "ok", torch.cuda.get_device_name(i)) for i in range(torch.cuda.device_count()))
    elif torch.backends.mps.is_available():
        yield Finding("mps", "ok", "Apple GPU available for training")
    else:
        yield Finding("graphics card", "note", "none usable by torch: training runs on the CPU")
    speed_up = _bf16_speed_up()
    verdict = "is used" if speed_up > 1.1 else "no gain on this machine, float32 is used"
    yield Finding("bf16", "ok", f"{speed_up:.1f} times as fast as float32 on the CPU (measured): {verdict}")


def _bf16_speed_up() -> float:
    """Time of an ml-resnet training step in float32 divided by that in bfloat16, as a run compares them."""
    import torch

    from training.learning.inference.device import mixed_precision, to_channels_last
    from training.learning.models.registry import make_model
    from training.storage.runs.settings.recipes import recipe_config

    model = to_channels_last(make_model(recipe_config("ml-resnet"), 15))
    images = torch.randn(32, 1, 96, 96).to(memory_format=torch.channels_last)

    def step(precision: str) -> None:
        with mixed_precision(torch.device("cpu"), precision):
            model(images).sum().backward()

    return _seconds(lambda: step("float32")) / _seconds(lambda: step("bfloat16"))


def _seconds(step: Callable[[], None]) -> float:
    step()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return min(times)


def _qt(name: str, program: str, good: str) -> Finding:
    try:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(name, "bad", f"cannot be checked ({error})")
    if done.returncode == 0:
        return Finding(name, "ok", good + done.stdout.strip())
    reason = (done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"])[-1]
    return Finding(name, "bad", f"{reason}. On Debian and Ubuntu: sudo apt-get install {QT_PACKAGES}")


def _writable() -> Iterator[Finding]:
    for name, folder in (("this folder", Path.cwd()), ("logs and settings", state_folder())):
        try:
            if not folder.is_dir():
                make_private(folder)
            with tempfile.TemporaryFile(dir=folder):
                free = shutil.disk_usage(folder).free
        except OSError as error:
            yield Finding(name, "bad", f"{folder} is not writable ({error.strerror})")
            continue
        text = f"{folder} is writable, {free / (1 << 30):,.1f} GB free"
        yield Finding(name, "note" if free < LITTLE_SPACE else "ok", text)
