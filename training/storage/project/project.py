"""A project: a folder NAME.fkp with the database, pixels and runs."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from training.assist.filling import accept
from training.assist.filling.accept import Accepted
from training.assist.filling.of_run import usable_fill
from training.errors import UserError
from training.faces.images.reading import MAX_SIDE, resize_pictures
from training.faces.labels.labels import Labels
from training.faces.labels.samples import SampleBatch
from training.faces.labels.schema import KeypointSchema
from training.files import replace
from training.storage.project import boxes as faces
from training.storage.project import journal as history
from training.storage.project import label_table, predictions
from training.storage.project.boxes import Faces
from training.storage.project.columns import (
    SampleIndex,
    read_index,
    read_rows,
    read_splits,
    sample_count,
    split_word,
    write_columns,
)
from training.storage.project.database import BUSY_MS, Database
from training.storage.project.edits import move as moving
from training.storage.project.journal import Step, StepWriter
from training.storage.project.label_table import as_ids
from training.storage.project.new_samples import SEPARATOR, Importing, write_groups
from training.storage.project.pixels import PictureFiles, disk_sentences, find_picture, open_pixels
from training.storage.project.predictions import Predictions
from training.storage.runs.run import Run

RUNS = "runs"


@dataclass(frozen=True)
class Sample:
    """One sample.

    name: unique. source: where it came from, for display. path: its image file (None: its pixels are in the project).
    group: "" if none. split: "train", "val", "test" or "removed". width, height: px.
    """

    id: int
    name: str
    source: str
    path: Path | None
    group: str
    split: str
    width: int
    height: int
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Import:
    """One import of samples into the project. problems: sentences on what was left out or looks wrong."""

    source: str
    time: float
    count: int
    problems: tuple[str, ...]


class Project:
    """An open project: one database connection, to be used in the thread that opened it. Each write is one transaction.

    Errors that the user can fix are raised as UserError.
    """

    def __init__(self, path: Path, database: Database) -> None:
        """Use `Project.open` or `Project.create`."""
        self.path, self.database = path, database
        self._pixels: dict[int, np.ndarray] = {}
        self._files = PictureFiles()
        meta = dict(database.all("SELECT key, value FROM meta"))
        try:
            self.name = str(meta["name"])
            self.schema = KeypointSchema.from_json(json.loads(meta["schema"]))
        except (KeyError, ValueError) as error:
            raise UserError(f"The project {path} is damaged: its keypoints cannot be read ({error}).") from error

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
            with disk_sentences(path.parent):
                _fill_folder(beside, schema, name=name or path.stem)
                replace(beside, path)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False, busy_ms: int = BUSY_MS) -> Project:
        """Open the project folder `path`. busy_ms: how long a write waits for another program's lock.

        Raises UserError if it is no project, damaged, write-protected, or from a newer version.
        """
        path = Path(path).absolute()
        database = Database(path, read_only=read_only, busy_ms=busy_ms)
        try:
            return cls(path, database)
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
        name, source, folder, file, group, flags = self._row(sample_id, "name, source, folder, file, grouping, flags")
        small = read_rows(self.database, sample_id - 1, sample_id)[0]
        return Sample(
            id=sample_id,
            name=name,
            source=source,
            path=None if folder is None else self._picture_path(folder, file),
            group=group,
            split=split_word(int(small["splits"])),
            width=int(small["widths"]),
            height=int(small["heights"]),
            flags=tuple(json.loads(flags)) if flags else (),
        )

    def _row(self, sample_id: int, columns: str) -> tuple:
        row = self.database.one(f"SELECT {columns} FROM samples WHERE id = ?", (int(sample_id),))
        if row is None:
            raise UserError(f"There is no sample number {sample_id} in {self.path}.")
        return row

    def _picture_path(self, folder: int, file: str) -> Path:
        near, absolute = self.database.one("SELECT near, absolute FROM folders WHERE id = ?", (folder,)) or ("", "")
        return find_picture(self.path, near, absolute=absolute, file=file)

    def names(self, ids: Sequence[int] | np.ndarray | None = None) -> list[str]:
        """Names of the samples `ids`, or of all in order of import."""
        return self._texts("name", ids)

    def groups(self, ids: Sequence[int] | np.ndarray | None = None) -> list[str]:
        """Groups of the samples `ids`, or of all; "" if none."""
        return self._texts("grouping", ids)

    def sources(self, ids: Sequence[int] | np.ndarray | None = None) -> list[str]:
        return self._texts("source", ids)

    def _texts(self, column: str, ids: Sequence[int] | np.ndarray | None) -> list[str]:
        if ids is None:
            return [text for (text,) in self.database.all(f"SELECT {column} FROM samples ORDER BY id")]
        return [self._row(int(i), column)[0] for i in as_ids(ids)]

    def source_cells(self, ids: Sequence[int] | np.ndarray) -> list[tuple[str, ...] | None]:
        """The 2K label cells of each sample as in its source file; None if it had none."""
        query = "SELECT id, cells FROM source_cells WHERE id IN (SELECT value FROM json_each(?))"
        wanted = as_ids(ids).tolist()
        cells = dict(self.database.all(query, (json.dumps(wanted),)))
        return [tuple(cells[i].split(SEPARATOR)) if i in cells else None for i in wanted]

    def faces(self, ids: Sequence[int] | np.ndarray | None = None) -> Faces:
        """Crops, boxes and subsets of the samples `ids`, or of all."""
        return faces.read_faces(self.database, self.ids() if ids is None else ids)

    def imports(self) -> list[Import]:
        """All imports, oldest first."""
        rows = self.database.all("SELECT source, time, count, problems FROM imports ORDER BY id")
        return [Import(source, when, count, tuple(json.loads(problems))) for source, when, count, problems in rows]

    def labels(self, ids: Sequence[int] | np.ndarray) -> Labels:
        """The labels of `ids`, in that order. About 50 us for one."""
        return label_table.read_labels(self.database, as_ids(ids), len(self.schema))

    def label_table(self) -> np.ndarray:
        """int64 [K, 4]: the number of samples per keypoint and PointState."""
        return label_table.label_table(self.database, len(self.schema))

    def label_hash(self) -> str:
        """Hash of all points, states and moved splits; a run whose snapshot has a different one is stale."""
        more = moving.moved_splits(self.database)
        return label_table.label_hash(self.database, len(self.schema), more=more)

    def picture(self, sample_id: int, *, channels: int | None = None, enough: int = MAX_SIDE) -> np.ndarray:
        """The image, uint8 [H, W] or [H, W, 3] RGB: as stored (files: RGB), or with `channels` 1 or 3.

        enough: a crop may be shrunk, but not below this side. Raises UserError, naming the file, if it is unreadable.
        """
        file, row, folder, name = self._row(sample_id, "pixel_file, pixel_row, folder, file")
        if file is None:
            crop = faces.read_crop(self.database, sample_id)
            return self._files.read(self._picture_path(folder, name), channels=channels or 3, crop=crop, enough=enough)
        if file not in self._pixels:
            self._pixels[file] = open_pixels(self.database, file)
        return as_channels(np.array(self._pixels[file][row]), channels)

    def pictures(self, ids: Sequence[int] | np.ndarray, *, size: int, channels: int = 1) -> np.ndarray:
        """Images stretched to a square, uint8 [B, size, size(, 3)]. Raises UserError if one cannot be read."""
        pictures = [self.picture(int(i), channels=channels, enough=2 * size) for i in as_ids(ids)]
        return resize_pictures(pictures, size)

    def predictions(self, run: str, ids: Sequence[int] | np.ndarray) -> Predictions:
        """What `run` predicted for `ids`; NaN where it has nothing."""
        return predictions.read_predictions(self.database, run, as_ids(ids), len(self.schema))

    def prediction_runs(self) -> list[str]:
        return predictions.prediction_runs(self.database)

    def predicted_ids(self, run: str) -> np.ndarray:
        """int64, ascending: the samples for which `run` has predictions."""
        return predictions.predicted_ids(self.database, run)

    def run_columns(self, run: str, ids: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(mean error to the labels px, mean confidence) of `ids` or all samples, float32 [N], NaN if undefined."""
        return predictions.run_columns(self.database, run, len(self.schema), ids)

    def history(self) -> list[Step]:
        """The journal of edits, oldest first; undone steps at the end."""
        return history.read_steps(self.database)

    def oldest_step(self) -> int:
        """The id of the oldest step in the journal; 0 if it is empty."""
        return int((self.database.one("SELECT min(id) FROM steps") or (0,))[0] or 0)

    def state(self) -> tuple[int, int, int]:
        """(number of samples, newest step, number of undone steps); changes with every edit, also by other programs."""
        newest, undone = self.database.one("SELECT max(id), sum(undone) FROM steps") or (0, 0)
        return len(self), int(newest or 0), int(undone or 0)

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
        """Replace labels without a step in the journal (for generated data; edits use `write_step`)."""
        with self.database.transaction():
            label_table.write_labels(self.database, as_ids(ids), labels)

    def write_step(self, ids: Sequence[int] | np.ndarray, before: Labels, after: Labels, *, text: str) -> int:
        """Replace labels and record a step in the journal; returns its id."""
        with self.database.transaction():
            writer = StepWriter(self.database, text)
            writer.write(as_ids(ids), before, after)
            writer.finish()
        return writer.id

    def amend_step(self, step: int, ids: Sequence[int] | np.ndarray, after: Labels) -> None:
        """Replace the final labels of the newest step (of the same samples `ids`), as for repeated nudges."""
        with self.database.transaction():
            history.amend_step(self.database, step, as_ids(ids), after)

    def undo_step(self, step: int) -> np.ndarray:
        """Undo the newest step; returns the changed ids. Raises UserError if `step` is not the newest."""
        with self.database.transaction():
            return history.move_step(self.database, step, len(self.schema), undo=True)

    def redo_step(self, step: int) -> np.ndarray:
        """Redo the step undone last; returns the changed ids. Raises UserError if `step` is a different one."""
        with self.database.transaction():
            return history.move_step(self.database, step, len(self.schema), undo=False)

    def write_predictions(
        self, run: str, ids: Sequence[int] | np.ndarray, points: np.ndarray, confidences: np.ndarray
    ) -> None:
        """Store predictions of a run: points [B, K, 2] in image px, confidences [B, K]."""
        with self.database.transaction():
            predictions.write_predictions(self.database, run, as_ids(ids), points, confidences)

    def delete_predictions(self, run: str) -> None:
        with self.database.transaction():
            predictions.delete_predictions(self.database, run)

    def accept(
        self, run: str, ids: np.ndarray | None = None, *, keypoints: Sequence[int] | None = None,
        min_confidence: float = 0.0, plain: bool = False, text: str | None = None,
    ) -> Accepted:  # fmt: skip
        """Fill unset points of `ids` (None: all) from predictions of `run`, in one step; existing labels are kept.

        If the run has a fill model, the predictions are conditioned on the labels, unless `plain`.
        """
        size = len(self.schema)
        fill = None if plain else usable_fill(Run(self.runs_dir / run), keypoints=size)
        return accept.accept(
            self.database, run, ids, size, keypoints=keypoints, min_confidence=min_confidence, fill=fill, text=text
        )

    def take_back(self, run: str) -> Accepted:
        """Unset all points accepted from `run`, in one step."""
        return accept.take_back(self.database, run, len(self.schema))

    def set_splits(self, ids: Sequence[int] | np.ndarray, splits: np.ndarray) -> None:
        """Set splits, uint8 [B]: 0 train, 1 val, 2 test, 3 removed."""
        with self.database.transaction():
            write_columns(self.database, as_ids(ids), splits=np.asarray(splits, np.uint8))

    def splits(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """The splits of `ids`, uint8 [B]."""
        return read_splits(self.database, as_ids(ids))

    def move_to_split(self, ids: Sequence[int] | np.ndarray, split: int) -> Accepted:
        """Move `ids` and their groups to train (0), val (1) or test (2), in one step of the journal."""
        with self.database.transaction():
            return moving.move_to_split(self.database, as_ids(ids), split)

    def set_groups(self, ids: Sequence[int] | np.ndarray, groups: Sequence[str]) -> None:
        """Set groups; "" for none."""
        with self.database.transaction():
            write_groups(self.database, as_ids(ids), groups)

    def set_schema(self, schema: KeypointSchema) -> None:
        """Change names, pairs, lines or normalisers. Raises UserError if the number of keypoints differs."""
        if len(schema) != len(self.schema):
            raise UserError(f"The project has {len(self.schema)} keypoints, the new schema {len(schema)}.")
        with self.database.transaction() as sql:
            sql.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (json.dumps(schema.to_json()),))
        self.schema = schema


def _fill_folder(folder: Path, schema: KeypointSchema, *, name: str) -> None:
    (folder / RUNS).mkdir()
    Database.create(folder)
    database = Database(folder)
    try:
        with database.transaction() as sql:
            sql.execute("INSERT INTO meta VALUES ('name', ?)", (name,))
            sql.execute("INSERT INTO meta VALUES ('schema', ?)", (json.dumps(schema.to_json()),))
    finally:
        database.close()


def as_channels(picture: np.ndarray, channels: int | None) -> np.ndarray:
    """An image as gray [H, W] (1), RGB [H, W, 3] (3), or unchanged (None). Gray is ITU-R BT.601."""
    if channels == 3 and picture.ndim == 2:
        return np.repeat(picture[..., None], 3, axis=2)
    if channels == 1 and picture.ndim == 3:
        weights = np.array([0.299, 0.587, 0.114])
        return np.rint(picture @ weights).astype(np.uint8)
    return picture
