"""Images whose headers claim little and whose parts take much: memory stays within what the size says."""

from __future__ import annotations

import os
import resource
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.guarded import answers
from tests.helpers.label_files import textures
from training.errors import UserError
from training.faces.images.image_header import header_size
from training.faces.images.reading import MAX_PIXELS, decode_image, examine_image
from training.sources.formats.image_files import examine_files

MB = 1 << 20
HUGE = 30_000  # px: 900 million pixels are below the decoder's own limit
SMALL = textures(1, side=40)[0]


def chunk(kind: bytes, body: bytes = b"", *, length: int | None = None) -> bytes:
    size = struct.pack(">I", len(body) if length is None else length)
    return size + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def png_header(width: int, height: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))


def tiff(*tags: tuple[int, int, int]) -> bytes:
    """A little-endian TIFF whose first directory has these tags (number, kind, value), and some data."""
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + bytes(2000)


def tiff_of(width: int, height: int, *more: tuple[int, int, int]) -> bytes:
    usual = ((258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 500), (277, 3, 1), (279, 4, 1000))
    return tiff(*sorted(((256, 4, width), (257, 4, height), *usual, *more)))


IDAT = chunk(b"IDAT", zlib.compress(bytes(44 * 41)))
PIXELS = zlib.compress(bytes(HUGE * 100))
LIARS = {
    "a PNG chunk longer than the file": png(png_header(40, 44), chunk(b"IDAT", b"x", length=2_000_000_000)),
    "an unknown PNG chunk longer than the file": png(png_header(40, 44), chunk(b"fdAT", b"x", length=2_000_000_000)),
    "a second PNG header": png(png_header(40, 44), png_header(HUGE, HUGE), chunk(b"IDAT", PIXELS), chunk(b"IEND")),
    "a PNG header behind another chunk": png(chunk(b"tEXt", b"a\0b" * 9), png_header(HUGE, HUGE), IDAT, chunk(b"IEND")),
    "a comment of a PGM that ends with CR": b"P5 #\r%d %d 255 \n40 44 255 " % (HUGE, HUGE) + bytes(3000),
    "a second width of a TIFF": tiff(
        (256, 9, HUGE), (256, 3, 40), (257, 9, HUGE), (257, 3, 44), (258, 3, 8), (259, 3, 1), (262, 3, 1),
        (273, 4, 500), (277, 3, 1), (278, 4, HUGE), (279, 4, 1000),
    ),
    "tiles of a TIFF larger than it": tiff_of(40, 44, (322, 4, 1 << 15), (323, 4, 1 << 14)),
    "strips of a TIFF higher than it": tiff_of(40, 44, (278, 4, 1 << 24)),
    "a bitmap of bitmaps": b"BM" + struct.pack("<IIIIiiHHIIIIII", 3000, 0, 54, 40, HUGE, -HUGE, 1, 8, 0, 0, 1, 1, 0, 0),
}  # fmt: skip


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def read_liars() -> Iterator[tuple[str, str, int]]:
    """(name, what was said, MB that the peak of memory grew by)."""
    decode_image(cv2.imencode(".png", SMALL)[1].tobytes(), name="first")
    for name, data in LIARS.items():
        before, said = peak(), "read"
        for read in (decode_image, examine_image):
            try:
                read(data, name=name)
            except UserError as error:
                said = str(error)
        yield name, said, (peak() - before) // MB


@pytest.fixture(scope="module")
def said() -> dict[str, tuple[str, int]]:
    found, _ = answers(read_liars, memory=6 << 30)
    return {name: (words, grown) for name, words, grown in found}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limits of memory of this kind")
@pytest.mark.parametrize("name", LIARS)
def test_what_a_header_hides_takes_no_memory(said: dict[str, tuple[str, int]], name: str) -> None:
    words, grown = said[name]
    assert words.startswith(f"{name}: ")
    assert grown < 50


def write_bombs(folder: str) -> Iterator[tuple[int, int]]:
    """(images, MB that the peak grew by) for images as large as allowed, several at a time."""
    side = int(MAX_PIXELS**0.5)
    rows = zlib.compressobj(1)
    body = b"".join(rows.compress(bytes(side + 1)) for _ in range(side)) + rows.flush()
    bomb = png(png_header(side, side), chunk(b"IDAT", body), chunk(b"IEND"))
    paths = [Path(folder, f"{i}.png") for i in range(4)]
    for path in paths:
        path.write_bytes(bomb)
    os.cpu_count = lambda: 8
    before = peak()
    found = examine_files(paths)
    yield sum(not isinstance(seen, UserError) for seen in found), (peak() - before) // MB


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limits of memory of this kind")
def test_several_of_the_largest_images_are_decoded_one_at_a_time(tmp_path: Path) -> None:
    ((read, grown),) = answers(write_bombs, tmp_path, seconds=120, memory=6 << 30)[0]
    assert read == 4
    assert grown < 250  # one takes 120 MB, four at once more than 450


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".jpg", ".bmp", ".webp"])
@pytest.mark.parametrize("shape", [(40, 33), (1, 1), (700, 9), (300, 500, 3)])
def test_images_as_they_are_written_are_consistent(suffix: str, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    data = cv2.imencode(suffix, image)[1].tobytes()
    assert header_size(data) == (shape[1], shape[0])
    assert decode_image(data, name="x").shape == shape[:2]


def test_a_tiff_in_tiles_or_in_one_strip_is_read() -> None:
    for image in (np.zeros((1000, 30), np.uint8), np.zeros((64, 64, 3), np.uint8)):
        for rows in (1, 7, 1 << 16, (1 << 31) - 1):
            done, data = cv2.imencode(".tiff", image, [cv2.IMWRITE_TIFF_ROWSPERSTRIP, rows])
            assert done and decode_image(data.tobytes(), name="x").shape == image.shape[:2]
