"""Files of pixels that are damaged, changed or no files: a sentence, or written again."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.errors import UserError
from training.storage.project.network_pixels import network_images
from training.storage.project.pixels import pixel_path
from training.storage.project.project import Project

SIZE = 8
BROKEN = [
    "(3, 2",
    "(((((",
    "('a',)",
    "(2, 3)\n  x",
    "(True, 1.5)",
    "(9" * 200,
    "(99999999999, 96, 96)",
    "(-1, 96, 96)",
    "(4611686018427387904, 4, 4)",
    "(1, 2**70)",
    "(0, -1, 0)",
]


def with_header(shape: str, descr: str = "'|u1'", body: int = 24 * 96 * 96) -> bytes:
    """An .npy file with this text as its shape."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(body)


@pytest.mark.parametrize("shape", BROKEN)
def test_stored_pixels_with_a_broken_header_are_named(project_path: Path, shape: str) -> None:
    path = pixel_path(project_path, 1)
    path.write_bytes(with_header(shape))
    with Project.open(project_path) as project, pytest.raises(UserError, match=r"0001\.npy .*Restore"):
        project.image(1)


@pytest.mark.parametrize("shape", ["(24, 96)", "(24, 96, 96, 3)", "(23, 96, 96)", "(25, 96, 96)", "()"])
@pytest.mark.parametrize("descr", ["'|u1'", "'<f4'", "'|i1'", "[('a', '|u1')]"])
def test_stored_pixels_of_another_shape_or_kind_are_named(project_path: Path, shape: str, descr: str) -> None:
    pixel_path(project_path, 1).write_bytes(with_header(shape, descr, 24 * 96 * 96 * 12))
    with Project.open(project_path) as project, pytest.raises(UserError, match=r"0001\.npy does not match"):
        project.image(1)


def network_files(path: Path) -> tuple[Path, Path]:
    """The images at network size, and their notes, which are written."""
    with Project.open(path) as project:
        network_images(project, np.array([1]), size=SIZE, channels=1)
    found = next((path / "pixels").glob("network-*.npy"))
    return found, found.with_suffix(".json")


def read_again(path: Path) -> np.ndarray:
    with Project.open(path) as project:
        return network_images(project, np.arange(1, 25), size=SIZE, channels=1)[0][:]


@pytest.mark.parametrize(
    "content",
    [
        *map(with_header, BROKEN),
        with_header("(24, 8)"),
        with_header("(23, 8, 8)"),
        with_header("(24, 8, 8)", "'<f4'"),
        with_header("(24, 8, 8)", "'|O'"),
        b"",
    ],
)
def test_images_at_network_size_that_do_not_fit_are_named(project_path: Path, content: bytes) -> None:
    network_files(project_path)[0].write_bytes(content)
    with pytest.raises(UserError, match=r"network-8x1-.*\.npy is damaged .*Delete it"):
        read_again(project_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"[1]", b'"a"', b"{", b"\xff", b'{"1": Infinity}', b'{"x": "y"}', b"[" * 100_000, b'{"1e400": "a"}'],
)
def test_notes_of_unreadable_images_that_are_none_are_named(project_path: Path, content: bytes) -> None:
    network_files(project_path)[1].write_bytes(content)
    with pytest.raises(UserError, match=r"network-8x1-.*\.npy is damaged .*Delete it"):
        read_again(project_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither pipes nor devices among files")
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_replaced_by_the_images_at_network_size(
    project_path: Path, put: Callable[[Path], None], which: int
) -> None:
    before = read_again(project_path)
    strange = network_files(project_path)[which]
    strange.unlink()
    put(strange)
    assert np.array_equal(read_again(project_path), before)
    assert strange.is_file() and not strange.is_symlink()


def test_notes_name_the_images_that_cannot_be_read(project_path: Path) -> None:
    _, notes = network_files(project_path)
    notes.write_text(json.dumps({"2": "gone"}))
    with Project.open(project_path) as project:
        images, unreadable = network_images(project, np.array([1, 2, 3]), size=SIZE, channels=1)
    assert len(images) == 2 and unreadable == {2: "gone"}
