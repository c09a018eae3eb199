"""Draws the train, val and test splits by group, so that no person, photo or repeated image is in two splits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.faces.labels.near_duplicates import group_near_duplicates
from training.faces.labels.samples import Split

DEFAULT_VAL = 0.15


def grouped_split(groups: Sequence[str], *, val: float = DEFAULT_VAL, test: float = 0.0, seed: int = 0) -> np.ndarray:
    """Draw a split by group: uint8 [N], `Split`. The group "" is a sample in no group.

    The order of the groups comes from a hash of seed and name, so it depends neither on the order of the samples nor on
    what else is drawn. Shares are of samples and met as closely as whole groups allow; a group larger than the
    remaining share is skipped. With val > 0 and at least two groups, val is never empty.
    """
    units, members = _units(groups)
    sizes = np.bincount(members, minlength=len(units))
    order = np.array(sorted(range(len(units)), key=lambda i: _draw(units[i], seed)), np.int64)
    chosen = np.zeros(len(units), np.uint8)
    for split, share in ((Split.VAL, val), (Split.TEST, test)):
        _take(chosen, order, sizes=sizes, split=split, room=round(share * len(members)), needed=share > 0)
    return chosen[members] if len(units) else np.zeros(0, np.uint8)


def _take(chosen: np.ndarray, order: np.ndarray, *, sizes: np.ndarray, split: Split, room: int, needed: bool) -> None:
    free = order[chosen[order] == Split.TRAIN].tolist()
    for unit, size in zip(free, sizes[free].tolist(), strict=True):
        if size <= room:
            chosen[unit] = split
            room -= size
    if needed and len(free) > 1 and not (chosen == split).any():
        chosen[min(free, key=lambda unit: sizes[unit])] = split


def _units(groups: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Names of the units that are drawn as a whole, and for each sample the number of its unit."""
    numbers: dict[str, int] = {}
    members = [numbers.setdefault(group or f"\0{i}", len(numbers)) for i, group in enumerate(groups)]
    return list(numbers), np.array(members, np.int64)


def _draw(name: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}:{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


@dataclass(frozen=True)
class Assigned:
    """Groups and splits (uint8) of all samples of an import, and remarks for the user."""

    groups: tuple[str, ...]
    splits: np.ndarray
    notes: tuple[str, ...] = ()


def assign(
    groups: Sequence[str],
    splits: np.ndarray,
    *,
    given: np.ndarray,
    looks: np.ndarray | None = None,
    known: Mapping[str, int] | None = None,
    seed: int = 0,
) -> Assigned:
    """Groups and splits for an import.

    groups: as in the source, "" where it has none. splits: uint8 [N], valid where given (bool [N]); these are kept.
    looks: uint8 [N, 16, 16], needed where the source has no groups: near-duplicates then form the groups.
    known: groups that the project already has, with their split, which new members join.
    Where the source gives a split to some samples but val to none, val is drawn from its train part.
    """
    notes: list[str] = []
    names, out, fixed = list(groups), np.array(splits, np.uint8), np.array(given, bool)
    if not any(names) and looks is not None:
        names = _duplicate_names(looks, out, fixed)
        repeated = sum(1 for name in names if name)
        if repeated:
            notes.append(
                f"{repeated:,} faces share a photo with others, or have near-duplicates or mirrored copies; faces that"
                " belong together are in one split."
            )
    if fixed.any() and not (out[fixed] == Split.VAL).any():
        redrawn = fixed & (out == Split.TRAIN)
        fixed &= ~redrawn
    names, out, more = _keep_together(names, out, fixed)
    notes += more
    _follow(names, out, fixed, known or {})
    free = np.flatnonzero(~fixed)
    if len(free):
        out[free] = grouped_split([names[i] for i in free], seed=seed)
        notes.append(
            f"{int((out[free] == Split.VAL).sum()):,} of {len(free):,} samples were drawn for validation, by group."
        )
    return Assigned(tuple(names), out, tuple(notes))


def _duplicate_names(looks: np.ndarray, splits: np.ndarray, fixed: np.ndarray) -> list[str]:
    """Group names for near-duplicates; samples with a given split only join others of the same split.

    The name is derived from the first image's content, so that the same image in a later import finds its group.
    """
    roots = group_near_duplicates(looks)
    unit = roots * 4 + np.where(fixed, splits + 1, 0)
    _, first, inverse, counts = np.unique(unit, return_index=True, return_inverse=True, return_counts=True)
    digests = {
        i: hashlib.blake2b(looks[first[i]].tobytes(), digest_size=6).hexdigest() for i in np.flatnonzero(counts > 1)
    }
    parts = np.where(fixed, splits + 1, 0)
    words = ("", "-train", "-val", "-test")
    return [
        f"similar-{digests[i]}{words[part]}" if i in digests else "" for i, part in zip(inverse, parts, strict=True)
    ]


def _keep_together(names: list[str], splits: np.ndarray, fixed: np.ndarray) -> tuple[list[str], np.ndarray, list[str]]:
    """Keep each group in one given split: mixed groups go to train; if that leaves no val, groups are dropped
    instead."""
    parts: dict[str, set[int]] = {}
    for i in np.flatnonzero(fixed):
        if names[i]:
            parts.setdefault(names[i], set()).add(int(splits[i]))
    mixed = sorted(name for name, found in parts.items() if len(found) > 1)
    if not mixed:
        return names, splits, []
    moved = splits.copy()
    split_up = set(mixed)
    in_mixed = np.array([name in split_up for name in names])
    moved[in_mixed & fixed] = Split.TRAIN
    for split in (Split.VAL, Split.TEST):
        if (splits[fixed] == split).any() and not (moved[fixed] == split).any():
            note = f"The given splits were kept and the groups dropped, since groups such as {mixed[0]} span several."
            return [""] * len(names), splits, [note]
    note = f"{len(mixed)} groups such as {mixed[0]} were in several splits; each is now in train as a whole."
    return names, moved, [note]


def _follow(names: list[str], splits: np.ndarray, fixed: np.ndarray, known: Mapping[str, int]) -> None:
    """Put samples into the split that their group already has in the project, else in this import."""
    where = {names[i]: int(splits[i]) for i in np.flatnonzero(fixed) if names[i]} | dict(known)
    for i, name in enumerate(names):
        if name in where and (not fixed[i] or name in known):
            splits[i] = where[name]
            fixed[i] = True


def numbered(groups: list[str]) -> np.ndarray:
    """Names as numbers, int64; each "" is a group of its own."""
    _, numbers = np.unique(np.array(groups), return_inverse=True)
    alone = np.array([not name for name in groups], bool)
    return np.where(alone, numbers.size + np.arange(numbers.size), numbers).astype(np.int64)


def spread_rows(rows: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the rows, evenly spread."""
    return rows if len(rows) <= count else rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)]
