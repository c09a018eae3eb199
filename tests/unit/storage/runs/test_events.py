"""Events are read back as written, and lines that are not events are rejected."""

from __future__ import annotations

import json
import math
from dataclasses import fields

import pytest

from training.faces.measures.metrics import CED_AXIS
from training.storage.runs.events import EVENTS, EpochDone, Event, RunFinished, RunStarted, Trouble, from_line, to_line

WORDS = "words, «signs» and\nlines"
VALUES = {
    "str": WORDS,
    "int": 7,
    "float": 0.25,
    "bool": True,
    "tuple[float, ...]": (1.5, 2.5),
    "tuple[str, ...]": (WORDS, ""),
}


def made(kind: type[Event]) -> Event:
    """One event of this kind with a value in every field."""
    return kind(**{f.name: VALUES[str(f.type).removesuffix(" | None")] for f in fields(kind)})


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
def test_every_event_reads_back_as_it_was_written(kind: type[Event]) -> None:
    line = to_line(made(kind), time=12.3456)
    assert "\n" not in line
    assert json.loads(line)["time"] == 12.346
    assert from_line(line) == made(kind)


def test_numbers_that_are_not_finite_are_strict_json_and_come_back_as_nan() -> None:
    line = to_line(RunFinished("done", 3, 2, math.inf, math.nan, 1.0), time=0)
    assert "NaN" not in line
    assert "Infinity" not in line
    finished = from_line(line)
    assert isinstance(finished, RunFinished)
    assert math.isnan(finished.rmse)
    assert math.isnan(finished.nme)


def test_a_missing_number_within_a_list_is_nan_and_a_missing_budget_is_none() -> None:
    epoch = made(EpochDone)
    line = to_line(epoch, time=0).replace("[1.5,2.5]", "[1.5,null]")
    read = from_line(line)
    assert isinstance(read, EpochDone)
    assert read.per_keypoint[0] == 1.5
    assert math.isnan(read.per_keypoint[1])
    values = json.loads(to_line(made(RunStarted), time=0))
    started = from_line(json.dumps(values | {"epochs": None}))
    assert isinstance(started, RunStarted)
    assert started.epochs is None


@pytest.mark.parametrize(
    "line",
    ["", "{", "null", "3", "[]", '"Trouble"', '{"event": "Nothing"}', '{"event": "Trouble", "kind": "nan"}'],
)
def test_a_torn_or_foreign_line_is_a_value_error(line: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_line(line)


def test_a_torn_line_is_never_read_as_a_whole_event() -> None:
    line = to_line(Trouble("nan", "The loss is no number."), time=1)
    for length in range(len(line)):
        with pytest.raises(ValueError, match=r".*"):
            from_line(line[:length])


def test_the_axis_of_the_error_distribution_goes_to_a_fifth() -> None:
    assert (CED_AXIS[0], CED_AXIS[40], CED_AXIS[50], CED_AXIS[-1]) == (0.0, 0.08, 0.1, 0.2)
