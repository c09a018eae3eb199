"""What `make test` and `make check` run, and how. Standard library only."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from environment import ROOT, program, run
from system import SetupError, say

Check = tuple[str, list[str]]  # its name, and the command
PLATFORMS = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}  # mypy's names and ours


def types(platform: str) -> Check:
    """mypy, as if on this platform; each has a cache of its own, since mypy drops what it knows of another platform."""
    command = ["mypy", "--platform", platform, "--cache-dir", f".mypy_cache/{platform}"]
    return f"types on {PLATFORMS[platform]} (mypy)", command


STYLE: tuple[Check, ...] = (
    ("code style (ruff check)", ["ruff", "check", "."]),
    ("formatting (ruff format)", ["ruff", "format", "--check", "."]),
)
CONTRACTS: Check = ("import contracts (lint-imports)", ["lint-imports"])
TESTS: Check = ("tests (pytest)", ["pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "worksteal"])


def check_one(one: Check) -> None:
    """Run a tool of the virtual environment. Raises SetupError where it finds fault."""
    name, (tool, *arguments) = one
    say(name)
    began = time.monotonic()
    run([str(program(tool)), *arguments], f"Failed: {name}.")
    print(f"    passed, {time.monotonic() - began:.0f} s", flush=True)


def check_together(checks: Sequence[Check]) -> None:
    """Run tools that use one core each side by side. Raises SetupError where one finds fault."""
    say(", ".join(name for name, _ in checks))
    began = time.monotonic()
    commands = [[str(program(tool)), *arguments] for _, (tool, *arguments) in checks]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        done = list(pool.map(_captured, commands))
    failed = [name for (name, _), one in zip(checks, done, strict=True) if one.returncode != 0]
    for (name, _), one in zip(checks, done, strict=True):
        print(f"--- {name}\n{one.stdout.rstrip()}", flush=True)
    if failed:
        raise SetupError(f"Failed: {', '.join(failed)}.")
    print(f"    passed, {time.monotonic() - began:.0f} s", flush=True)


def _captured(command: list[str]) -> subprocess.CompletedProcess[str]:
    merged = subprocess.STDOUT
    environment = {**os.environ, "PYTHONUTF8": "1"}  # Windows' own encoding lacks what the tools draw
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=merged, encoding="utf-8", check=False
    )
