"""Exports a project as Kaggle's training.csv."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.errors import UserError
from training.faces.labels.samples import Split
from training.files.csv_text import csv_row
from training.files.replacing import replacing
from training.progress import Progress
from training.sources.exchange.values import Values, in_chunks
from training.sources.formats.tables.pixel_text import pixel_text


def write_kaggle(values: Values, out: Path, progress: Progress) -> tuple[int, list[str]]:
    """One row per sample: 2K coordinate columns and Image. Samples of the test split without any label are left out.

    Raises UserError where the images are not square or not all of one size, as the format demands.
    """
    project = values.project
    ids, notes = _chosen(values)
    _check_square(values, ids)
    with replacing(out) as file:
        file.write(csv_row([*project.schema.columns, "Image"]).encode() + b"\n")
        done = 0
        for some in in_chunks(ids):
            progress(done / len(ids), f"Writing {out.name}, row {done + 1:,}")
            for sample, cells in zip(some.tolist(), values.cells(some, whole=False), strict=True):
                pixels = pixel_text(project.image(sample, channels=1))
                file.write(",".join(cells).encode() + b"," + pixels + b"\n")
            done += len(some)
    return len(ids), notes


def _chosen(values: Values) -> tuple[np.ndarray, list[str]]:
    index = values.project.index()
    if values.run is not None:
        return index.ids[index.kept], []
    bare = (index.splits == Split.TEST) & (index.missing == len(values.project.schema))
    notes = [f"{int(bare.sum()):,} samples of the test split without a label were left out."] if bare.any() else []
    return index.ids[index.kept & ~bare], notes


def _check_square(values: Values, ids: np.ndarray) -> None:
    project = values.project
    if len(ids) == 0:
        raise UserError(f"{project.path}: there are no samples to export; import data first.")
    index = project.index()
    widths, heights = np.asarray(index.widths)[ids - 1], np.asarray(index.heights)[ids - 1]
    wrong = np.flatnonzero((widths != widths[0]) | (heights != widths[0]))
    if len(wrong):
        i = int(wrong[0])
        name = project.sample(int(ids[i])).name
        raise UserError(
            f"Kaggle's format needs square images of one size, but {name} has {widths[i]} x {heights[i]} pixels"
            f" and the first {widths[0]} x {heights[0]}; export as csv or pts."
        )
