"""Images: read in any format, rejected if damaged or huge, resized with their points."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.label_files import textures, write_image
from training.errors import UserError
from training.faces.images.image_header import header_size
from training.faces.images.reading import (
    MAX_PIXELS,
    decode_image,
    examine_image,
    read_image,
    read_reduced,
    resize_image,
    resize_images,
    resize_points,
)

KINDS = (".png", ".jpg", ".bmp", ".webp", ".tiff", ".pgm")


def encoded(suffix: str, image: np.ndarray) -> bytes:
    done, data = cv2.imencode(suffix, image)
    assert done
    return data.tobytes()


@pytest.mark.parametrize("suffix", KINDS)
def test_every_kind_tells_its_size_and_decodes(suffix: str) -> None:
    data = encoded(suffix, textures(1, side=40)[0][:, :33])
    assert header_size(data) == (33, 40)
    assert decode_image(data, name="x").shape == (40, 33)
    assert decode_image(data, name="x", channels=3).shape == (40, 33, 3)


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_a_cut_off_image_is_refused(suffix: str, share: float) -> None:
    data = encoded(suffix, textures(1, side=40)[0])
    with pytest.raises(UserError, match=r"face\.x: .*(damaged or cut off|not an image)"):
        decode_image(data[: int(len(data) * share)], name="face.x")


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (70_000, 20)])
def test_a_decompression_bomb_or_a_ribbon_is_refused_by_its_header(width: int, height: int) -> None:
    def part(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(bytes(100))) + part(b"IEND", b"")
    with pytest.raises(UserError, match=f"{width} x {height} pixels, more than the {MAX_PIXELS // 1_000_000} million"):
        decode_image(bomb, name="bomb.png")


@pytest.mark.parametrize(
    "data", [b"", b"hello", bytes(100), b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM", b"II*\0"]
)
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(UserError, match=r"n\.png: "):
        decode_image(data, name="n.png")


def test_colours_are_rgb_and_names_may_have_any_letters(tmp_path: Path) -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes BGR
    path = write_image(tmp_path / "gesicht ä 顔.png", red)
    assert read_image(path, channels=3)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_become_eight(suffix: str) -> None:
    data = encoded(suffix, np.array([[0, 256 * 40], [256 * 200, 65535]], np.uint16).repeat(4, 0).repeat(4, 1))
    image = decode_image(data, name="x")
    assert image.dtype == np.uint8 and np.allclose(image[::4, ::4], [[0, 40], [200, 255]], atol=1)


def turned_jpeg(image: np.ndarray, orientation: int) -> bytes:
    """A JPEG with an EXIF orientation."""
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    data = encoded(".jpg", image)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


@pytest.mark.parametrize("by", [2, 4, 8])
def test_a_jpeg_read_small_has_its_pixels_where_they_were(tmp_path: Path, by: int) -> None:
    image = np.zeros((203, 301), np.uint8)
    image[64:128, 80:240] = 200
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(".jpg", image))
    small, shrunk = read_reduced(path, channels=1, by=by)
    assert shrunk == by and small.shape == (-(-203 // by), -(-301 // by))
    inside = small[64 // by : 128 // by, 80 // by : 240 // by]
    assert inside.min() > 150 and int((small > 100).sum()) == inside.size
    assert read_reduced(path, channels=3, by=by)[0].shape == (*small.shape, 3)


def test_what_is_no_plain_jpeg_is_read_whole(tmp_path: Path) -> None:
    for name, data in (
        ("a.png", encoded(".png", np.zeros((64, 80), np.uint8))),
        ("a.jpg", turned_jpeg(np.zeros((64, 80), np.uint8), 6)),
    ):
        (tmp_path / name).write_bytes(data)
        whole, by = read_reduced(tmp_path / name, channels=1, by=8)
        assert by == 1 and np.array_equal(whole, read_image(tmp_path / name))


def test_exif_orientation_is_honoured() -> None:
    image = np.zeros((40, 64), np.uint8)
    image[:, :20] = 250  # the left part is light
    upright = decode_image(turned_jpeg(image, 6), name="x")  # turn clockwise: left becomes top
    assert upright.shape == (64, 40) and upright[:16].mean() > 200 > 60 > upright[30:].mean()
    assert examine_image(turned_jpeg(image, 6), name="x")[0] == (40, 64)
    large = turned_jpeg(np.zeros((2000, 3000), np.uint8), 6)
    assert examine_image(large, name="x")[0] == (2000, 3000)


@pytest.mark.parametrize(("width", "height"), [(2004, 2001), (2001, 2004), (2015, 2001), (2017, 2001)])
def test_a_large_image_that_is_nearly_square_keeps_its_sides(width: int, height: int) -> None:
    image = np.zeros((height, width), np.uint8)
    for data in (turned_jpeg(image, 1), cv2.imencode(".png", image)[1].tobytes()):
        assert examine_image(data, name="x")[0] == (width, height)
    assert examine_image(turned_jpeg(image, 6), name="x")[0] == (height, width)


@pytest.mark.parametrize(("old", "new"), [((96, 96), (48, 48)), ((96, 96), (192, 192)), ((60, 96), (30, 24))])
def test_points_stay_on_what_they_mark(old: tuple[int, int], new: tuple[int, int]) -> None:
    """The centre of mass of a smooth blob is found where resize_points says."""
    y, x = np.mgrid[: old[1], : old[0]]
    centre = np.array([[old[0] * 0.4, old[1] * 0.55]])
    blob = (250 * np.exp(-((x - centre[0, 0]) ** 2 + (y - centre[0, 1]) ** 2) / 60)).astype(np.uint8)
    small = resize_image(blob, new).astype(float)
    assert small.shape == (new[1], new[0])
    y, x = np.mgrid[: new[1], : new[0]]
    found = [(small * x).sum() / small.sum(), (small * y).sum() / small.sum()]
    assert np.allclose(found, resize_points(centre, old, new)[0], atol=0.05)


def test_resized_points_by_hand() -> None:
    assert resize_points(np.array([0.0, 95.0]), (96, 96), (48, 48)).tolist() == [-0.25, 47.25]
    assert np.isnan(resize_points(np.array([np.nan, 1.0]), (96, 96), (48, 48))[0])


def test_many_images_become_one_array() -> None:
    images = [np.full((10, 20), 7, np.uint8), np.full((30, 5), 9, np.uint8)]
    out = resize_images(images, 16)
    assert out.shape == (2, 16, 16) and out[0].max() == 7 and out[1].min() == 9
    assert resize_images([np.zeros((10, 20, 3), np.uint8)], 16).shape == (1, 16, 16, 3)
