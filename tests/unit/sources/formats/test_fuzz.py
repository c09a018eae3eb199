"""Damaged files: an import succeeds or reports an error, and never leaves a partial project."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.helpers.label_files import csv_folder, names_in, sentence_of, training_csv
from tests.unit.sources.formats.test_folders import pts_folder
from training.errors import UserError
from training.sources.exchange.import_source import import_source, preview

BITS = [
    b"\0",
    b"\xff",
    b'"',
    b",",
    b"\n",
    b"\r",
    b"nan",
    b"1e999",
    b"-",
    b" ",
    b"{",
    b"}",
    b";",
    "ä".encode(),
    b"9" * 400,
]


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Replace, insert, remove or cut off some bytes."""
    for _ in range(rng.randint(1, 3)):
        at, length = rng.randrange(len(data)), rng.choice([0, 1, 1, 5, 300])
        data = data[:at] + rng.choice([*BITS, b""]) + data[at + length :] or b"x"
    return data


@pytest.mark.parametrize("kind", ["kaggle", "csv", "pts"])
def test_damaged_files_never_end_in_anything_but_a_sentence(tmp_path: Path, kind: str) -> None:
    if kind == "kaggle":
        source = target = training_csv(tmp_path, 5, side=6)
    elif kind == "csv":
        source = csv_folder(tmp_path / "in", extra=("person", "split"), values=[(f"p{i}", "train") for i in range(6)])
        target = source / "labels.csv"
    else:
        source = pts_folder(tmp_path / "in", 3)
        target = source / "1.pts"
    sound = target.read_bytes()
    rng = random.Random(kind)
    refused = 0
    for i in range(60):
        target.write_bytes(damaged(sound, rng))
        before = names_in(tmp_path)
        project = tmp_path / f"{i}.fkp"
        try:
            preview(source, format=kind)
            import_source(source, project, format=kind)
        except UserError as error:
            refused += 1
            sentence_of(error)
            assert names_in(tmp_path) == before
    assert 10 < refused < 60
