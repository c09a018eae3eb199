"""CSV tables: every cell as it is written, and every fault with its row and line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.label_files import sentence_of
from training.errors import UserError
from training.sources.formats.tables.table import Rows, open_table


def rows_of(path: Path, data: bytes) -> Rows:
    """All rows of a table."""
    path.write_bytes(data)
    with open_table(path) as table:
        (rows,) = table.blocks(100)
    return rows


def fault_of(path: Path, data: bytes) -> str:
    """The sentence that refuses a table."""
    with pytest.raises(UserError) as caught:
        rows_of(path, data)
    return sentence_of(caught.value)


@pytest.mark.parametrize(
    "word", ["NA", "nan", "None", "001", "1e3", "1,000", "True", "2024-01-01", "\ufffd", " a ", "x\ry", "|"]
)
def test_nothing_is_guessed_from_a_cell(tmp_path: Path, word: str) -> None:
    rows = rows_of(tmp_path / "a.csv", f"a;b\n{word};{word}\n".encode())
    assert rows.raw(["a", "b"]) == [[word, word]] and rows.text("b") == [word.strip()]


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ('"a, b"', "a, b"), ('""', ""), ('"say ""no"""', 'say "no"'), ('""""', '"'), ('6" wide', '6" wide'), ('"5" x', '"5" x'),
        (' "a, b"', "a, b"),
    ],
)  # fmt: skip
def test_quotation_marks_stay_in_the_cell_and_not_in_its_text(tmp_path: Path, cell: str, meant: str) -> None:
    rows = rows_of(tmp_path / "a.csv", f'n,word,x\n"1.50",{cell},2\n'.encode())
    assert rows.text("word") == [meant]
    assert rows.raw(["n", "x"]) == [['"1.50"', "2"]] and rows.numbers(["n", "x"]).tolist() == [[1.5, 2]]


def test_empty_words_are_no_numbers(tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "a.csv", b'a,b,c\n,NaN,""\nnull, 2 ,-0.1\n')
    assert np.array_equal(rows.numbers(["a", "b", "c"]), [[np.nan] * 3, [np.nan, 2, -0.1]], equal_nan=True)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (b"1,2,3\n1,2\n", "row 2 (line 3): there are 2 cells where the header has 3 columns; correct"),
        (b'1,2,3\n\n"1,2",3\n', "row 2 (line 4): there are 2 cells where the header has 3 columns; correct"),
        (b"1,2,3,4\n1,2,3\n", "row 1 (line 2): there are 4 cells where the header has 3 columns; correct"),
        (b"1,2,3\n1,2,3,\n", "row 2 (line 3): there are 4 cells"),
        (b"1,2,|\n1,2\n", "row 2 (line 3): there are 2 cells"),
        (b"1,2,3\n1,2", "row 2 (line 3): there are 2 cells where the header has 3 columns, and the file ends there"),
        (b'1,2,3\n1,"two\nlines",3\n', "row 2 (line 3): a quotation mark is not closed in this line; correct"),
        (b'1,2,3\n1,2,"3', "row 2 (line 3): a quotation mark is not closed in this line, and the file ends there"),
    ],
)  # fmt: skip
def test_rows_of_another_shape_are_named(tmp_path: Path, rows: bytes, words: str) -> None:
    assert words in fault_of(tmp_path / "a.csv", b"a,b,c\n" + rows)


@pytest.mark.parametrize("bad", [b"\xff", b"x\0y", b"caf\xe9"])
def test_bytes_that_are_not_text_are_named_where_they_are_read(tmp_path: Path, bad: bytes) -> None:
    rows = rows_of(tmp_path / "a.csv", b"a,b\n1,ok\n2," + bad + b"\n")
    assert rows.numbers(["a"]).tolist() == [[1], [2]]
    with pytest.raises(UserError, match=r"a.csv, row 2 \(line 3\), column b: the cell holds bytes that are not text"):
        rows.text("b")


def test_blocks_are_as_small_as_asked_and_count_on(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a\tb\r\n" + b"1\t2\r\n\r\n" * 5)
    with open_table(tmp_path / "a.csv") as table:
        places = [[place.line for place in rows.places] for rows in table.blocks(2)]
    assert places == [[2, 4], [6, 8], [10]]


def test_a_header_of_no_end_is_refused(tmp_path: Path) -> None:
    assert "more than 100,000 columns" in fault_of(tmp_path / "a.csv", b"," * 200_000 + b"\n1,2\n")
    assert "line 1: a quotation mark is not closed" in fault_of(tmp_path / "a.csv", b'a,"b\n1,2\n')
