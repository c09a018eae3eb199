"""Looks at a source before it is imported, and says where its project could go. No widgets; runs in the background."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fkp_studio.look.widgets.parts import FaceCard
from training.errors import UserError
from training.faces.images.crops import CropOptions
from training.faces.labels.labels import Labels
from training.faces.labels.schema import KeypointSchema
from training.sources.exchange.import_source import (
    ColumnMapping,
    ImportReport,
    PreviewFace,
    SourcePreview,
    detect_format,
    preview,
)
from training.storage.runs.model.starters import room_for

FORMAT_WORDS = {
    "kaggle": "Kaggle's facial keypoints (pictures as text in a CSV)",
    "pts": "pictures with 300-W .pts files",
    "300-w": "the folders of 300-W, with its protocol's split",
    "csv": "pictures with a CSV of points",
    "pictures": "pictures without labels",
}
PLAIN_NAMES = {"training", "train", "test", "labels", "label", "data", "points", "keypoints", "images", "annotations"}


@dataclass(frozen=True)
class Choices:
    """What a person says about a source. faces, schema: of pictures without labels, see import_source."""

    mapping: ColumnMapping | None = None
    crop: CropOptions | None = None
    faces: str = "whole"
    schema: KeypointSchema | None = None


@dataclass(frozen=True)
class Seen:
    """What was found in a source, with its first faces drawn."""

    preview: SourcePreview
    cards: tuple[FaceCard, ...]
    choices: Choices


def look(source: Path, choices: Choices, *, side: int, decide: bool) -> Seen:
    """Read the head of a source. side: px of the drawn faces. decide: choose how the first faces want to be cut out.

    Raises UserError as the import would.
    """
    found, choices = _decided(source, choices) if decide else (_preview(source, choices), choices)
    return Seen(found, tuple(_card(face, side=side) for face in found.faces), choices)


def _preview(source: Path, choices: Choices) -> SourcePreview:
    return preview(source, mapping=choices.mapping, crop=choices.crop, faces=choices.faces, schema=choices.schema)


def _decided(source: Path, choices: Choices) -> tuple[SourcePreview, Choices]:
    """Faces are cut out where a picture holds several, or where they fill but little of their pictures."""
    if detect_format(source) == "pictures":
        return _with_faces(source, choices)
    found: SourcePreview | None = None
    try:
        found = _preview(source, choices)
    except UserError as error:
        fault = error
    if found is not None and boxes_only(found):
        return found, replace(choices, crop=CropOptions("box", room_for(found.schema)))
    if found is not None and not found.small:
        return found, choices
    for by in ("box", "points"):
        try:
            cut_out = replace(choices, crop=CropOptions(by))
            return _preview(source, cut_out), cut_out
        except UserError:  # no boxes, or what is wrong is not a matter of crops
            continue
    if found is None:
        raise fault
    return found, choices


def boxes_only(found: SourcePreview) -> bool:
    """Whether the source tells where faces are, and none of their points."""
    return found.mapping is not None and bool(found.mapping.box) and not found.mapping.keypoints


def _with_faces(source: Path, choices: Choices) -> tuple[SourcePreview, Choices]:
    """Photographs are cut up where a face was found that does not fill its picture; others hold faces cut out before."""
    finding = replace(choices, faces="detect")
    found = _preview(source, finding)
    return (found, finding) if any(face.cut for face in found.faces) else (_preview(source, choices), choices)


def _card(face: PreviewFace, *, side: int) -> FaceCard:
    from fkp_studio.face.thumbnail import draw_thumbnail
    from fkp_studio.views.gallery.thumbnails import to_image

    labels = Labels.from_points(face.points[None])
    pixels = draw_thumbnail(face.picture, labels, np.full(face.points.shape, np.nan), side=side)
    words = [face.name, f"group {face.group}" if face.group else "", face.split]
    return FaceCard(to_image(pixels), Path(face.name).stem, ", ".join(word for word in words if word))


def suggested_project(source: Path) -> Path:
    """A project folder that does not exist yet: beside the source where that can be written, else in the home folder."""
    source = source.absolute()
    home = source.parent
    name = source.name if source.is_dir() else source.stem
    if not source.is_dir() and name.lower() in PLAIN_NAMES:
        name, home = source.parent.name or name, source.parent.parent
    if not os.access(home, os.W_OK):
        home = Path.home()
    path, n = home / f"{name}.fkp", 2
    while path.exists():
        path, n = home / f"{name}-{n}.fkp", n + 1
    return path


def about(found: SourcePreview) -> str:
    """Format, number of faces, keypoints: one line."""
    points = f"{len(found.schema)} keypoints ({found.schema.name})"
    return f"{FORMAT_WORDS.get(found.format, found.format)} · {count_words(found)} · {points}"


def count_words(found: SourcePreview) -> str:
    """'7,049 faces', 'about 7,000 faces'."""
    noun = "picture" if found.format == "pictures" else "face"
    if found.exact:
        return f"{found.count:,} {noun}{'' if found.count == 1 else 's'}"
    rounded = round(found.count, -max(len(str(found.count)) - 2, 0))
    return f"about {rounded:,} {noun}s"


def splits_words(found: SourcePreview) -> str:
    """What will become of people and splits."""
    grouped = any(face.group for face in found.faces)
    given = any(face.split for face in found.faces)
    if grouped:
        first = "Faces of the same group stay in the same split."
    elif found.format == "pictures":
        first = "Faces of one photo, and near-duplicate pictures, stay in the same split."
    else:
        first = "There is no group column: near-duplicate pictures are found and kept in the same split."
    second = "The source's own split is kept." if given else "15 % of the groups are put aside for validation."
    return f"{first} {second}"


def keeps(found: SourcePreview) -> str:
    """What goes into a new project's folder."""
    if found.format == "kaggle":
        return "A new project. Pictures and labels are kept in this folder."
    return "A new project. Picture files stay where they are; everything else is kept in this folder."


def report_words(report: ImportReport) -> str:
    """The outcome in a sentence."""
    parts = [f"{n:,} {word}" for n, word in ((report.train, "train"), (report.val, "val"), (report.test, "test")) if n]
    faces = f"{report.count:,} face{'' if report.count == 1 else 's'}"
    return f"{faces} imported in {report.seconds:.1f} s: {', '.join(parts)}."
