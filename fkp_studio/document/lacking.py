"""The unset points of up to a million faces, as a bit table, and the sentence that sums them up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.faces.labels.schema import KeypointSchema
from training.words import counted


@dataclass(frozen=True)
class KeypointGroup:
    """A keypoint, or both of a mirrored pair, under one name: (11, 12) 'mouth corners'."""

    title: str
    keypoints: tuple[int, ...]


def groups(schema: KeypointSchema) -> tuple[KeypointGroup, ...]:
    """All keypoints in schema order; left and right form one group if their names differ only in the side."""
    found = []
    for i, title in enumerate(schema.titles):
        partner = schema.flip[i]
        common = _without_side(title)
        if partner == i or common != _without_side(schema.titles[partner]):
            found.append(KeypointGroup(title, (i,)))
        elif i < partner:
            found.append(KeypointGroup(f"{common}s", (i, partner)))
    return tuple(found)


def _without_side(title: str) -> str:
    return " ".join(re.sub(r"\b(left|right)\b", " ", title).split())


class Lacking:
    """One bit per face and keypoint (N x K), and the number of faces that lack each group; updated row by row."""

    def __init__(self, bits: np.ndarray, named: tuple[KeypointGroup, ...], counts: np.ndarray) -> None:
        self._bits = bits  # uint8 [N, ceil(K / 8)], as np.packbits makes them
        self.groups = named
        self.counts = counts  # int64 [G]: faces that lack a point of the group

    @classmethod
    def empty(cls, count: int, schema: KeypointSchema) -> Lacking:
        """`count` faces that lack nothing."""
        named = groups(schema)
        return cls(np.zeros((count, -(-len(schema) // 8)), np.uint8), named, np.zeros(len(named), np.int64))

    def __len__(self) -> int:
        return len(self._bits)

    def put(self, rows: np.ndarray, missing: np.ndarray) -> None:
        """Set some faces. rows: int [B]. missing: bool [B, K]."""
        old = self.rows(rows)
        self._bits[rows] = np.packbits(missing, axis=1)
        self.counts += self.rows(rows)._count() - old._count()

    def _count(self) -> np.ndarray:
        """int64 [G]: how many of the faces lack a point of each group."""
        if len(self) < len(self.groups):  # a face at a time: a loop over thousands of groups takes 0.1 s
            first, last = np.array([(g.keypoints[0], g.keypoints[-1]) for g in self.groups]).T
            faces = (np.unpackbits(bits).view(bool) for bits in self._bits)
            return sum((face[first] | face[last] for face in faces), np.zeros(len(self.groups), np.int64))
        return np.array([int(self.any_of(group.keypoints).sum()) for group in self.groups], np.int64)

    def rows(self, rows: np.ndarray) -> Lacking:
        """These faces only; `counts` are all 0."""
        return Lacking(self._bits[rows], self.groups, np.zeros(len(self.groups), np.int64))

    def any_of(self, keypoints: Sequence[int]) -> np.ndarray:
        """bool [N]: faces that lack at least one of these keypoints."""
        chosen = np.zeros(self._bits.shape[1] * 8, bool)
        chosen[list(keypoints)] = True
        mask = np.packbits(chosen)
        found = np.zeros(len(self._bits), bool)
        for column in np.flatnonzero(mask):
            found |= (self._bits[:, column] & mask[column]) != 0
        return found

    def most(self) -> KeypointGroup | None:
        """The group that most faces lack; None if nothing is missing."""
        return self.groups[int(np.argmax(self.counts))] if self.counts.any() else None

    def sentence(self) -> str:
        """The labels most faces lack: '412 faces still lack the mouth corners'."""
        group = self.most()
        if group is None:
            return "Every point is labelled."
        count = int(self.counts.max())
        return f"{counted(count, 'face')} still lack{'s' if count == 1 else ''} the {group.title}"
