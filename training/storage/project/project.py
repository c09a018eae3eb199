"""A project: a folder NAME.fkp with the database, pixels and runs."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from training.errors import UserError
from training.faces.images.reading import MAX_SIDE, as_channels, resize_images
from training.faces.labels.labels import Labels
from training.faces.labels.samples import SampleBatch
from training.faces.labels.schema import KeypointSchema
from training.files.replacing import replace
from training.files.sentences import naming
from training.storage.project.damage import first_fault
from training.storage.project.database import BUSY_MS, Database
from training.storage.project.guard import guard
from training.storage.project.identity import Address, Place, address_of, identity
from training.storage.project.new_samples import Importing, write_groups
from training.storage.project.pixels import ImageFiles, disk_sentences, open_pixels
from training.storage.project.tables import label_table, predictions
from training.storage.project.tables.boxes import Faces, read_crop, read_faces
from training.storage.project.tables.keypoints import read_schema, replace_schema
from training.storage.project.tables.label_table import as_ids
from training.storage.project.tables.packed_columns import (
    SampleIndex,
    moved_splits,
    read_index,
    read_splits,
    sample_count,
    write_columns,
)
from training.storage.project.tables.predictions import Predictions
from training.storage.project.tables.samples import Sample, file_path, read_row, read_sample, read_texts

RUNS = "runs"


class Project:
    """An open project: one database connection, to be used in the thread that opened it. Each write is one transaction.

    Undoable edits are functions in `training.storage.project.edits`; rarely needed reads are functions of the modules
    beside this one, called with `project.database`. Errors that the user can fix are raised as UserError.
    """

    def __init__(self, path: Path, database: Database) -> None:
        """Use `Project.open` or `Project.create`."""
        self.path, self.database = path, database
        database.examine = first_fault
        self.address = Address(path)  # of `open`: with the identity of the database
        self._pixels: dict[int, np.ndarray] = {}
        self._files = ImageFiles()
        self.schema = read_schema(database)
        self.name = str((database.one("SELECT value FROM meta WHERE key = 'name'") or (path.stem,))[0])

    @classmethod
    def create(cls, path: Path, schema: KeypointSchema, *, name: str | None = None) -> Project:
        """Create a project; the folder appears complete or not at all. Raises UserError if the path is taken."""
        path = path.absolute()
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise UserError(f"{path} already exists. Choose another name for the new project.")
        beside = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.new"
        with disk_sentences(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.mkdir()
        try:
            with naming(path, hidden=beside), disk_sentences(path.parent):
                _fill_folder(beside, schema, name=name or path.stem)
                replace(beside, path)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        return cls.open(path)

    @classmethod
    def open(cls, place: Place, *, read_only: bool = False, busy_ms: int = BUSY_MS) -> Project:
        """Open a project folder. busy_ms: how long a write waits for another program's lock.

        Raises UserError if it is no project, damaged, write-protected, from a newer version, or, where an address says
        which project it has to be, another one.
        """
        asked = address_of(place)
        asked.check()  # before it is opened: the database of another project is not upgraded
        address = Address(asked.path, identity(asked.path))
        database = Database(asked.path, read_only=read_only, busy_ms=busy_ms)
        try:
            address.check()
            opened = cls(asked.path, database)
            opened.address = address
            return opened
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Close the database; the last connection to close checkpoints the write-ahead log."""
        self._pixels.clear()
        self._files.clear()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; raises UserError if what was written cannot be brought to the disk, unless another error is on its way."""
        try:
            if kind is None:
                self.database.flush_written()
        finally:
            self.close()

    @property
    def runs_dir(self) -> Path:
        return self.path / RUNS

    # reading

    def __len__(self) -> int:
        return sample_count(self.database)

    def ids(self) -> np.ndarray:
        """int64 [N], in order of import: 1, 2, 3..."""
        return np.arange(1, len(self) + 1, dtype=np.int64)

    def kept_ids(self) -> np.ndarray:
        """int64, ascending: `ids` without removed samples."""
        return np.flatnonzero(self.index().kept) + 1

    def index(self) -> SampleIndex:
        """The compact columns of all samples; fast even for a million."""
        return read_index(self.database)

    def sample(self, sample_id: int) -> Sample:
        """One sample. Raises UserError for an unknown id."""
        return read_sample(self.database, sample_id)

    def names(self, ids: Sequence[int] | np.ndarray | None = None) -> list[str]:
        """Names of the samples `ids`, or of all in the order of import."""
        return read_texts(self.database, "name", ids)

    def groups(self, ids: Sequence[int] | np.ndarray | None = None) -> list[str]:
        """Groups of the samples `ids`, or of all; "" if none."""
        return read_texts(self.database, "grouping", ids)

    def sources(self, ids: Sequence[int] | np.ndarray | None = None) -> list[str]:
        return read_texts(self.database, "source", ids)

    def faces(self, ids: Sequence[int] | np.ndarray | None = None) -> Faces:
        """Crops, boxes and subsets of the samples `ids`, or of all."""
        return read_faces(self.database, self.ids() if ids is None else ids)

    def labels(self, ids: Sequence[int] | np.ndarray) -> Labels:
        """The labels of `ids`, in that order. About 50 us for one."""
        return label_table.read_labels(self.database, as_ids(ids), len(self.schema))

    def label_hash(self) -> str:
        """Hash of all points, states and moved splits; a run whose snapshot has a different one is stale."""
        more = moved_splits(self.database)
        return label_table.label_hash(self.database, len(self.schema), more=more)

    def image(self, sample_id: int, *, channels: int | None = None, enough: int = MAX_SIDE) -> np.ndarray:
        """The image, uint8 [H, W] or [H, W, 3] RGB: as stored (files: RGB), or with `channels` 1 or 3.

        enough: a crop may be shrunk, but not below this side. Raises UserError, naming the file, if it is unreadable.
        """
        file, row, folder, name = read_row(self.database, sample_id, "pixel_file, pixel_row, folder, file")
        if file is None:
            crop = read_crop(self.database, sample_id)
            return self._files.read(
                file_path(self.database, folder, name), channels=channels or 3, crop=crop, enough=enough
            )
        if file not in self._pixels:
            self._pixels[file] = open_pixels(self.database, file)
        with guard(self.database):
            return as_channels(np.array(self._pixels[file][row]), channels)

    def images(self, ids: Sequence[int] | np.ndarray, *, size: int, channels: int = 1) -> np.ndarray:
        """Images stretched to a square, uint8 [B, size, size(, 3)]. Raises UserError if one cannot be read."""
        images = [self.image(int(i), channels=channels, enough=2 * size) for i in as_ids(ids)]
        return resize_images(images, size)

    def predictions(self, run: str, ids: Sequence[int] | np.ndarray) -> Predictions:
        """What `run` predicted for `ids`; NaN where it has nothing."""
        return predictions.read_predictions(self.database, run, as_ids(ids), len(self.schema))

    # writing: each call is one transaction

    @contextmanager
    def importing(self, source: str) -> Iterator[Importing]:
        """Add samples; after any exception none are added."""
        with self.database.transaction():
            importing = Importing(self.database, source, keypoints=len(self.schema))
            try:
                yield importing
                importing.finish()
            except BaseException:
                importing.discard()
                raise

    def add_samples(self, batch: SampleBatch, *, source: str = "samples") -> np.ndarray:
        """Import one batch; returns the new ids, int64 [B]."""
        with self.importing(source) as importing:
            return importing.add_samples(batch)

    def write_labels(self, ids: Sequence[int] | np.ndarray, labels: Labels) -> None:
        """Replace labels without a step in the journal (for generated data; for undoable edits see `edits`)."""
        with self.database.transaction():
            label_table.write_labels(self.database, as_ids(ids), labels)

    def write_predictions(
        self,
        run: str,
        ids: Sequence[int] | np.ndarray,
        points: np.ndarray,
        confidences: np.ndarray,
        *,
        crops: np.ndarray | None = None,
    ) -> None:
        """Store predictions of a run: points [B, K, 2] in image px, confidences [B, K].

        crops: `faces(ids).crops` when the images were read; predictions of faces cropped again since are dropped.
        """
        numbers = as_ids(ids)
        with self.database.transaction():
            same = slice(None) if crops is None else (self.faces(numbers).crops == crops).all(axis=1)
            predictions.write_predictions(self.database, run, numbers[same], points[same], confidences[same])

    def set_splits(self, ids: Sequence[int] | np.ndarray, splits: np.ndarray) -> None:
        """Set splits, uint8 [B]: 0 train, 1 val, 2 test, 3 removed."""
        with self.database.transaction():
            write_columns(self.database, as_ids(ids), splits=np.asarray(splits, np.uint8))

    def splits(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """The splits of `ids`, uint8 [B]."""
        return read_splits(self.database, as_ids(ids))

    def set_groups(self, ids: Sequence[int] | np.ndarray, groups: Sequence[str]) -> None:
        """Set groups; "" for none."""
        with self.database.transaction():
            write_groups(self.database, as_ids(ids), groups)

    def set_schema(self, schema: KeypointSchema) -> None:
        """Change names, pairs, lines or normalisers.

        Raises UserError if the number of keypoints differs, or another program has changed them since `schema` was read.
        """
        replace_schema(self.database, self.schema, schema)
        self.schema = schema


def _fill_folder(folder: Path, schema: KeypointSchema, *, name: str) -> None:
    (folder / RUNS).mkdir()
    Database.create(folder)
    database = Database(folder)
    try:
        with database.transaction() as sql:
            sql.execute("INSERT INTO meta VALUES ('name', ?)", (name,))
            sql.execute("INSERT INTO meta VALUES ('schema', ?)", (json.dumps(schema.to_json()),))
        database.flush_written()
    finally:
        database.close()
