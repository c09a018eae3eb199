"""Files that are not what their names say: pipes, devices, too large ones, JSON and arrays that parsers choke on."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from training.errors import UserError
from training.files.arrays import map_array, read_array
from training.files.json_values import parse_json, read_json
from training.files.names import inside
from training.files.regular import open_regular, read_bytes
from training.files.sentences import reading

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither pipes nor devices among files")


@POSIX
def test_a_pipe_or_a_device_is_refused_at_once_also_behind_a_link(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to("/dev/zero")
    (tmp_path / "chain.png").symlink_to(tmp_path / "pipe.png")
    for name in ("pipe.png", "link.png", "chain.png"):
        with (
            pytest.raises(UserError, match=f"{name}: this is a pipe or a device, not a file"),
            reading(tmp_path / name),
        ):
            read_bytes(tmp_path / name, limit=10)
        with pytest.raises(OSError, match="a pipe or a device"):
            open_regular(tmp_path / name)


def test_a_folder_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="this is a folder"), reading(tmp_path):
        open_regular(tmp_path)


def test_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 10)
    assert read_bytes(tmp_path / "a", limit=10) == b"x" * 10
    with pytest.raises(UserError, match="the file is larger than 0 KB"), reading(tmp_path / "a"):
        read_bytes(tmp_path / "a", limit=9)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux has files whose size is told as 0")
def test_a_file_whose_size_is_told_as_zero_is_read_up_to_the_limit() -> None:
    assert len(read_bytes(Path("/proc/self/maps"), limit=1 << 24)) > 100
    with pytest.raises(OSError, match="larger than"):
        read_bytes(Path("/proc/self/maps"), limit=100)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "[Infinity]",
        "[-Infinity]",
        "[NaN]",
        "[1e999]",
        "",
        "{",
        b"\xff\xfe\x00",
        "1" * 9999,
    ],
)
def test_json_that_is_none_ends_in_a_value_error(tmp_path: Path, text: str | bytes) -> None:
    (tmp_path / "a.json").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ValueError):
        parse_json(text)
    with pytest.raises(ValueError):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    "shape",
    ["(3, 2", "(((((", "('a',)", "(2, 3)\n  x", "(True, 1.5)", "(9" * 200, "(-1, 6)", "(4611686018427387904, 4)"],
)
def test_an_array_whose_header_is_broken_ends_in_a_value_error(tmp_path: Path, shape: str) -> None:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(48)
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(ValueError):
        map_array(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", data)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive, pytest.raises(ValueError):
        read_array(archive, "a")


def test_arrays_are_read_as_they_were_written(tmp_path: Path) -> None:
    values = np.arange(12.0).reshape(3, 4)
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", a=values)
    assert np.array_equal(map_array(tmp_path / "a.npy"), values)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert np.array_equal(read_array(archive, "a"), values)


@pytest.mark.parametrize(
    "name", ["", "..", "a/../../b", "/etc/passwd", "\\\\host\\a", "C:\\a", "C:a", "a\\..\\..\\b", "a\0b", "."]
)
def test_a_name_never_leads_out_of_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="leads out of the folder"):
        inside(tmp_path, name)


@pytest.mark.parametrize("name", ["a.png", "train/a.png", "...", "..a", "a b/é.jpg"])
def test_a_name_below_a_folder_stays_as_it_is(tmp_path: Path, name: str) -> None:
    assert inside(tmp_path, name) == tmp_path / name
