"""Columns of tables that others publish: boxes, visibility flags, numbered points, AFLW's own names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from training.faces.labels.labels import PointState
from training.faces.labels.schema import AFLW_19, COFW_29, IBUG_68
from training.sources.formats.tables.columns import STATE_WORDS, KeypointColumns, by_lower, first_of, named

_BOX_PREFIXES = ("box_", "bbox_", "face_", "rect_", "")
_BOX_SIZES = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"))
_BOX_CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"))
CROP_COLUMNS = ("crop_x", "crop_y", "crop_side")
SUBSET_NAMES = ("subset", "frontal", "partition", "dataset")
_YES, _NO = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")
_VISIBLE = ("visible", "visibility", "vis", "v")
_HIDDEN = ("occluded", "occlusion", "occ", "hidden", "o")
_BY_COUNT = {len(schema): schema for schema in (IBUG_68, AFLW_19, COFW_29)}
_AFLW_NAMES = (
    "leftbrowleftcorner", "leftbrowcenter", "leftbrowrightcorner", "rightbrowleftcorner", "rightbrowcenter",
    "rightbrowrightcorner", "lefteyeleftcorner", "lefteyecenter", "lefteyerightcorner", "righteyeleftcorner",
    "righteyecenter", "righteyerightcorner", "noseleft", "nosecenter", "noseright", "mouthleftcorner", "mouthcenter",
    "mouthrightcorner", "chincenter",
)  # fmt: skip
AFLW_KEYPOINTS = dict(zip(_AFLW_NAMES, AFLW_19.keypoints, strict=True))


def find_box(header: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """The four columns of the face's box, () where there are none, and whether the last two are its far corner."""
    lower = by_lower(header)
    if "x3" in lower:
        return (), False  # x1, y1, x2, y2, x3... are points
    for prefix in _BOX_PREFIXES:
        for names, corners in (*((n, False) for n in _BOX_SIZES), *((n, True) for n in _BOX_CORNERS)):
            columns = tuple(lower.get(f"{prefix}{name}", "") for name in names)
            if all(columns):
                return columns, corners
    return (), False


def find_crop(header: Sequence[str]) -> tuple[str, ...]:
    """The columns crop_x, crop_y, crop_side of an exported project; () where they are not there."""
    columns = tuple(named(header, (name,)) for name in CROP_COLUMNS)
    return columns if all(columns) else ()


def state_words(column: str) -> Mapping[str, PointState]:
    """What the cells of a column of states mean, by the column's ending: words of states, or a flag with 1 and 0."""
    ending = re.split(r"[_. -]", re.sub(r"\d+$", "", column.lower()).rstrip("_. -"))[-1]
    if ending not in (*_VISIBLE, *_HIDDEN):
        return STATE_WORDS
    seen, hidden = PointState.VISIBLE, PointState.OCCLUDED
    one, zero = (seen, hidden) if ending in _VISIBLE else (hidden, seen)
    words = {**dict.fromkeys(_YES, one), **dict.fromkeys(_NO, zero)}
    return {**words, "visible": seen, "hidden": hidden, "occluded": hidden}


def is_flag(column: str) -> bool:
    """Whether a column of states holds flags: these say nothing of points without coordinates."""
    return bool(column) and state_words(column) is not STATE_WORDS


def with_flags(keypoints: Sequence[KeypointColumns], header: Sequence[str]) -> tuple[KeypointColumns, ...]:
    """The keypoints with their columns of visibility or occlusion, where they have no state yet."""
    lower = by_lower(header)
    found = []
    for k in keypoints:
        stems = [f"{k.name}_{word}" for word in (*_VISIBLE, *_HIDDEN)]
        number = re.fullmatch(r"point_(\d+)", k.name)
        if number:
            stems += [f"{word}{joint}{number[1]}" for word in (*_VISIBLE, *_HIDDEN) for joint in ("", "_")]
        found.append(k if k.state else replace(k, state=first_of(lower, map(str.lower, stems))))
    return tuple(found)


def with_known_names(keypoints: Sequence[KeypointColumns]) -> tuple[KeypointColumns, ...]:
    """AFLW's own names and 19, 29 or 68 numbered points get the names of their schema; all others stay."""
    aflw = {k.name.lower().replace("_", ""): k for k in keypoints}
    if set(AFLW_KEYPOINTS) <= set(aflw):  # its ears are not among the 19
        return tuple(replace(aflw[own], name=name) for own, name in AFLW_KEYPOINTS.items())
    matches = [re.fullmatch(r"(.*?)(\d+)", k.name) for k in keypoints]
    schema = _BY_COUNT.get(len(keypoints))
    if schema is None or not all(matches):
        return tuple(keypoints)
    found = [(match[1], int(match[2])) for match in matches if match]
    first = min(number for _, number in found)
    in_a_row = sorted(number for _, number in found) == list(range(first, first + len(found)))
    if len({stem for stem, _ in found}) > 1 or not in_a_row or first > 1:
        return tuple(keypoints)
    named_points = [replace(k, name=schema.keypoints[n - first]) for k, (_, n) in zip(keypoints, found, strict=True)]
    return tuple(sorted(named_points, key=lambda k: schema.keypoints.index(k.name)))
