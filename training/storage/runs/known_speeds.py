"""The measured speed of each recipe: on this machine if it was measured, else on the reference machine."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from training.errors import UserError
from training.files.json_values import read_json
from training.files.replacing import replacing

REFERENCE_MACHINE = "two cores of an Intel Xeon with bf16 matrix units"
KEYS = ("one", "many", "training")  # as in training.learning.fit.throughput.Speed

# Images/s: one at a time, 32 at once, in training. `fkp recipes --measure` on REFERENCE_MACHINE.
REFERENCE: dict[str, tuple[float, float, float]] = {
    "recommended": (152, 866, 207),
    "fast": (152, 1530, 331),
    "best": (82, 433, 106),
    "ml-resnet": (123, 834, 291),
    "ml-cnn": (140, 894, 226),
    "cnn": (136, 857, 246),
    "cnn-6": (242, 1610, 363),
    "cnn-7": (71.1, 221, 71.8),
    "cnn-6-7": (72.5, 383, 248),
    "cascade": (128, 864, 664),
    "mlp": (1370, 6380, 1630),
    "resnet-50": (23.4, 50.3, 8.65),
}


def speed_of(name: str) -> dict[str, Any]:
    """`one`, `many`, `training` in images/s, and `where` they were measured."""
    here = _read().get(name)
    if here is not None:
        return {**here, "where": "this machine"}
    return {**dict(zip(KEYS, REFERENCE[name], strict=True)), "where": REFERENCE_MACHINE}


def remember(speeds: Mapping[str, Mapping[str, Any]]) -> None:
    """Store what was measured on this machine; does nothing where the folder cannot be written."""
    path = _path()
    with suppress(OSError, UserError):  # a convenience: it can be measured again
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(json.dumps({**_read(), **speeds}).encode())


def _read() -> dict[str, dict[str, Any]]:
    try:
        values = read_json(_path())
        return {
            name: {key: float(speed[key]) for key in KEYS} | {k: speed[k] for k in ("precision", "threads")}
            for name, speed in values.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return {}


def _path() -> Path:
    """In the user's cache, with a file per machine, since machines may share a home folder."""
    return user_cache_path("fkp-studio", appauthor=False) / f"speeds-{platform.node() or 'here'}.json"
