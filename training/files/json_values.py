"""JSON of files that may be anybody's: read within limits, written without NaN."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from training.files.regular import read_bytes

LIMIT = 16 << 20  # bytes: more than any settings, notes or schema need


def read_json(path: Path, *, limit: int = LIMIT) -> Any:
    """The value of a JSON file. Raises OSError if it cannot be read or is too large, ValueError as `parse_json`."""
    return parse_json(read_bytes(path, limit=limit))


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text, whose numbers are all finite.

    Raises ValueError for anything else, also where Python's parser would run out of stack.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def strict(value: Any) -> Any:
    """The value with NaN and infinity as None, tuples as lists and NumPy values as plain Python."""
    if isinstance(value, dict):
        return {str(k): strict(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(v) for v in value]
    if hasattr(value, "tolist"):
        return strict(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
