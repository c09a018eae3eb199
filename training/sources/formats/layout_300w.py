"""The folders of 300-W: which picture belongs to which data set, and to which side of the protocol.

Train: all of AFW, the train sets of LFPW and HELEN. Test: the test sets of LFPW and HELEN (common) and IBUG (challenge).
People nest these folders in others and write them in any case.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from training.faces.labels.samples import Split

_HALVES = {
    **dict.fromkeys(("trainset", "train", "training"), Split.TRAIN),
    **dict.fromkeys(("testset", "test", "testing"), Split.TEST),
}
_WHOLE = {"afw": Split.TRAIN, "ibug": Split.TEST}
_HALVED = ("lfpw", "helen")
PARTS = ("afw", "lfpw/trainset", "helen/trainset", "lfpw/testset", "helen/testset", "ibug")
_COMMON, _CHALLENGE = ("lfpw/testset", "helen/testset"), ("ibug",)


@dataclass(frozen=True)
class Place300W:
    """subset: lfpw, helen, afw or ibug; split: as the protocol has it, or val where a part of train was put aside."""

    subset: str
    split: Split

    @property
    def part(self) -> str:
        """One of PARTS."""
        half = "testset" if self.split == Split.TEST else "trainset"
        return f"{self.subset}/{half}" if self.subset in _HALVED else self.subset


def place_of(folders: Sequence[str]) -> Place300W | None:
    """What the folders above a picture, outermost first, say; None where they are not 300-W's."""
    words = [folder.strip().lower() for folder in folders]
    for at in reversed(range(len(words))):
        half = _WHOLE.get(words[at])
        if words[at] in _HALVED:
            half = next((_HALVES[word] for word in reversed(words[at + 1 :]) if word in _HALVES), None)
        if half is not None:
            ours = half == Split.TRAIN and "val" in words[:at]  # as we write what was drawn for validation
            return Place300W(words[at], Split.VAL if ours else half)
    return None


def is_layout(places: Iterable[Place300W | None]) -> bool:
    """Whether pictures in these places are 300-W's: two of its parts, or one that is not just called so by chance."""
    parts = {place.part for place in places if place is not None}
    return len(parts) > 1


def remarks(places: Sequence[Place300W | None]) -> list[str]:
    """What an import should tell: parts that are not there, and pictures that lie in none of them."""
    parts = {place.part for place in places if place is not None}
    notes = []
    missing = [part for part in PARTS if part not in parts]
    if missing:
        sets = [name for name, of in (("common", _COMMON), ("challenge", _CHALLENGE)) if not parts.issuperset(of)]
        unsure = (
            f"; the numbers of the {' and '.join([*sets, 'full'])} set are not the protocol's without them"
            if sets
            else ""
        )
        notes.append(f"Of 300-W's folders these are not there: {', '.join(missing)}{unsure}.")
    strangers = sum(place is None for place in places)
    if strangers:
        notes.append(f"{strangers:,} pictures lie in none of 300-W's folders; they belong to none of its sets.")
    return notes
