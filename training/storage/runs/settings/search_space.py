"""What a random search draws: for each setting a range or a list of values, within the setting's own limits. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from training.errors import UserError
from training.storage.runs.settings.config import RunConfig

NEVER = (
    "recipe",
    "variant",
    "epochs",
    "minutes",
    "seed",
    "device",
    "threads",
    "processes",
)  # the same in all trials of a search
_FORM = "LOW..HIGH, LOW..HIGH:log, VALUE,VALUE,... or off"


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included; log: each order of magnitude as often as another."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choices:
    """One of these, each as often as another."""

    values: tuple[Any, ...]


Dimension = Range | Choices
Space = Mapping[str, Dimension]


def default_space(config: RunConfig) -> dict[str, Dimension]:
    """What is worth searching in any recipe: rate (a tenth to ten times its own), batch, decay, dropout, augmentation."""
    rate = config.learning_rate
    space: dict[str, Dimension] = {
        "learning_rate": Range(_short(rate / 10), _short(rate * 10), log=True),
        "batch_size": Choices((16, 32, 64, 128)),
        "weight_decay": Range(1e-5, 1e-1, log=True),
        "dropout": Range(0.0, 0.5),
        "rotation": Range(0.0, 30.0),
        "brightness": Range(0.0, 0.4),
    }
    if config.box_corners > 0:
        return {**space, "box_corners": Range(0.0, 0.1)}
    return {**space, "scale": Range(0.0, 0.2), "shift": Range(0.0, 0.1)}


def _short(value: float) -> float:
    """Without the last digits of a division."""
    return float(f"{value:.6g}")


def check_space(space: Space, config: RunConfig) -> None:
    """Raises UserError naming the setting that is not there, can't be searched, or may be drawn outside its limits."""
    if not space:
        raise UserError("There is nothing to search: give at least one setting a range or values.")
    kinds = setting_kinds()
    for name, dimension in space.items():
        if name in NEVER:
            raise UserError(f"The setting {name} is the same in all trials of a search; take it out of the space.")
        if name in kinds and isinstance(dimension, Range):
            _check_range(name, dimension, kinds[name])
        elif not ends(dimension):
            raise UserError(f"The setting {name} has no values to choose from.")
        for value in ends(dimension):
            RunConfig.from_json({**config.to_json(), name: value})  # names what is wrong


def setting_kinds() -> dict[str, str]:
    """The settings and their types, as text."""
    return {f.name: str(f.type) for f in fields(RunConfig)}


def ends(dimension: Dimension) -> tuple[Any, ...]:
    """The values that decide whether all others are allowed."""
    return (dimension.low, dimension.high) if isinstance(dimension, Range) else dimension.values


def _check_range(name: str, drawn: Range, kind: str) -> None:
    if kind not in ("float", "int"):
        raise UserError(f"The setting {name} is no number: give the values to choose from.")
    if not drawn.low < drawn.high:
        raise UserError(f"The range of {name} goes up: {drawn.low:g}..{drawn.high:g} does not.")
    if drawn.log and drawn.low <= 0:
        raise UserError(f"The range of {name} is logarithmic, so it begins above 0, not at {drawn.low:g}.")


def with_changes(space: Space, texts: Sequence[str]) -> dict[str, Dimension]:
    """The space with changes as on the command line: `dropout=0..0.3`, `batch_size=16,32`, `rotation=off`. Raises UserError."""
    changed = dict(space)
    for text in texts:
        name, equals, words = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise UserError(f"--space takes SETTING={_FORM}, not {text!r}.")
        if words.strip().lower() == "off":
            changed.pop(name, None)
        else:
            changed[name] = parse(name, words.strip())
    return changed


def parse(name: str, words: str) -> Dimension:
    """A range or values of this setting as text. Raises UserError."""
    kind = setting_kinds().get(name)
    if kind is None:
        raise UserError(f"There is no setting {name!r}; the settings are {', '.join(setting_kinds())}.")
    low, dots, rest = words.partition("..")
    if not dots:
        return Choices(tuple(_value(name, part.strip(), kind) for part in words.split(",") if part.strip()))
    high, colon, log = rest.partition(":")
    if colon and log.strip() != "log":
        raise UserError(f"The range of {name} is {_FORM}, not {words!r}.")
    if kind not in ("float", "int"):
        raise UserError(f"The setting {name} is no number: give the values to choose from.")
    return Range(_value(name, low.strip(), kind), _value(name, high.strip(), kind), log=bool(colon))


def text_of(dimension: Dimension) -> str:
    """What `parse` reads back."""
    if isinstance(dimension, Choices):
        return ",".join(str(value) for value in dimension.values)
    return f"{number(dimension.low)}..{number(dimension.high)}{':log' if dimension.log else ''}"


def number(value: float) -> str:
    """A number, as short as it can be read back."""
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def short(value: Any) -> str:
    """A drawn value for people: fractions in three figures."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _value(name: str, text: str, kind: str) -> Any:
    """The text as the setting's type; whether it is within the limits is asked later."""
    if kind == "int":
        return _number(name, text, int)
    if "float" in kind:
        return _number(name, text, float)
    return text.lower() in ("true", "yes", "1", "on") if kind == "bool" else text


def _number(name: str, text: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(text)
    except ValueError:
        what = "whole numbers" if kind is int else "numbers"
        raise UserError(f"The setting {name} needs {what}, not {text!r}.") from None


def space_to_json(space: Space) -> dict[str, Any]:
    """Plain values; `space_from_json` gives the space back."""
    return {
        name: {"choices": list(d.values)} if isinstance(d, Choices) else {"low": d.low, "high": d.high, "log": d.log}
        for name, d in space.items()
    }


def space_from_json(values: Mapping[str, Any]) -> dict[str, Dimension]:
    """Raises KeyError or TypeError for anything that `space_to_json` does not write."""
    return {
        name: Choices(tuple(v["choices"])) if "choices" in v else Range(v["low"], v["high"], bool(v["log"]))
        for name, v in values.items()
    }
