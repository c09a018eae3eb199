"""Previews a source before import and suggests a project folder. No widgets; for a background thread."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fkp_studio.look.widgets.dialog_parts import FaceCard
from training.errors import UserError
from training.faces.images.crops import CropOptions
from training.faces.labels.labels import Labels
from training.faces.labels.schema import KeypointSchema
from training.files.names import safe_name
from training.sources.exchange.import_source import (
    FORMATS,
    ColumnMapping,
    ImportReport,
    PreviewFace,
    SourcePreview,
    detect_format,
    preview,
)
from training.storage.runs.model.starters import room_for
from training.words import counted

PLAIN_NAMES = {"training", "train", "test", "labels", "label", "data", "points", "keypoints", "images", "annotations"}


@dataclass(frozen=True)
class Choices:
    """The user's choices for a source. faces, schema: for images without labels, see import_source."""

    mapping: ColumnMapping | None = None
    crop: CropOptions | None = None
    faces: str = "whole"
    schema: KeypointSchema | None = None


@dataclass(frozen=True)
class Seen:
    """The preview of a source, with its first faces drawn."""

    preview: SourcePreview
    cards: tuple[FaceCard, ...]
    choices: Choices


def look(source: Path, choices: Choices, *, side: int, decide: bool) -> Seen:
    """Read the head of a source. side: px of the drawn faces. decide: choose how faces are cropped.

    Raises UserError as the import would.
    """
    found, choices = _decided(source, choices) if decide else (_preview(source, choices), choices)
    return Seen(found, tuple(_card(face, side=side) for face in found.faces), choices)


def _preview(source: Path, choices: Choices) -> SourcePreview:
    return preview(source, mapping=choices.mapping, crop=choices.crop, faces=choices.faces, schema=choices.schema)


def _decided(source: Path, choices: Choices) -> tuple[SourcePreview, Choices]:
    """Crop faces if an image holds several, or if they fill only a small part of their images."""
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
        except UserError:  # no boxes, or the error has nothing to do with crops
            continue
    if found is None:
        raise fault
    return found, choices


def boxes_only(found: SourcePreview) -> bool:
    """Whether the source has face boxes but no points."""
    return found.mapping is not None and bool(found.mapping.box) and not found.mapping.keypoints


def _with_faces(source: Path, choices: Choices) -> tuple[SourcePreview, Choices]:
    """Crop photos where a detected face does not fill its image; otherwise the images are already cropped faces."""
    finding = replace(choices, faces="detect")
    found = _preview(source, finding)
    return (found, finding) if any(face.cut for face in found.faces) else (_preview(source, choices), choices)


def _card(face: PreviewFace, *, side: int) -> FaceCard:
    from fkp_studio.face.images import to_image
    from fkp_studio.face.thumbnail import draw_thumbnail

    labels = Labels.from_points(face.points[None])
    pixels = draw_thumbnail(face.image, labels, np.full(face.points.shape, np.nan), side=side)
    words = [face.name, f"group {face.group}" if face.group else "", face.split]
    return FaceCard(to_image(pixels), Path(face.name).stem, ", ".join(word for word in words if word))


def suggested_project(source: Path) -> Path:
    """A project folder that does not exist yet: beside the source if that is writable, else in the home folder."""
    source = source.absolute()
    home = source.parent
    name = source.name if source.is_dir() else source.stem
    if not source.is_dir() and name.lower() in PLAIN_NAMES:
        name, home = source.parent.name or name, source.parent.parent
    if not os.access(home, os.W_OK):
        home = Path.home()
    name = safe_name(name) or "project"
    path, n = home / f"{name}.fkp", 2
    while path.exists():
        path, n = home / f"{name}-{n}.fkp", n + 1
    return path


def about(found: SourcePreview) -> str:
    """Format, number of faces and keypoints in one line."""
    points = f"{len(found.schema)} keypoints ({found.schema.name})"
    return f"{FORMATS[found.format].words} · {count_words(found)} · {points}"


def count_words(found: SourcePreview) -> str:
    """'7,049 faces', 'about 7,000 faces'."""
    noun = "image" if found.format == "pictures" else "face"
    if found.exact:
        return counted(found.count, noun)
    rounded = round(found.count, -max(len(str(found.count)) - 2, 0))
    return f"about {rounded:,} {noun}s"


def splits_words(found: SourcePreview) -> str:
    """How groups and splits will be assigned, in two sentences."""
    grouped = any(face.group for face in found.faces)
    given = any(face.split for face in found.faces)
    if grouped:
        first = "Faces of the same group stay in the same split."
    elif found.format == "pictures":
        first = "Faces from one photo, and near-duplicate images, stay in the same split."
    else:
        first = "There is no group column: near-duplicate images are detected and kept in the same split."
    second = "The source's own split is kept." if given else "15 % of the groups are held out for validation."
    return f"{first} {second}"


def keeps(found: SourcePreview) -> str:
    """What a new project's folder will contain."""
    if found.format == "kaggle":
        return "A new project. Images and labels are stored in this folder."
    return "A new project. Image files stay where they are; everything else is stored in this folder."


def report_words(report: ImportReport) -> str:
    """The result of an import in a sentence."""
    parts = [f"{n:,} {word}" for n, word in ((report.train, "train"), (report.val, "val"), (report.test, "test")) if n]
    return f"{counted(report.count, 'face')} imported in {report.seconds:.1f} s: {', '.join(parts)}."
