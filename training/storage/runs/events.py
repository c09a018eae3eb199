"""The events of a run: one JSON object per line in the run folder's `events.jsonl`."""

from __future__ import annotations

import json
import math
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from training.files.json_values import strict

_KINDS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}
_LARGEST = 1e300


@dataclass(frozen=True)
class Event:
    """Base of all events. `time`, added by whoever writes the line, is in seconds since the epoch."""


@dataclass(frozen=True)
class RunStarted(Event):
    """Training starts, or resumes if `epoch` > 0."""

    recipe: str
    parameters: int
    train_samples: int
    train_points: int  # labelled points the loss can use
    val_samples: int
    device: str
    precision: str
    threads: int
    epochs: int | None  # the planned number, if known
    minutes: float | None
    epoch: int  # epochs done before: > 0 after resuming
    mean_shape_rmse: float  # of predicting the mean shape on val: a run above it has learned nothing
    started_from: str = ""  # a description of the weights it started from; "" for none
    schemes: tuple[str, ...] = ()  # the marking schemes, the default first


@dataclass(frozen=True)
class Progress(Event):
    """Some batches are done. At most about five per second."""

    epoch: int  # the current epoch, from 1
    batch: int
    batches: int
    loss: float
    images_per_second: float
    done: float  # 0..1 of the whole budget
    seconds_left: float
    stage: int = 1  # of `stages`: staged models start again in each
    stages: int = 1


@dataclass(frozen=True)
class EpochDone(Event):
    """An epoch and its evaluation on val are done. Errors are NaN where val lacks the labels."""

    epoch: int  # from 1
    train_loss: float
    val_loss: float
    rmse: float  # px of the original image
    nme: float  # by `normaliser`
    normaliser: str  # "interocular", "box"...
    ced: tuple[float, ...]  # fraction of val faces with nme <= CED_AXIS[i]
    auc: float  # at 0.08
    failure_rate: float  # at 0.10
    per_keypoint: tuple[float, ...]  # mean point error per keypoint, px
    learning_rate: float  # at the end of the epoch: 0 after the last one of a finished schedule
    images_per_second: float
    seconds: float  # of training so far, including before resumes
    best: bool  # the best rmse so far: this model is kept
    stage: int = 1  # losses of different stages are not comparable; rmse and nme are
    stages: int = 1


@dataclass(frozen=True)
class CheckpointSaved(Event):
    """`model.safetensors` (the best so far) and `resume.pt` are on the disk."""

    epoch: int
    rmse: float


@dataclass(frozen=True)
class Trouble(Event):
    """A problem, described in a sentence with advice."""

    kind: str  # "nan", "exploding", "overfitting", "label-scale"... (training.learning.fit.troubles.watch)
    sentence: str


@dataclass(frozen=True)
class RunFinished(Event):
    """The run ended. reason: "done" (budget used) or "stopped" (by the user)."""

    reason: str
    epochs: int
    best_epoch: int
    rmse: float
    nme: float
    seconds: float


INTERNAL = "This is an internal error; the log has the details."  # a hint


@dataclass(frozen=True)
class RunFailed(Event):
    """The run ended with an error: its message, and a hint on what to do."""

    message: str
    hint: str
    traceback: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether the program is to blame, not the disk, the memory, the settings or the files."""
        return self.hint == INTERNAL


EVENTS: dict[str, type[Event]] = {
    c.__name__: c for c in (RunStarted, Progress, EpochDone, CheckpointSaved, Trouble, RunFinished, RunFailed)
}


def to_line(event: Event, *, time: float) -> str:
    """One line of strict JSON: non-finite numbers become null."""
    values = {"event": type(event).__name__, "time": round(time, 3), **asdict(event)}
    return json.dumps(strict(values), allow_nan=False, separators=(",", ":"))


def from_line(line: str) -> Event:
    """The event of a line; null in a float field is NaN.

    Raises ValueError for an incomplete event (the last line of a killed run may be cut off), and for one whose values are
    of another kind.
    """
    try:
        values: Any = json.loads(line)  # not `parse_json`, which takes twice as long: numbers are compared below
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError("not a JSON object")
    kind = EVENTS.get(str(values.get("event")))
    if kind is None:
        raise ValueError(f"unknown event: {values.get('event')!r}")
    try:
        told = (f for f in fields(kind) if f.name in values or f.default is MISSING)  # older files lack newer fields
        return kind(**{f.name: _value(values[f.name], str(f.type)) for f in told})
    except KeyError as error:
        raise ValueError(f"{kind.__name__} lacks {error}") from None


def _value(value: Any, kind: str) -> Any:
    """Raises ValueError."""
    if kind.startswith("tuple"):
        inner = kind.removeprefix("tuple[").partition(",")[0]
        if type(value) is not list:
            raise ValueError(f"{str(value)[:40]} is not a list")
        if inner == "float" and set(map(type, value)) == {float}:  # most of what is read
            if not (min(value) > -_LARGEST and max(value) < _LARGEST):
                raise ValueError("numbers that are too large")
            return tuple(value)
        return tuple(_value(v, inner) for v in value)
    if value is None and (kind == "float" or "None" in kind):
        return math.nan if kind == "float" else None
    plain = kind.partition(" ")[0]
    if type(value) not in _KINDS[plain] or (plain in ("int", "float") and not abs(value) < _LARGEST):
        raise ValueError(f"{str(value)[:40]} is not of the kind {kind}")
    return float(value) if plain == "float" else value
