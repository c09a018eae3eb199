"""Kaggle's submission: one coordinate for each row of IdLookupTable.csv."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.errors import UserError
from training.files import replacing
from training.progress import Progress
from training.sources.exchange.values import Values, in_chunks
from training.sources.formats.columns import named
from training.sources.formats.kaggle import IMAGE_ID_MARK
from training.sources.formats.problems import Place
from training.sources.formats.table import Row, Table, cell_text, open_table
from training.storage.project.project import Project

COLUMNS = ("RowId", "ImageId", "FeatureName")


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
    """`RowId,Location`, in the order of the table, inside the picture (0 to width - 1).

    Raises UserError, naming the first, where a row asks for a picture, feature or point that there isn't.
    """
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
        file.write(b"RowId,Location\n")
        file.writelines(
            f"{item.row_id},{round(value, 6)!r}\n".encode()
            for item, value in zip(asked, locations.tolist(), strict=True)
        )
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
        else "let the run predict first"
    )
    raise UserError(
        f"{first.place.at('Location')}: {who} for {first.feature} of the picture with ImageId {first.image}"
        f" ({len(empty):,} of {len(asked):,} rows stay empty); {what}."
    )


def _read_lookup(values: Values, lookup: Path) -> list[_Asked]:
    samples = samples_by_id(values.project)
    features = {column: i for i, column in enumerate(values.project.schema.columns)}
    with open_table(lookup) as table:
        columns = [_column(table, name) for name in COLUMNS]
        asked = [_asked(row, columns, samples, features) for row in table.rows()]
    if not asked:
        raise UserError(f"{lookup}: there are no rows below the header; give Kaggle's IdLookupTable.csv.")
    return asked


def _column(table: Table, name: str) -> int:
    found = named(table.header, (name.lower(),))
    if not found:
        raise UserError(f"{table.path}, line 1: the column {name} is missing; give Kaggle's IdLookupTable.csv.")
    return table.header.index(found)


def _asked(row: Row, columns: list[int], samples: dict[str, int], features: dict[str, int]) -> _Asked:
    row_id, image, feature = (
        cell_text(row.cells[c], row.place, name).strip() for c, name in zip(columns, COLUMNS, strict=True)
    )
    if not row_id.isdecimal():
        raise UserError(f"{row.place.at('RowId')}: {row_id[:30]!r} is no whole number; correct it.")
    if image not in samples:
        raise UserError(
            f"{row.place.at('ImageId')}: the project has no picture {image[:30]} of a test.csv; import Kaggle's test.csv first."
        )
    if feature not in features:
        raise UserError(
            f"{row.place.at('FeatureName')}: the project has no keypoint for {feature[:60]!r}; correct the table."
        )
    return _Asked(row_id, samples[image], features[feature], image, feature, row.place)


def samples_by_id(project: Project) -> dict[str, int]:
    """ImageId -> index of the sample, for all that came from a file with ImageIds."""
    found: dict[str, int] = {}
    for i, source in enumerate(project.sources()):
        _, mark, number = source.rpartition(f"#{IMAGE_ID_MARK}")
        if mark:
            found.setdefault(number, i)
    return found
