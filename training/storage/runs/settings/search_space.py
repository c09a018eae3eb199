"""The search space: a range or a list of values per setting, within the setting's own limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.errors import UserError
from training.storage.runs.settings.config import SETTINGS, RunConfig

NEVER = (
    "recipe",
    "variant",
    "epochs",
    "minutes",
    "seed",
    "device",
    "threads",
    "processes",
)  # fixed within a search
_LARGEST = 1e300
_FORM = "LOW..HIGH, LOW..HIGH:log, VALUE,VALUE,... or off"


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, inclusive. log: uniform on a logarithmic scale."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choices:
    """One of these values, all equally likely."""

    values: tuple[Any, ...]


Dimension = Range | Choices
Space = Mapping[str, Dimension]


def default_space(config: RunConfig) -> dict[str, Dimension]:
    """A space for any recipe: learning rate (a tenth to ten times its own), batch, decay, dropout, augmentation."""
    rate = config.optim.learning_rate
    space: dict[str, Dimension] = {
        "learning_rate": Range(_short(rate / 10), _short(rate * 10), log=True),
        "batch_size": Choices((16, 32, 64, 128)),
        "weight_decay": Range(1e-5, 1e-1, log=True),
        "dropout": Range(0.0, 0.5),
        "rotation": Range(0.0, 30.0),
        "brightness": Range(0.0, 0.4),
    }
    if config.augment.box_corners > 0:
        return {**space, "box_corners": Range(0.0, 0.1)}
    return {**space, "scale": Range(0.0, 0.2), "shift": Range(0.0, 0.1)}


def _short(value: float) -> float:
    """Rounded to six digits, without artefacts of the division."""
    return float(f"{value:.6g}")


def check_space(space: Space, config: RunConfig) -> None:
    """Raises UserError naming a setting that is unknown, cannot be searched, or could be drawn outside its limits."""
    if not space:
        raise UserError("There is nothing to search: give a range or values for at least one setting.")
    kinds = setting_kinds()
    for name, dimension in space.items():
        if name in NEVER:
            raise UserError(f"The setting {name} is fixed within a search; remove it from the space.")
        if name in kinds and isinstance(dimension, Range):
            _check_range(name, dimension, kinds[name])
        elif not ends(dimension):
            raise UserError(f"The setting {name} has no values to choose from.")
        for value in ends(dimension):
            RunConfig.from_json({**config.to_json(), name: value})  # raises with the setting's name


def setting_kinds() -> dict[str, str]:
    """Setting names and their types, as text."""
    return {f.name: str(f.type) for f in SETTINGS.values()}


def ends(dimension: Dimension) -> tuple[Any, ...]:
    """The values to validate: both ends of a range, or all choices."""
    return (dimension.low, dimension.high) if isinstance(dimension, Range) else dimension.values


def _check_range(name: str, drawn: Range, kind: str) -> None:
    if kind not in ("float", "int"):
        raise UserError(f"The setting {name} is not a number: list the values to choose from.")
    if not drawn.low < drawn.high:
        raise UserError(f"The range of {name} must be ascending, unlike {drawn.low:g}..{drawn.high:g}.")
    if drawn.log and drawn.low <= 0:
        raise UserError(f"The range of {name} is logarithmic, so it must start above 0, not at {drawn.low:g}.")


def with_changes(space: Space, texts: Sequence[str]) -> dict[str, Dimension]:
    """The space with command-line changes: `dropout=0..0.3`, `batch_size=16,32`, `rotation=off`. Raises UserError."""
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
    """Parse a range or values for this setting. Raises UserError."""
    kind = setting_kinds().get(name)
    if kind is None:
        raise UserError(f"There is no setting {name!r}; choose one of {', '.join(setting_kinds())}.")
    low, dots, rest = words.partition("..")
    if not dots:
        return Choices(tuple(_value(name, part.strip(), kind) for part in words.split(",") if part.strip()))
    high, colon, log = rest.partition(":")
    if colon and log.strip() != "log":
        raise UserError(f"The range of {name} must be {_FORM}, not {words!r}.")
    if kind not in ("float", "int"):
        raise UserError(f"The setting {name} is not a number: list the values to choose from.")
    return Range(_value(name, low.strip(), kind), _value(name, high.strip(), kind), log=bool(colon))


def text_of(dimension: Dimension) -> str:
    """The text that `parse` reads back."""
    if isinstance(dimension, Choices):
        return ",".join(str(value) for value in dimension.values)
    return f"{number(dimension.low)}..{number(dimension.high)}{':log' if dimension.log else ''}"


def number(value: float) -> str:
    """The shortest text of a number that reads back exactly."""
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def short(value: Any) -> str:
    """A drawn value for display, with three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _value(name: str, text: str, kind: str) -> Any:
    """The text converted to the setting's type; limits are checked later."""
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
    """Plain values, read back by `space_from_json`."""
    return {
        name: {"choices": list(d.values)} if isinstance(d, Choices) else {"low": d.low, "high": d.high, "log": d.log}
        for name, d in space.items()
    }


def space_from_json(values: Mapping[str, Any]) -> dict[str, Dimension]:
    """The space of `space_to_json`'s values. Raises ValueError for anything else."""
    if not isinstance(values, Mapping):
        raise ValueError("the space is not a table")
    return {name: _dimension(v) for name, v in values.items()}


def _dimension(value: Any) -> Dimension:
    if isinstance(value, Mapping) and isinstance(value.get("choices"), list):
        return Choices(tuple(value["choices"]))
    if not isinstance(value, Mapping) or type(value.get("log")) is not bool:
        raise ValueError("neither a range nor values")
    for name in ("low", "high"):
        if type(value.get(name)) not in (int, float) or not abs(value[name]) < _LARGEST:
            raise ValueError("the ends of a range are no numbers")
    return Range(value["low"], value["high"], value["log"])
