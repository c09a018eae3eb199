"""Hides labels from training as in Kaggle's file, whose faces have either all keypoints or four of them.

On a data set where every face has every label, training with and without the masked loss is identical.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from training.errors import UserError
from training.faces.labels.labels import Origin, PointState
from training.faces.labels.schema import KeypointSchema
from training.storage.runs.inputs.snapshot import Snapshot

KEPT = 4  # labels that an incomplete face keeps, as in Kaggle's file
_SEED = 0  # of the choice of faces, fixed so that all arms and seeds lack the same labels


@dataclass(frozen=True)
class Hidden:
    """What was hidden.

    share: the requested share of the complete train faces. faces: how many of `complete` faces lost labels. kept: the
    names of the keypoints that stay labelled.
    """

    share: float
    faces: int
    complete: int
    kept: tuple[str, ...]

    @property
    def words(self) -> str:
        """A description for the report."""
        kept = ", ".join(name.replace("_", " ") for name in self.kept)
        return (
            f"{self.faces:,} of the {self.complete:,} complete train faces ({self.share:.0%}) keep only {kept}, "
            f"drawn with seed {_SEED}; the labels measured on are complete"
        )


def hide_labels(snapshot: Snapshot, share: float) -> tuple[Snapshot, Hidden]:
    """The snapshot with a share of the complete train faces reduced to the labels of `kept_keypoints`.

    Shares are nested: a larger one includes the faces of a smaller one. Val and test are unchanged. The label hash
    includes the share, so that runs on other labels are not reused. Raises UserError if no face or every face would
    lose labels.
    """
    if not 0 < share < 1:
        raise UserError(
            f"--hide takes a share of the complete train faces between 0 and 1, such as 0.7, not {share:g}."
        )
    kept = kept_keypoints(snapshot.schema)
    complete = np.flatnonzero(np.isfinite(snapshot.points).all(axis=(1, 2)) & (snapshot.splits == 0))
    count = round(share * len(complete))
    if not 0 < count < len(complete):
        raise UserError(
            f"Hiding labels of {share:g} of {len(complete):,} complete train faces would change no face or leave none "
            "complete; label more faces completely or choose another share."
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
    """The four keypoints that stay labelled, in schema order.

    These are the inter-ocular pair, then twice the midline keypoint (or any, if there is none) farthest from those
    already chosen, on the schema's template. For Kaggle's 15: eye centres, bottom lip and nose tip, as in its file; for
    300-W's 68: outer eye corners, chin and nose tip. Raises UserError if the schema has no more than four.
    """
    if len(schema) <= KEPT:
        raise UserError(
            f"The project has {len(schema)} keypoints, and {KEPT} of them stay labelled, so there is none to hide."
        )
    template = np.array(schema.template or [(k / len(schema), 0.0) for k in range(len(schema))])
    midline = [k for k in range(len(schema)) if schema.flip[k] == k]
    chosen = [group[0] for group in schema.interocular if group]
    while len(chosen) < KEPT:
        left = [k for k in midline if k not in chosen] or [k for k in range(len(schema)) if k not in chosen]
        chosen.append(max(left, key=lambda k: _distance(template, k, chosen)))
    return tuple(sorted(chosen))


def _distance(template: np.ndarray, keypoint: int, chosen: list[int]) -> float:
    """Distance to the nearest chosen keypoint, or to the template's centre if none is chosen yet."""
    others = template[chosen] if chosen else template.mean(axis=0, keepdims=True)
    return float(np.linalg.norm(others - template[keypoint], axis=1).min())
