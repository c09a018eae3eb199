"""Which column of a CSV means what: found by name; the caller may change it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from training.errors import UserError
from training.faces.labels.labels import PointState
from training.faces.labels.samples import Split
from training.faces.labels.schema import KAGGLE_15, SCHEMAS, KeypointSchema, schema_from_names

GROUP_NAMES = ("group", "person", "subject", "identity", "person_id", "subject_id", "photo", "video", "id")
SPLIT_NAMES = ("split", "subset", "partition", "usage", "set")
IMAGE_NAMES = ("image", "filename", "file", "file_name", "image_name", "image_path", "path", "picture", "img", "name")
_SPLIT_WORDS = {
    Split.TRAIN: ("train", "training", "0"),
    Split.VAL: ("val", "valid", "validation", "dev", "1"),
    Split.TEST: ("test", "testing", "2"),
}
STATE_WORDS = {state.name.lower(): state for state in PointState}
_AXIS = re.compile(r"^(?P<name>.+?)[_. -]?(?P<axis>[xyXY])$")
_NUMBERED = re.compile(r"^(?P<axis>[xyXY])_?(?P<number>\d{1,4})$")


@dataclass(frozen=True)
class KeypointColumns:
    """One keypoint and the columns it is read from; state: "" where only the coordinates give it."""

    name: str
    x: str
    y: str
    state: str = ""


@dataclass(frozen=True)
class ColumnMapping:
    """Which columns are read as what; all others are ignored. `image` holds file names, or pixels in Kaggle's files.

    box: the face's x, y, width, height (with box_corners x, y, x2, y2), or (). crop: x, y, side of an exported crop, or
    ().
    """

    image: str
    keypoints: tuple[KeypointColumns, ...]
    group: str = ""
    split: str = ""
    subset: str = ""
    box: tuple[str, ...] = ()
    box_corners: bool = False
    crop: tuple[str, ...] = ()

    def schema(self) -> KeypointSchema:
        """The known schema whose names these are, in whatever order; else one made from the names."""
        names = tuple(k.name for k in self.keypoints)
        for known in SCHEMAS.values():
            if set(names) == set(known.keypoints):
                return known
        return schema_from_names(names) if names else KAGGLE_15

    def pairs(self, schema: KeypointSchema) -> list[tuple[str, str]]:
        """The (x, y) columns in the order of the schema's keypoints. Raises UserError where one is missing."""
        where = {k.name: (k.x, k.y) for k in self.keypoints}
        missing = [name for name in schema.keypoints if name not in where]
        if missing:
            raise UserError(f"No columns are chosen for the keypoint {missing[0]}; choose its x and y column.")
        return [where[name] for name in schema.keypoints]

    def check(self, header: Sequence[str], *, file: str) -> None:
        """Raises UserError where a column of this mapping is not in the file."""
        wanted = [
            *(self.image, self.group, self.split, self.subset, *self.box, *self.crop),
            *(c for k in self.keypoints for c in (k.x, k.y, k.state)),
        ]
        there = set(header)
        missing = [column for column in wanted if column and column not in there]
        if missing:
            raise UserError(f"{file}, line 1: the column {missing[0]} is missing; add it or choose another column.")


def find_keypoints(header: Sequence[str], *, file: str, taken: Sequence[str] = ()) -> tuple[KeypointColumns, ...]:
    """The `<name>_x`, `<name>_y` pairs (or x1, y1, x2...) in the order of the file.

    Raises UserError where one is missing.
    """
    found: dict[str, dict[str, str]] = {}
    for column in (c for c in header if c not in taken):
        match, numbered = _AXIS.match(column), _NUMBERED.match(column)
        if match:
            found.setdefault(match["name"], {})[match["axis"].lower()] = column
        elif numbered:
            found.setdefault(f"point_{int(numbered['number'])}", {})[numbered["axis"].lower()] = column
    pairs = []
    for name, axes in found.items():
        if len(axes) == 2:
            pairs.append(KeypointColumns(name, axes["x"], axes["y"]))
        elif next(iter(axes.values())).lower().endswith(("_x", "_y")):
            there = next(iter(axes.values()))
            other = there[:-1] + {"x": "y", "y": "x", "X": "Y", "Y": "X"}[there[-1]]
            raise UserError(
                f"{file}, line 1: there is a column {there} but no column {other}; add it or remove {there}."
            )
    return tuple(pairs)


def with_states(
    keypoints: Sequence[KeypointColumns], header: Sequence[str], words: Callable[[str], Iterable[str]]
) -> tuple[KeypointColumns, ...]:
    """The keypoints with their `<name>_state` columns.

    words: the first cells of a column; it is taken where they are states.
    """
    lower = by_lower(header)
    found = []
    for k in keypoints:
        column = lower.get(f"{k.name}_state".lower(), "")
        known = bool(column) and all(word.strip().lower() in ("", *STATE_WORDS) for word in words(column))
        found.append(replace(k, state=column) if known else k)
    return tuple(found)


def named(header: Sequence[str], names: Sequence[str]) -> str:
    """The first column with one of these names, upper or lower case; "" where there is none."""
    return first_of(by_lower(header), names)


def by_lower(header: Sequence[str]) -> dict[str, str]:
    """The columns by their names in lower case, the first of each; to look up many, since a header may be long."""
    return {column.lower(): column for column in reversed(header)}


def first_of(lower: Mapping[str, str], names: Iterable[str]) -> str:
    """As `named`, in what `by_lower` returned."""
    return next((lower[name] for name in names if name in lower), "")


def split_of(word: str) -> Split | None:
    """The split that a word of a file or a folder's name means; None where it means none."""
    return next((split for split, words in _SPLIT_WORDS.items() if word.strip().lower() in words), None)


def require_known(mapping: ColumnMapping, schema: KeypointSchema, *, file: str) -> None:
    """Raises UserError where a file has some but not all of a known schema's columns."""
    names = {k.name for k in mapping.keypoints}
    missing = [f"{name}_{axis}" for name in schema.keypoints if name not in names for axis in "xy"]
    if names & set(schema.keypoints) and missing:
        few = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise UserError(f"{file}, line 1: the columns {few} are missing; add them, empty where nothing is known.")
