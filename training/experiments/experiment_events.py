"""Events of a running experiment, written as one JSON object per line for scripts and for the window."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from training.files.json_values import parse_json, strict


@dataclass(frozen=True)
class ExperimentEvent:
    """Base class of the events."""


@dataclass(frozen=True)
class ExperimentStarted(ExperimentEvent):
    """The plan.

    runs: (arm, its title, seed) per training, in starting order. seconds: expected duration, if known.
    """

    name: str
    title: str
    runs: tuple[tuple[str, str, int], ...]
    sentence: str
    seconds: float | None


@dataclass(frozen=True)
class RunProgress(ExperimentEvent):
    """The progress of one training.

    status: waiting, running, done, failed or stopped. done: 0..1 of its budget. sentence: why it failed.
    """

    arm: str
    seed: int
    run: str
    status: str
    done: float
    epoch: int
    rmse: float  # px, best so far on val; NaN before the first epoch
    sentence: str = ""


@dataclass(frozen=True)
class Measuring(ExperimentEvent):
    """The models are being measured and the report written. done: 0..1."""

    done: float


@dataclass(frozen=True)
class ExperimentDone(ExperimentEvent):
    """The report is written. report: the HTML page. head, rows: the table as texts. sentences: the conclusions."""

    report: str
    folder: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class ExperimentEnded(ExperimentEvent):
    """The experiment ended without a table: stopped, or nothing could be trained."""

    sentence: str


_EVENTS = {c.__name__: c for c in (ExperimentStarted, RunProgress, Measuring, ExperimentDone, ExperimentEnded)}


def to_line(event: ExperimentEvent) -> str:
    """One line of strict JSON."""
    return json.dumps(strict({"event": type(event).__name__, **asdict(event)}), allow_nan=False, ensure_ascii=False)


def from_line(line: str) -> ExperimentEvent:
    """The event of a line. Raises ValueError for anything else."""
    values: Any = parse_json(line)
    kind = _EVENTS.get(str(values.get("event"))) if isinstance(values, dict) else None
    if kind is None:
        raise ValueError("not an event of an experiment")
    try:
        return kind(**{f.name: _value(values[f.name], str(f.type)) for f in fields(kind)})
    except KeyError as error:
        raise ValueError(f"{kind.__name__} lacks {error}") from None


def _value(value: Any, kind: str) -> Any:
    if value is None and kind == "float":
        return math.nan
    return _tuples(value)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
