"""Imports a source into a project: all of it, or nothing after an error or a cancel."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from training.errors import UserError
from training.faces.images.crops import CropOptions
from training.faces.images.reading import MAX_SIDE
from training.faces.labels.samples import Split
from training.faces.labels.schema import KAGGLE_15, KeypointSchema
from training.faces.labels.splits import Assigned, assign
from training.files.sentences import writing
from training.progress import Cancelled, IsCancelled, Progress, Report
from training.sources.exchange.cropping import Cropper
from training.sources.exchange.face_finding import CHUNK as PHOTOS
from training.sources.exchange.face_finding import FACES, FaceFinder
from training.sources.exchange.known_images import KnownImages
from training.sources.formats.detect_format import FORMATS, IMAGES, detect_format, open_reader
from training.sources.formats.problems import Findings, Problem
from training.sources.formats.reader import CHUNK, Chunk, Reader
from training.sources.formats.tables.columns import ColumnMapping
from training.storage.destination import Result, check_destination
from training.storage.project.edits.remove import join_photo
from training.storage.project.new_project import new_project
from training.storage.project.new_samples import Importing
from training.storage.project.pixels import ImageFiles
from training.storage.project.project import Project
from training.storage.project.tables.packed_columns import REMOVED
from training.storage.runs.model.starters import room_for

__all__ = [
    "FORMATS",
    "Cancelled",
    "ColumnMapping",
    "ImportReport",
    "PreviewFace",
    "Problem",
    "SourcePreview",
    "detect_format",
    "import_source",
    "preview",
]

PREVIEW_FACES = 9
PREVIEW_PHOTOS = 4  # searched for faces: half a second each
PREVIEW_SIDE = 256  # px: crops without labels may be decoded as small as this
_READ = 0.9  # fraction of an import's time spent reading


@dataclass(frozen=True)
class PreviewFace:
    """One of the first samples. image: uint8 [H, W] or [H, W, 3]; points: float64 [K, 2], NaN where missing.

    cut: the image is a part of its file; without labels it may be smaller than that part.
    """

    name: str
    image: np.ndarray
    points: np.ndarray
    group: str
    split: str
    cut: bool = False


@dataclass(frozen=True)
class SourcePreview:
    """What would be imported. count is exact or an estimate. columns: all of the CSV's; mapping: how they are read."""

    format: str
    schema: KeypointSchema
    count: int
    exact: bool
    columns: tuple[str, ...]
    mapping: ColumnMapping | None
    faces: tuple[PreviewFace, ...]
    problems: tuple[Problem, ...]
    small: bool  # the faces fill so little of their images that they should be cropped


@dataclass(frozen=True)
class ImportReport:
    """What an import did. left_out: could not be imported; flagged: imported, but should be checked. seconds:
    in total."""

    format: str
    count: int
    left_out: tuple[Problem, ...]
    flagged: tuple[Problem, ...]
    notes: tuple[str, ...]
    train: int
    val: int
    test: int
    seconds: float


def preview(
    source: Path,
    *,
    format: str | None = None,  # noqa: A002 - the word of the command line
    images: Path | None = None,
    mapping: ColumnMapping | None = None,
    crop: CropOptions | None = None,
    faces: str = "whole",
    schema: KeypointSchema | None = None,
) -> SourcePreview:
    """Read a source's first faces without importing anything. Raises UserError as the import would."""
    kind, reader = open_reader(Path(source), format=format, images=images, mapping=mapping, several=_cuts(crop))
    schema = reader.schema or schema or KAGGLE_15
    count, exact = reader.count()
    cropper, finder = Cropper(_crop_of(reader, crop, schema), reader.findings), _finder(faces, kind, crop, schema)
    most = PREVIEW_PHOTOS if finder else PREVIEW_FACES
    with closing(reader.chunks(schema, progress=Progress(), size=min(most, max(count, 1)))) as chunks:
        chunk = next(chunks, None)
    chunk = chunk and cropper(finder(chunk) if finder else chunk)
    shown = [] if chunk is None else _preview_faces(chunk)
    return SourcePreview(
        format=kind,
        schema=schema,
        count=count,
        exact=exact,
        columns=getattr(reader, "header", ()),
        mapping=getattr(reader, "mapping", None),
        faces=tuple(shown),
        problems=(*reader.findings.left_out, *reader.findings.flagged),
        small=cropper.faces_are_small,
    )


def _preview_faces(chunk: Chunk) -> list[PreviewFace]:
    batch, files, shown = chunk.batch, ImageFiles(), []
    for i, name in enumerate(batch.names[:PREVIEW_FACES]):
        x, y, side = (0, 0, 0) if batch.crops is None else batch.crops[i].tolist()
        enough = MAX_SIDE if batch.labels.mask[i].any() else PREVIEW_SIDE
        if batch.pixels is not None:
            image = batch.pixels[i]
        else:
            crop = (x, y, side) if side else None
            image = files.read((batch.paths or ())[i], channels=3, crop=crop, enough=enough)
        split = Split(int(batch.splits[i])).word if chunk.given[i] else ""
        shown.append(PreviewFace(name, image, batch.labels.points[i], batch.groups[i], split, side > 0))
    return shown


def import_source(
    source: Path,
    project_path: Path,
    *,
    format: str | None = None,  # noqa: A002 - the word of the command line
    images: Path | None = None,
    mapping: ColumnMapping | None = None,
    schema: KeypointSchema | None = None,
    crop: CropOptions | None = None,
    faces: str = "whole",
    seed: int = 0,
    progress: Report | None = None,
    cancelled: IsCancelled | None = None,
) -> ImportReport:
    """Import a source into a project, which is created if it does not exist; otherwise the samples are added to it.

    Images that the project already has are unchanged: importing a folder again adds what is new in it. schema: of a new
    project, for a source without labels. crop: how faces are cropped; None: by an export's columns crop_x, crop_y,
    crop_side, or by the boxes of a table without points, else not at all. faces: for photos without labels, "whole" or
    "detect": one sample per detected face. seed: of the split drawn where the source has none. progress: called with
    0..1 and a few words; cancelled: called often; if it returns True, Cancelled is raised. Raises UserError for
    everything that the user can fix. After any exception the project has nothing of the source, and a project that did
    not exist before does not exist.
    """
    begun = time.perf_counter()
    source, project_path = Path(source), Path(project_path).absolute()
    tell = Progress(progress, cancelled)
    tell(0.0, f"Reading {source.name}")
    kind, reader = open_reader(source, format=format, images=images, mapping=mapping, several=_cuts(crop))
    with _target(project_path, reader.schema, schema or KAGGLE_15) as project:
        cropper = Cropper(_crop_of(reader, crop, project.schema), reader.findings)
        finder = _finder(faces, kind, crop, project.schema)
        assigned = _fill(project, reader, cropper, finder, tell=tell, seed=seed)
    notes = (*reader.findings.notes, *(finder.notes() if finder else ()), *cropper.notes(), *assigned.notes)
    return _report(kind, assigned, reader.findings, notes, seconds=time.perf_counter() - begun)


def _report(kind: str, assigned: Assigned, found: Findings, notes: tuple[str, ...], *, seconds: float) -> ImportReport:
    train, val, test = np.bincount(assigned.splits, minlength=3)[:3].tolist()
    return ImportReport(
        format=kind,
        count=len(assigned.groups),
        left_out=tuple(found.left_out),
        flagged=tuple(found.flagged),
        notes=notes,
        train=train,
        val=val,
        test=test,
        seconds=seconds,
    )


def _cuts(crop: CropOptions | None) -> bool | None:
    return None if crop is None else crop.by != "none"


def _crop_of(reader: Reader, crop: CropOptions | None, schema: KeypointSchema) -> CropOptions | None:
    """How faces are cropped: by the boxes, as the starter expects, for a source that has only boxes."""
    return CropOptions("box", room_for(schema)) if crop is None and getattr(reader, "boxes_only", False) else crop


def _finder(faces: str, kind: str, crop: CropOptions | None, schema: KeypointSchema) -> FaceFinder | None:
    """The face finder, if requested. Raises UserError for a source whose labels say where the faces are."""
    if faces not in FACES:
        raise UserError(f"The faces of photos can be imported {' or '.join(FACES)}, not {faces!r}.")
    if faces == "whole":
        return None
    if kind != IMAGES or crop is not None:
        raise UserError(
            "Faces are detected only in images without labels and without a crop of their own, and this source is "
            f"{kind}: omit --faces or --crop."
        )
    return FaceFinder(room_for(schema))


def _fill(
    project: Project, reader: Reader, cropper: Cropper, finder: FaceFinder | None, *, tell: Progress, seed: int
) -> Assigned:
    seen: list[Any] = []
    looks: list[np.ndarray] = []
    with writing(project.path), project.importing(reader.source.name) as importing:
        known, groups = KnownImages(project), _known_groups(project)  # inside, so that no other import adds to them
        size = PHOTOS if finder else CHUNK
        with closing(reader.chunks(project.schema, progress=tell.part(0.0, _READ), size=size)) as chunks:
            faces = map(finder, map(known.drop_files, chunks)) if finder else chunks
            ids = _add_all(map(known.take, map(cropper, faces)), importing, seen=seen, looks=looks)
        if not len(ids):
            _refuse_nothing(reader, known)
            return Assigned((), np.zeros(0, np.uint8), known.notes(""))
        tell(_READ, "Looking for near-duplicate images")
        names, before = known.names(getattr(reader, "images", reader.source))
        assigned = assign(
            _with_photos([group for batch_groups, *_ in seen for group in batch_groups], _photos(names, seen)),
            np.concatenate([splits for *_, splits, _ in seen]),
            given=np.concatenate([given for *_, given in seen]),
            looks=_joined(looks),
            known=groups,
            seed=seed,
        )
        tell(0.97, "Writing the project")
        importing.set_groups(ids, assigned.groups, assigned.splits)
        importing.set_names(ids, names)
        for n, others in known.mates().items():
            join_photo(project.database, int(ids[n]), others)
        importing.problems += [p.sentence for p in (*reader.findings.left_out, *reader.findings.flagged)]
        tell(0.99, "Writing the project")
        splits = project.splits(ids)
    return Assigned(assigned.groups, splits, (*assigned.notes, *known.notes(before)))


def _add_all(chunks: Iterable[Chunk], importing: Importing, *, seen: list[Any], looks: list[np.ndarray]) -> np.ndarray:
    """Add chunk by chunk; returns the ids of all samples. Memory holds one chunk, plus 256 bytes per sample."""

    def add(chunk: Chunk) -> np.ndarray:
        batch = chunk.batch
        if not len(batch):
            return np.zeros(0, np.int64)
        ids = importing.add_samples(batch)
        cut_out = batch.crops is not None and batch.paths is not None
        files = [path.name for path in batch.paths or ()] if cut_out else [""] * len(batch)
        seen.append((batch.groups, files, batch.splits, chunk.given))
        looks.append(chunk.looks)
        return ids

    return np.concatenate(
        [np.zeros(0, np.int64), *map(add, chunks)]
    )  # a loop would hold a chunk while it reads the next


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """The parts as one array; the list is emptied, so that they are not in memory twice."""
    whole = np.concatenate(parts)
    parts.clear()
    return whole


def _refuse_nothing(reader: Reader, known: KnownImages) -> None:
    """Raises UserError where nothing was read, not even images that the project already has."""
    if not known.there:
        first = reader.findings.left_out[0].sentence if reader.findings.left_out else "the source is empty"
        raise UserError(f"{reader.source}: no image could be read, so nothing was imported. The first: {first}")


def _photos(names: Sequence[str], seen: Sequence[Any]) -> list[str]:
    """The photo that each sample was cropped from, "" where images are whole."""
    files = [file for _, files, *_ in seen for file in files]
    return [
        f"photo {PurePosixPath(name).parent / file}" if file else "" for name, file in zip(names, files, strict=True)
    ]


def _with_photos(groups: list[str], photos: list[str]) -> list[str]:
    """The source's groups; if it has some, an ungrouped face joins the others of its photo."""
    return [group or photo for group, photo in zip(groups, photos, strict=True)] if any(groups) else groups


def _known_groups(project: Project) -> dict[str, int]:
    """The split of each group, from the samples that are not removed."""
    splits = project.index().splits.tolist()
    return {group: split for group, split in zip(project.groups(), splits, strict=True) if group and split != REMOVED}


@contextmanager
def _target(path: Path, found: KeypointSchema | None, default: KeypointSchema) -> Iterator[Project]:
    """The project to fill: the one at `path`, or a new one that appears there when the block ends normally."""
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        with Project.open(path) as project:
            if found is not None and found.keypoints != project.schema.keypoints:
                raise UserError(
                    f"{path}: the project has the {len(project.schema)} keypoints of {project.schema.name}, but the "
                    f"source has {len(found)} ({found.name}); import it into a new project."
                )
            yield project
        return
    check_destination(path, Result.FOLDER)
    with new_project(path, found or default) as project:
        yield project
