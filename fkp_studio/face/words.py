"""Texts of the canvas and of the points table. No Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fkp_studio.face.face import Face
from training.faces.labels.labels import Origin, PointState
from training.faces.labels.run_names import run_title
from training.words import counted

if TYPE_CHECKING:
    from fkp_studio.document.session import Session
    from fkp_studio.face.images import Image

READING = "Reading the image…"
STATE_WORDS = {
    PointState.UNSET: "unset",
    PointState.VISIBLE: "visible",
    PointState.OCCLUDED: "occluded",
    PointState.ABSENT: "absent",
}


def nothing_here(session: Session, image: Image | None) -> str:
    """The empty state of the canvas: why it shows no face, and what to do."""
    if session.store is None:
        return "No project is open. Open one or import images to see a face here."
    if session.sample_id < 0 and not len(session.store.ids()):
        return "This project has no images yet. Import some to see the first face here."
    if session.sample_id < 0:
        return "No face is selected. Click one in the gallery to see it here."
    if image is not None and image.problem:
        return image.problem
    return READING


def hover_text(face: Face, keypoint: int, title: str, *, ring: bool) -> str:
    """The hover text of a mark: name, origin, and distance to the prediction."""
    parts = [title]
    if ring:
        parts.append("predicted" + _confidence(float(face.confidences[keypoint])))
        if np.isfinite(face.doubts[keypoint]):
            parts.append(f"± {face.doubts[keypoint]:.1f} px{given_words(face)}")
    else:
        parts.append(maker(face, keypoint))
        if face.states[keypoint] == PointState.OCCLUDED:
            parts.append("occluded")
        if np.isfinite(face.errors[keypoint]):
            parts.append(f"{face.errors[keypoint]:.1f} px to the prediction")
        if face.suspect[keypoint]:
            parts.append("looks wrong: swapped, or outside the image")
    return " · ".join(parts)


def given_words(face: Face) -> str:
    """The number of labels the predictions are conditioned on: ` given 4 labels`; "" if none."""
    count = 0 if face.given is None else int(face.labels.vouched[0].sum())
    return f" given {counted(count, 'label')}" if count else ""


def maker(face: Face, keypoint: int) -> str:
    """The origin of a label in a word or two; "" if there is no label."""
    origin = Origin(int(face.labels.origins[0, keypoint]))
    if origin == Origin.MODEL:
        return run_title(int(face.labels.runs[0, keypoint])) + _confidence(float(face.labels.confidences[0, keypoint]))
    words = {Origin.IMPORTED: "imported", Origin.PERSON: "person", Origin.INTERPOLATED: "interpolated"}
    return words.get(origin, "")


def _confidence(value: float) -> str:
    return f" {value:.0%}" if np.isfinite(value) else ""
