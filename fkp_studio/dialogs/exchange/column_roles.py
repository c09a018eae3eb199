"""Roles of CSV columns: converts between the table that the user edits and the importer's column mapping."""

from __future__ import annotations

from collections.abc import Sequence

from training.errors import UserError
from training.sources.formats.tables.columns import ColumnMapping, KeypointColumns

IGNORE, IMAGE, GROUP, SPLIT, SUBSET = "ignore", "image", "group", "split", "subset"
BOX, FAR_CORNER = ("box x", "box y", "box width", "box height"), ("box x2", "box y2")
CROP = ("crop x", "crop y", "crop side")
ONCE = (IMAGE, GROUP, SPLIT, SUBSET, *BOX, *FAR_CORNER, *CROP)
X, Y, STATE = "x", "y", "state"


def roles_of(columns: Sequence[str], mapping: ColumnMapping) -> list[str]:
    """One role per column: ignore, one of ONCE, 'x of NAME', 'y of NAME', 'state of NAME'."""
    roles = {mapping.image: IMAGE, mapping.group: GROUP, mapping.split: SPLIT, mapping.subset: SUBSET}
    box = (*BOX[:2], *FAR_CORNER) if mapping.box_corners else BOX
    roles |= dict(zip((*mapping.box, *mapping.crop), (*(box if mapping.box else ()), *CROP), strict=False))
    for keypoint in mapping.keypoints:
        for what, column in ((X, keypoint.x), (Y, keypoint.y), (STATE, keypoint.state)):
            roles[column] = f"{what} of {keypoint.name}"
    return [roles.get(column, IGNORE) for column in columns]


def choices(roles: Sequence[str], column: str) -> list[str]:
    """The roles a column can have, likely names first."""
    own = column.removesuffix(f"_{STATE}") if column.endswith(f"_{STATE}") else column[:-1].rstrip("_. -") or column
    names = list(dict.fromkeys([own, *_names(roles)]))
    points = (f"{what} of {name}" for name in names for what in (X, Y, STATE))
    return [IGNORE, IMAGE, GROUP, SPLIT, *points, *ONCE[ONCE.index(SUBSET) :]]


def with_role(roles: Sequence[str], place: int, role: str) -> list[str]:
    """The roles with one column's changed; a role that only one column can have is taken from the other."""
    role = " ".join(role.split())
    taken = role in ONCE or bool(_names([role]))
    changed = [IGNORE if taken and r == role else r for r in roles]
    changed[place] = role
    return changed


def mapping_of(columns: Sequence[str], roles: Sequence[str]) -> ColumnMapping:
    """The mapping of these roles. Raises UserError if they are inconsistent."""
    where: dict[str, str] = {}
    for column, role in zip(columns, roles, strict=True):
        if role not in (IGNORE, *ONCE) and not _names([role]):
            raise UserError(f"Column {column}: choose ignore, image, group, split, “x of …”, “y of …” or “state of …”.")
        if role != IGNORE:
            where[role] = column
    if IMAGE not in where:
        raise UserError("Choose the column with the image names.")
    names = list(dict.fromkeys(_names(roles)))
    for name in names:
        for axis in (X, Y):
            if f"{axis} of {name}" not in where:
                raise UserError(f"No column is read as {axis} of {name}. Choose one, or ignore its other column.")
    keypoints = tuple(
        KeypointColumns(name, where[f"x of {name}"], where[f"y of {name}"], where.get(f"state of {name}", ""))
        for name in names
    )
    corners = any(role in where for role in FAR_CORNER)
    return ColumnMapping(
        where[IMAGE],
        keypoints,
        where.get(GROUP, ""),
        where.get(SPLIT, ""),
        where.get(SUBSET, ""),
        box=_all_of((*BOX[:2], *FAR_CORNER) if corners else BOX, where),
        box_corners=corners,
        crop=_all_of(CROP, where),
    )


def _all_of(roles: Sequence[str], where: dict[str, str]) -> tuple[str, ...]:
    """The columns of roles that belong together; () if there are none. Raises UserError if some are missing."""
    missing = [role for role in roles if role not in where]
    if missing and len(missing) < len(roles):
        raise UserError(f"No column is read as {missing[0]}. Choose one, or ignore the columns that go with it.")
    return () if missing else tuple(where[role] for role in roles)


def _names(roles: Sequence[str]) -> list[str]:
    """The keypoints that these roles name."""
    parts = (role.partition(" of ") for role in roles)
    return [name for what, _, name in parts if what in (X, Y, STATE) and name]
