"""The work of an import grows with its columns and keypoints, not with their square."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from tests.helpers.label_files import sentence_of, textures, write_image, write_rows
from training.errors import UserError
from training.faces.labels.schema import flip_pairs, schema_from_names
from training.sources.exchange.import_source import import_source
from training.sources.formats.pts.schema_file import read_keypoints, write_keypoints
from training.sources.formats.tables.columns import ColumnMapping, KeypointColumns
from training.sources.formats.tables.table import open_table
from training.storage.project.project import Project

FEW, MANY = 100, 400  # keypoints
LINEAR = 1.5  # times as many calls as columns: some grow by a logarithm


def calls(act: Callable[[], object]) -> int:
    """How many functions are called, Python's own included."""
    count = 0

    def note(frame: FrameType, event: str, what: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count


def names_of(keypoints: int) -> list[str]:
    return [f"{side}_{i}" for i in range(keypoints // 2) for side in ("left", "right")]


def wide_folder(folder: Path, keypoints: int, *, extra: str = "", cell: str = "", quoted: bool = False) -> Path:
    """A table of one image. extra: the ending of another column for each keypoint, which holds `cell`."""
    names = names_of(keypoints)
    header = ["image", *(f"{name}{end}" for name in names for end in ("_x", "_y", *((extra,) if extra else ())))]
    values = [text for i in range(keypoints) for text in (str(i % 19), "2.5", *((cell,) if extra else ()))]
    write_image(folder / "a.png", textures(1, side=20)[0])
    write_rows(folder / "labels.csv", [["a.png", *(f'"{v}"' if quoted else v for v in values)]], header=header)
    return folder


@pytest.mark.parametrize(
    ("extra", "cell", "quoted"),
    [("", "", False), ("_state", "visible", False), ("_occluded", "0", False), ("", "", True)],
)
def test_the_calls_of_an_import_grow_with_its_columns(tmp_path: Path, extra: str, cell: str, quoted: bool) -> None:
    found = {}
    for count in (FEW, FEW, MANY):  # the first makes what is made once
        source = wide_folder(tmp_path / f"{count}-{len(found)}", count, extra=extra, cell=cell, quoted=quoted)
        found[count] = calls(lambda source=source: import_source(source, source / "p.fkp"))
    assert found[MANY] < LINEAR * MANY / FEW * found[FEW]


def test_the_calls_for_the_partners_of_keypoints_grow_with_their_number() -> None:
    few, many = (calls(lambda n=n: flip_pairs(names_of(n))) for n in (FEW, MANY))
    assert many < LINEAR * MANY / FEW * few


class Looked(tuple[str, ...]):
    """A header that counts how often all of it is searched."""

    searched = 0

    def __contains__(self, column: object) -> bool:
        Looked.searched += 1
        return super().__contains__(column)

    def index(self, *arguments: object) -> int:
        Looked.searched += 1
        return super().index(*arguments)


def test_a_mapping_is_checked_without_searching_the_header_for_each_column() -> None:
    names = names_of(FEW)
    header = Looked(["image", *(f"{name}_{axis}" for name in names for axis in "xy")])
    mapping = ColumnMapping("image", tuple(KeypointColumns(name, f"{name}_x", f"{name}_y") for name in names))
    mapping.check(header, file="a.csv")
    assert Looked.searched < 10
    with pytest.raises(UserError, match="the column left_0_x is missing"):
        mapping.check(Looked(("image", *header[2:])), file="a.csv")


def test_forty_thousand_columns_are_imported(tmp_path: Path) -> None:
    import_source(wide_folder(tmp_path / "w", 20_000), tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp", read_only=True) as project:
        assert len(project.schema) == 20_000
        assert project.schema.flip[:4] == (1, 0, 3, 2)
        assert project.labels([1]).points[0, 19_999].tolist() == [19_999 % 19, 2.5]


@pytest.mark.parametrize("column", ["pixel{}", "{}"])
def test_pixels_as_columns_are_refused_with_a_sentence(tmp_path: Path, column: str) -> None:
    write_image(tmp_path / "7.png", textures(1, side=20)[0])
    write_rows(tmp_path / "a.csv", [["7"] * 40_000], header=[column.format(i) for i in range(40_000)])
    with pytest.raises(UserError, match=r"a\.csv, line 1: the keypoint columns .* are missing"):
        import_source(tmp_path, tmp_path / "p.fkp")


def test_a_line_with_millions_of_cells_is_refused(tmp_path: Path) -> None:
    for quote in ("", '"x"'):
        (tmp_path / "a.csv").write_text(f"a,b\n{quote}{',' * 3_000_000}\n")
        with open_table(tmp_path / "a.csv") as table, pytest.raises(UserError) as caught:
            list(table.blocks(10))
        assert "row 1 (line 2): there are 3000001 cells" in sentence_of(caught.value)


def test_a_schema_of_many_keypoints_is_written_and_read(tmp_path: Path) -> None:
    schema = schema_from_names([f"{name}_of_a_long_name" for name in names_of(5_000)])
    write_keypoints(tmp_path, schema)
    assert read_keypoints(tmp_path) == schema
