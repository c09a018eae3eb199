"""The events of a run: one JSON object a line in the run folder's `events.jsonl`; window, command line and tests read them."""

from __future__ import annotations

import json
import math
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Event:
    """Base of all events. `time` is seconds since the epoch, set by whoever writes the line."""


@dataclass(frozen=True)
class RunStarted(Event):
    """Training begins (or goes on, when `epoch` > 0)."""

    recipe: str
    parameters: int
    train_samples: int
    train_points: int  # labelled points the loss can use
    val_samples: int
    device: str
    precision: str
    threads: int
    epochs: int | None  # the planned number, where it is known
    minutes: float | None
    epoch: int  # epochs that were done before: 0, or more after a resume
    mean_shape_rmse: float  # what predicting the mean shape gets on val: anything worse has learnt nothing
    started_from: str = ""  # whose weights it began with, in words; "" for none
    schemes: tuple[str, ...] = ()  # marking schemes told apart, the default one first


@dataclass(frozen=True)
class Progress(Event):
    """Some batches were done. At most about five a second."""

    epoch: int  # the epoch under way, from 1
    batch: int
    batches: int
    loss: float
    images_per_second: float
    done: float  # 0..1 of the whole budget
    seconds_left: float
    stage: int = 1  # of `stages`: models that are trained in stages begin anew in each
    stages: int = 1


@dataclass(frozen=True)
class EpochDone(Event):
    """An epoch and its evaluation on val. Errors are NaN where val has no such labels."""

    epoch: int  # from 1
    train_loss: float
    val_loss: float
    rmse: float  # px of the original picture
    nme: float  # by `normaliser`
    normaliser: str  # "interocular", "box"...
    ced: tuple[float, ...]  # fraction of val faces with nme <= CED_AXIS[i]
    auc: float  # at 0.08
    failure_rate: float  # at 0.10
    per_keypoint: tuple[float, ...]  # mean point error, px, one a keypoint
    learning_rate: float
    images_per_second: float
    seconds: float  # of training so far, over all resumes
    best: bool  # the best rmse so far: this model is kept
    stage: int = 1  # losses of different stages have different units and can't be compared; rmse and nme can
    stages: int = 1


@dataclass(frozen=True)
class CheckpointSaved(Event):
    """`model.safetensors` (the best so far) and `resume.pt` are on the disk."""

    epoch: int
    rmse: float


@dataclass(frozen=True)
class Trouble(Event):
    """Something is off, told as a sentence with what to do."""

    kind: str  # "nan", "exploding", "overfitting", "label-scale"... (training.learning.fit.troubles.watch)
    sentence: str


@dataclass(frozen=True)
class RunFinished(Event):
    """The run came to its end. reason: "done" (budget used), "stopped" (by the user)."""

    reason: str
    epochs: int
    best_epoch: int
    rmse: float
    nme: float
    seconds: float


@dataclass(frozen=True)
class RunFailed(Event):
    """The run ended in an error: what it said, and a hint what to do."""

    message: str
    hint: str
    traceback: str = ""


EVENTS: dict[str, type[Event]] = {
    c.__name__: c for c in (RunStarted, Progress, EpochDone, CheckpointSaved, Trouble, RunFinished, RunFailed)
}
CED_AXIS: tuple[float, ...] = tuple(round(i * 0.002, 3) for i in range(101))  # 0 to 0.2


def to_line(event: Event, *, time: float) -> str:
    """One JSON line (no newline inside, strict JSON: a number that is not finite becomes null)."""
    values = {"event": type(event).__name__, "time": round(time, 3), **asdict(event)}
    return json.dumps(_finite(values), allow_nan=False, separators=(",", ":"))


def from_line(line: str) -> Event:
    """The event of a line; null in a float field is NaN.

    Raises ValueError for a line that is not a whole event (the last line of a killed run may be torn).
    """
    values: Any = json.loads(line)
    if not isinstance(values, dict):
        raise ValueError("an event is a JSON object")
    kind = EVENTS.get(str(values.get("event")))
    if kind is None:
        raise ValueError(f"no event of this name: {values.get('event')!r}")
    try:
        told = (f for f in fields(kind) if f.name in values or f.default is MISSING)  # older files lack what came later
        return kind(**{f.name: _value(values[f.name], str(f.type)) for f in told})
    except KeyError as error:
        raise ValueError(f"{kind.__name__} lacks {error}") from None


def _value(value: Any, kind: str) -> Any:
    if value is None and "None" not in kind:
        return math.nan
    return tuple(math.nan if v is None else v for v in value) if isinstance(value, list) else value


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return value
