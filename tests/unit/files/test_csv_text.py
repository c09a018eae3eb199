"""Cells of CSV files."""

from __future__ import annotations

import csv

import pytest

from training.files.csv_text import csv_row, without_formula


@pytest.mark.parametrize("cell", ["=1+1", "+cmd", "-cmd|x", "@A1", "\tx", "\rx", "\nx", "-1_000", "-inf", "--1", "＝1"])
def test_what_a_spreadsheet_would_run_is_escaped(cell: str) -> None:
    assert without_formula(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "-1", "+1.5", "-.5e-7", "1e9", "a=b", "'=1", "a.png", " =1"])
def test_numbers_and_words_stay(cell: str) -> None:
    assert without_formula(cell) == cell


def test_a_row_reads_back() -> None:
    cells = ["a", 'b"c', "d,e", "f\ng", "h\ri", "", " j "]
    assert next(csv.reader([csv_row(cells)], strict=True)) == cells
