"""Kaggle's submission: one coordinate per row of IdLookupTable.csv."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.errors import UserError
from training.files.replacing import replacing
from training.progress import Progress
from training.sources.exchange.values import Values, in_chunks
from training.sources.formats.kaggle import IMAGE_ID_MARK
from training.sources.formats.problems import Place
from training.sources.formats.tables.columns import named
from training.sources.formats.tables.table import Rows, Table, open_table
from training.storage.project.project import Project

COLUMNS = ("RowId", "ImageId", "FeatureName")
_ROWS = 10_000  # read at a time


@dataclass(frozen=True)
class _Asked:
    """One row of the table: sample (index), coordinate (0..2K-1), and its texts for sentences."""

    row_id: str
    sample: int
    column: int
    image: str
    feature: str
    place: Place


def write_submission(values: Values, out: Path, progress: Progress, *, lookup: Path) -> tuple[int, list[str]]:
    """`RowId,Location`, in the order of the table, inside the image (0 to width - 1).

    Raises UserError, naming the first, where a row asks for an image, feature or point that does not exist.
    """
    import pandas as pd

    asked = _read_lookup(values, lookup)
    ids = np.unique([item.sample for item in asked]) + 1
    flat = np.full((len(values.project), 2 * len(values.project.schema)), np.nan)
    for done, some in enumerate(in_chunks(ids)):
        progress(0.5 * done * len(some) / len(ids), f"Reading points for {out.name}")
        flat[some - 1] = values.points(some).reshape(len(some), -1)
    index = values.project.index()
    sizes = np.stack([np.asarray(index.widths), np.asarray(index.heights)], axis=1)
    locations = flat[[item.sample for item in asked], [item.column for item in asked]]
    _check_filled(values, asked, locations)
    highest = sizes[[item.sample for item in asked], [item.column % 2 for item in asked]].astype(np.float64) - 1
    locations = np.clip(locations, 0.0, highest)
    progress(0.7, f"Writing {out.name}")
    with replacing(out) as file:
        rounded = [round(value, 6) for value in locations.tolist()]
        table = pd.DataFrame({"RowId": [item.row_id for item in asked], "Location": rounded})
        table.to_csv(file, index=False, lineterminator="\n")
    return len(asked), []


def _check_filled(values: Values, asked: list[_Asked], locations: np.ndarray) -> None:
    empty = np.flatnonzero(np.isnan(locations))
    if len(empty) == 0:
        return
    first = asked[int(empty[0])]
    who = "there is no label" if values.run is None else f"the run {values.run} has no prediction"
    what = (
        "label it, or give the run whose predictions to send (--run)"
        if values.run is None
        else "predict with the run first"
    )
    raise UserError(
        f"{first.place.at('Location')}: {who} for {first.feature} of the image with ImageId {first.image}"
        f" ({len(empty):,} of {len(asked):,} rows stay empty); {what}."
    )


def _read_lookup(values: Values, lookup: Path) -> list[_Asked]:
    samples = samples_by_id(values.project)
    features = {column: i for i, column in enumerate(values.project.schema.columns)}
    with open_table(lookup) as table:
        columns = [_column(table, name) for name in COLUMNS]
        asked = [item for rows in table.blocks(_ROWS) for item in _asked(rows, columns, samples, features)]
    if not asked:
        raise UserError(f"{lookup}: there are no rows below the header; give Kaggle's IdLookupTable.csv.")
    return asked


def _column(table: Table, name: str) -> str:
    found = named(table.header, (name.lower(),))
    if not found:
        raise UserError(f"{table.path}, line 1: the column {name} is missing; give Kaggle's IdLookupTable.csv.")
    return found


def _asked(rows: Rows, columns: list[str], samples: dict[str, int], features: dict[str, int]) -> Iterator[_Asked]:
    for place, row_id, image, feature in zip(rows.places, *(rows.text(column) for column in columns), strict=True):
        if not row_id.isdecimal():
            raise UserError(f"{place.at('RowId')}: {row_id[:30]!r} is not a whole number; correct it.")
        if image not in samples:
            raise UserError(
                f"{place.at('ImageId')}: the project has no image {image[:30]} of a test.csv; import Kaggle's test.csv first."
            )
        if feature not in features:
            raise UserError(
                f"{place.at('FeatureName')}: the project has no keypoint for {feature[:60]!r}; correct the table."
            )
        yield _Asked(row_id, samples[image], features[feature], image, feature, place)


def samples_by_id(project: Project) -> dict[str, int]:
    """ImageId -> index of the sample, for all that came from a file with ImageIds."""
    found: dict[str, int] = {}
    for i, source in enumerate(project.sources()):
        _, mark, number = source.rpartition(f"#{IMAGE_ID_MARK}")
        if mark:
            found.setdefault(number, i)
    return found
