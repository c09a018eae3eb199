"""What commands that read images print: their own words, not those of the libraries that decode them."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.guarded import answers
from training import cli
from training.commands.predict import find_images
from training.commands.shared.quiet_libraries import quiet_libraries


def damaged_jpeg() -> bytes:
    """A JPEG that libjpeg reads with a remark: its data are damaged in the middle."""
    image = np.random.default_rng(0).integers(0, 255, (200, 200), np.uint8)
    data = bytearray(cv2.imencode(".jpg", image)[1].tobytes())
    data[len(data) // 2 : len(data) // 2 + 40] = b"\xff\xd4" * 20
    return bytes(data)


def decode_loudly(folder: str) -> Iterator[bool]:
    """Shows that the remark comes where nothing keeps it away."""
    yield cv2.imdecode(np.frombuffer(damaged_jpeg(), np.uint8), cv2.IMREAD_GRAYSCALE) is not None


def import_loudly(folder: str) -> Iterator[int]:
    """Imports an image that is read with a remark, then prints on stderr by both ways."""
    images = Path(folder, "images")
    images.mkdir()
    (images / "a.jpg").write_bytes(damaged_jpeg())
    with redirect_stdout(io.StringIO()):
        codes = [cli.main(["import", str(path), str(folder) + "/p.fkp"]) for path in (images, images / "gone")]
    yield from codes
    print("later", file=sys.stderr, flush=True)
    os.write(2, b"and below\n")


def test_remarks_of_libraries_are_not_printed(tmp_path: Path) -> None:
    (read,), loud = answers(decode_loudly, tmp_path)
    assert read and "Corrupt JPEG data" in loud
    found, said = answers(import_loudly, tmp_path)
    assert found == [0, 2]
    assert "Corrupt JPEG data" not in said
    assert "gone: there is no such file" in said
    assert said.endswith("later\nand below\n")


def test_stderr_is_where_it_was_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError), quiet_libraries():
        os.write(2, b"remark")
        raise ValueError
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_to_folders_that_are_not_predicted_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jpg").write_bytes(damaged_jpeg())
    (tmp_path / "round").symlink_to(tmp_path)
    assert [name for name, _ in find_images([tmp_path])] == ["a.jpg"]
    assert f"Links to folders are not followed: {tmp_path / 'round'}" in capsys.readouterr().err
