"""Importing samples: pixels into new files, all rows in one transaction, so that an import is all or nothing."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.errors import UserError
from training.faces.labels.samples import SampleBatch
from training.storage.project.database import Database
from training.storage.project.pixels import PixelWriter, disk_sentences, pixel_path
from training.storage.project.tables.boxes import write_faces
from training.storage.project.tables.labels_codec import encode
from training.storage.project.tables.packed_columns import missing_counts, review_counts, sample_count, write_columns
from training.storage.project.tables.samples import SEPARATOR

SAMPLE = (
    "INSERT INTO samples (id, name, source, import, pixel_file, pixel_row, folder, file, grouping, flags) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Importing:
    """An import in progress, created by `Project.importing`. `problems` are stored with the import."""

    def __init__(self, database: Database, source: str, *, keypoints: int, joins: int = 0) -> None:
        """joins: the number of an existing import that the samples join; 0: a new import."""
        self.count = 0
        self.problems: list[str] = []
        self._database, self._source, self._keypoints = database, source, keypoints
        self._first = sample_count(database) + 1
        self._writer: PixelWriter | None = None
        self._writers: list[PixelWriter] = []
        self._folders: dict[str, int] = {}
        row = database.one("SELECT max(id) FROM imports")
        self._joins = joins
        self._import = joins or (int(row[0] or 0) + 1 if row else 1)

    def add_samples(self, batch: SampleBatch) -> np.ndarray:
        """Append the batch's samples; returns their ids, int64 [B]. Raises UserError if the disk is full."""
        count = len(batch)
        if batch.labels.states.shape[1] != self._keypoints:
            raise UserError(
                f"{self._source} has {batch.labels.states.shape[1]} keypoints, the project has {self._keypoints}: "
                "import it into a separate project."
            )
        ids = np.arange(self._first + self.count, self._first + self.count + count, dtype=np.int64)
        with disk_sentences(self._database.folder):
            places = self._images(batch)
        self._rows(ids, batch, places)
        self.count += count
        return ids

    def set_groups(self, ids: np.ndarray, groups: Sequence[str], splits: np.ndarray) -> None:
        """Set the groups and splits of samples, if known only after all images were read."""
        write_groups(self._database, ids, groups)
        write_columns(self._database, ids, splits=np.asarray(splits, np.uint8))

    def set_names(self, ids: np.ndarray, names: Sequence[str]) -> None:
        """Set the names of samples, if known only after all were read."""
        rows = zip(names, ids.tolist(), strict=True)
        self._database.sql.executemany("UPDATE samples SET name = ? WHERE id = ? AND name <> ?1", rows)

    def _rows(self, ids: np.ndarray, batch: SampleBatch, places: list[tuple]) -> None:
        sql, numbers = self._database.sql, ids.tolist()
        flags = [json.dumps(f) if f else "" for f in batch.flags] or [""] * len(ids)
        rows = zip(numbers, batch.names, batch.sources, places, batch.groups, flags, strict=True)
        sql.executemany(SAMPLE, ((i, name, source, self._import, *p, g, f) for i, name, source, p, g, f in rows))
        sql.executemany("INSERT INTO labels VALUES (?, ?)", zip(numbers, encode(batch.labels), strict=True))
        if batch.source_cells is not None:
            cells = ((i, SEPARATOR.join(row)) for i, row in zip(numbers, batch.source_cells, strict=True))
            sql.executemany("INSERT INTO source_cells VALUES (?, ?)", cells)
        if batch.crops is not None or batch.boxes is not None or any(batch.subsets):
            write_faces(self._database, ids, batch)
        write_columns(
            self._database,
            ids,
            missing=missing_counts(batch.labels),
            to_review=review_counts(batch.labels),
            widths=batch.widths,
            heights=batch.heights,
            splits=batch.splits,
            flagged=np.array([bool(f) for f in flags]),
        )

    def _images(self, batch: SampleBatch) -> list[tuple]:
        """(pixel_file, pixel_row, folder, file) of each sample; writes the pixels."""
        if batch.pixels is None:
            return [(None, None, *self._file(path)) for path in batch.paths or ()]
        shape = tuple(batch.pixels.shape[1:])
        if self._writer is None or self._writer.shape != shape:
            self._writer = self._new_writer(shape)
        row, number = self._writer.count, int(self._writer.path.stem)
        self._writer.write(batch.pixels)
        return [(number, row + i, None, None) for i in range(len(batch))]

    def _new_writer(self, shape: tuple[int, ...]) -> PixelWriter:
        found = self._database.one("SELECT max(id) FROM pixel_files")
        number = int(found[0] or 0) + 1 if found else 1
        path = pixel_path(self._database.folder, number)
        path.unlink(missing_ok=True)  # left by a killed import; the database does not refer to it
        writer = PixelWriter(path, shape)
        self._writers.append(writer)
        channels = shape[2] if len(shape) == 3 else 1
        self._database.sql.execute("INSERT INTO pixel_files VALUES (?, 0, ?, ?, ?)", (number, *shape[:2], channels))
        return writer

    def _file(self, path: Path) -> tuple[int, str]:
        """The number of the file's folder, and the file name."""
        folder, name = os.path.split(path)
        if folder not in self._folders:
            # resolve() would follow links
            self._folders[folder] = self._new_folder(os.path.abspath(folder))  # noqa: PTH100
        return self._folders[folder], name

    def _new_folder(self, absolute: str) -> int:
        near = Path(os.path.relpath(absolute, self._database.folder.absolute().parent)).as_posix()
        sql = self._database.sql
        sql.execute("INSERT OR IGNORE INTO folders (near, absolute) VALUES (?, ?)", (near, absolute))
        return int(sql.execute("SELECT id FROM folders WHERE absolute = ?", (absolute,)).fetchone()[0])

    def finish(self) -> None:
        """Write the record of the import, if it added samples, within the caller's transaction."""
        if not self.count:
            return
        with disk_sentences(self._database.folder):
            for writer in self._writers:
                writer.close()
                number = int(writer.path.stem)
                self._database.sql.execute("UPDATE pixel_files SET count = ? WHERE id = ?", (writer.count, number))
        if self._joins:
            self._database.sql.execute("UPDATE imports SET count = count + ? WHERE id = ?", (self.count, self._joins))
            return
        values = (self._import, self._source, time.time(), self.count, json.dumps(self.problems))
        self._database.sql.execute("INSERT INTO imports VALUES (?, ?, ?, ?, ?)", values)

    def discard(self) -> None:
        """Remove the files this import has written."""
        for writer in self._writers:
            writer.discard()


def write_groups(database: Database, ids: np.ndarray, groups: Sequence[str]) -> None:
    """Set the groups of samples, within the caller's transaction."""
    rows = zip(groups, np.asarray(ids).tolist(), strict=True)
    database.sql.executemany("UPDATE samples SET grouping = ? WHERE id = ?", rows)
