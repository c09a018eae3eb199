"""The harnesses, how much each does in the long form and in the short one, and running one of them by itself.

A harness is a module with `run(scratch, *, count, seed) -> Outcome`; `scratch` is an empty folder of its own.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.torture.outcome import Outcome


@dataclass(frozen=True)
class Harness:
    """count: of what `unit` says, in the long form; short: in the short one. shim: system calls are to be
    intercepted. part: what `run` is told to do, where one module has several parts."""

    name: str
    module: str
    unit: str
    count: int
    short: int
    part: str = ""
    shim: bool = False

    def run(self, scratch: Path, *, count: int, seed: int) -> Outcome:
        missing = unavailable(self)
        if missing:
            return Outcome(skipped=missing)
        module = importlib.import_module(f"tests.torture.{self.module}")
        more = {"part": self.part} if self.part else {}
        outcome: Outcome = module.run(scratch, count=count, seed=seed, **more)
        return outcome


# the longest first, so that two at a time end together
HARNESSES: tuple[Harness, ...] = (
    Harness("soak", "soak.run", "seconds in the window", 1800, 5),
    Harness("kills", "kills.run", "kills", 1000, 4),
    Harness("fuzz-tables", "fuzz.run", "files of each kind", 335, 2, part="tables"),
    Harness("fuzz-images", "fuzz.run", "files of each kind", 335, 2, part="images"),
    Harness("fuzz-projects", "fuzz.run", "files of each kind", 335, 1, part="projects"),
    Harness("fuzz-runs", "fuzz.run", "files of each kind", 335, 2, part="runs"),
    Harness("fuzz-settings", "fuzz.settings", "starts of the window", 60, 1),
    Harness("places", "places.run", "places of each command and fault", 25, 1, shim=True),
    Harness("places-training", "places.training", "places of each fault", 25, 1, shim=True),
    Harness("interleavings", "interleavings", "points at which two writers change over", 12_000, 30),
    Harness("strangers", "strangers.run", "spoiled states of a training", 120, 1),
    Harness("signals", "signals", "signals to each command", 15, 1),
    Harness("ports", "ports", "trainings of one and of two processes", 2, 1),
)
BY_NAME: dict[str, Harness] = {harness.name: harness for harness in HARNESSES}


def unavailable(harness: Harness) -> str:
    """Why a harness cannot be run here, "" if it can."""
    if sys.platform != "linux":
        return "it needs Linux"
    if importlib.util.find_spec(f"tests.torture.{harness.module}") is None:
        return "it is not written yet"
    if harness.shim:
        from tests.torture.places.shim import compiler

        return "" if compiler() else "there is no C compiler (cc)"
    return ""
