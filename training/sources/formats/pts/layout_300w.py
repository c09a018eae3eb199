"""The folders of 300-W: the data set of each image, and its side of the protocol.

Train: all of AFW, the train sets of LFPW and HELEN. Test: the test sets of LFPW and HELEN (common) and IBUG
(challenge). These folders are often nested in others, in upper or lower case.
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
    """subset: lfpw, helen, afw or ibug; split: as the protocol has it, or val where a part of train was held out."""

    subset: str
    split: Split

    @property
    def part(self) -> str:
        """One of PARTS."""
        half = "testset" if self.split == Split.TEST else "trainset"
        return f"{self.subset}/{half}" if self.subset in _HALVED else self.subset


def place_of(folders: Sequence[str]) -> Place300W | None:
    """The place that the folders above an image (outermost first) mean; None where they are not those of 300-W."""
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
    """Whether images in these places are those of 300-W: one folder may be called so by chance, two are not."""
    parts = {place.part for place in places if place is not None}
    return len(parts) > 1


def remarks(places: Sequence[Place300W | None]) -> list[str]:
    """Notes for the import report: missing parts, and images outside all of them."""
    parts = {place.part for place in places if place is not None}
    notes = []
    missing = [part for part in PARTS if part not in parts]
    if missing:
        sets = [name for name, of in (("common", _COMMON), ("challenge", _CHALLENGE)) if not parts.issuperset(of)]
        unsure = (
            f"; without them the figures on the {' and '.join([*sets, 'full'])} set are not comparable with published ones"
            if sets
            else ""
        )
        notes.append(f"These folders of 300-W are missing: {', '.join(missing)}{unsure}.")
    strangers = sum(place is None for place in places)
    if strangers:
        notes.append(f"{strangers:,} images are in none of the folders of 300-W; they belong to none of its sets.")
    return notes
