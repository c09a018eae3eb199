"""Labels hidden from training as in Kaggle's file, whose faces have either all keypoints or four of them. Torch-free.

A set whose faces all have every label says nothing on masked losses: with and without the mask one trains the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from training.errors import UserError
from training.faces.labels.labels import Origin, PointState
from training.faces.labels.schema import KeypointSchema
from training.storage.runs.folder import Snapshot

KEPT = 4  # labels of a face that lacks the others, as in Kaggle's file
_SEED = 0  # of the faces chosen: the same for every training, so that all arms and seeds lack the same labels


@dataclass(frozen=True)
class Hidden:
    """What was hidden. share: of the complete train faces, as asked. faces: how many lost labels, of `complete`. kept: names."""

    share: float
    faces: int
    complete: int
    kept: tuple[str, ...]

    @property
    def words(self) -> str:
        """For the report: how many faces keep which labels."""
        kept = ", ".join(name.replace("_", " ") for name in self.kept)
        return (
            f"{self.faces:,} of the {self.complete:,} complete train faces ({self.share:.0%}) keep {kept} alone, drawn with "
            f"seed {_SEED}; the labels that are measured on are whole"
        )


def hide_labels(snapshot: Snapshot, share: float) -> tuple[Snapshot, Hidden]:
    """The snapshot in which that share of the complete train faces has no labels but those of `kept_keypoints`.

    A larger share hides those of a smaller one and more. Val and test stay as they are. The label hash tells the share, so
    that no run on other labels is taken for one on these. Raises UserError where nothing or everything would be hidden.
    """
    if not 0 < share < 1:
        raise UserError(
            f"--hide takes a share above 0 and below 1 of the complete train faces, such as 0.7; not {share:g}."
        )
    kept = kept_keypoints(snapshot.schema)
    complete = np.flatnonzero(np.isfinite(snapshot.points).all(axis=(1, 2)) & (snapshot.splits == 0))
    count = round(share * len(complete))
    if not 0 < count < len(complete):
        raise UserError(
            f"Hiding labels of {share:g} of {len(complete):,} complete train faces leaves no face to hide or none complete; "
            "label more faces completely or choose another share."
        )
    faces = np.random.default_rng(_SEED).permutation(complete)[:count]
    gone = np.zeros(snapshot.states.shape, bool)
    gone[faces] = ~np.isin(np.arange(len(snapshot.schema)), kept)
    hidden = Hidden(share, count, len(complete), tuple(snapshot.schema.keypoints[k] for k in kept))
    return _without(snapshot, gone, f"{snapshot.label_hash}-hidden-{share:g}"), hidden


def _without(snapshot: Snapshot, gone: np.ndarray, label_hash: str) -> Snapshot:
    origins = snapshot.origins
    return replace(
        snapshot,
        points=np.where(gone[..., None], np.nan, snapshot.points),
        states=np.where(gone, PointState.UNSET, snapshot.states).astype(np.uint8),
        origins=None if origins is None else np.where(gone, Origin.NONE, origins).astype(np.uint8),
        label_hash=label_hash,
    )


def kept_keypoints(schema: KeypointSchema) -> tuple[int, ...]:
    """The four that stay labelled, in the schema's order: its inter-ocular pair, then twice the one on the face's midline
    (any, where there is none) that lies farthest from those chosen, on the schema's template.

    Of Kaggle's 15: eye centres, bottom lip, nose tip, as in its file. Of 300-W's 68: outer eye corners, chin, nose tip.
    Raises UserError where the schema has no more than four.
    """
    if len(schema) <= KEPT:
        raise UserError(
            f"The project has {len(schema)} keypoints and {KEPT} of them stay labelled: there is none to hide."
        )
    template = np.array(schema.template or [(k / len(schema), 0.0) for k in range(len(schema))])
    midline = [k for k in range(len(schema)) if schema.flip[k] == k]
    chosen = [group[0] for group in schema.interocular if group]
    while len(chosen) < KEPT:
        left = [k for k in midline if k not in chosen] or [k for k in range(len(schema)) if k not in chosen]
        chosen.append(max(left, key=lambda k: _distance(template, k, chosen)))
    return tuple(sorted(chosen))


def _distance(template: np.ndarray, keypoint: int, chosen: list[int]) -> float:
    """From the nearest chosen keypoint; from the template's middle where none is chosen yet."""
    others = template[chosen] if chosen else template.mean(axis=0, keepdims=True)
    return float(np.linalg.norm(others - template[keypoint], axis=1).min())
