"""One setting of a run: its default, help text, range and page, its value from text, and its limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field, fields
from typing import Any

from training.errors import UserError

_LARGEST = 2**63 - 1
PAGES = ("Training", "Model", "Loss", "Augmentation")  # pages of the form


def setting(
    default: Any,
    help: str,  # noqa: A002  - the word used by argparse and by Qt's forms
    *,
    page: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field of a section. page: of the form. low and high are inclusive; choices: the only values allowed."""
    return field(default=default, metadata={"help": help, "page": page, "low": low, "high": high, "choices": choices})


def typed(name: str, value: Any, kind: str) -> Any:  # kind: the annotation as text
    """The value as the field's type, parsed if it is text. Raises UserError."""
    if isinstance(value, str) and kind != "str":
        return _read(name, value.strip(), kind)
    if value is None and "None" in kind:
        return None
    wanted: tuple[type, ...] = (
        (int, float) if "float" in kind else (int,) if "int" in kind else (bool,) if kind == "bool" else (str,)
    )
    if type(value) not in wanted or (type(value) is int and abs(value) > _LARGEST):
        raise UserError(f"The setting {name} cannot be {str(value)[:80]!r}.")
    return float(value) if "float" in kind else value


def _read(name: str, text: str, kind: str) -> Any:
    if "None" in kind and text.lower() in ("", "none"):
        return None
    if kind == "bool":
        if text.lower() not in ("true", "false", "yes", "no", "1", "0", "on", "off"):
            raise UserError(f"The setting {name} must be yes or no, not {text!r}.")
        return text.lower() in ("true", "yes", "1", "on")
    try:
        value = int(text) if kind.startswith("int") else float(text)
        if abs(value) > _LARGEST and math.isfinite(value):
            raise ValueError("no limit is as large")
    except (ValueError, OverflowError):
        what = "a whole number" if kind.startswith("int") else "a number"
        raise UserError(f"The setting {name} needs {what}, not {text[:80]!r}.") from None
    return value


def check(settings: Any) -> None:
    """Compare every field of a group with its limits. Raises UserError naming the setting."""
    for f in fields(settings):
        if f.metadata:
            _check(f.name, getattr(settings, f.name), f.metadata)


def _check(name: str, value: Any, limits: Mapping[str, Any]) -> None:
    if limits["choices"] and value not in limits["choices"]:
        raise UserError(f"The setting {name} must be one of {', '.join(limits['choices'])}, not {value!r}.")
    if value is None or limits["low"] is None:
        return
    if not math.isfinite(value) or not limits["low"] <= value <= limits["high"]:
        raise UserError(f"The setting {name} must be between {limits['low']:g} and {limits['high']:g}, not {value:g}.")
