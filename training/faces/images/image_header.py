"""Reads an image's size from the first bytes of its file, before any memory is allocated for its pixels."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

Size = tuple[int, int]
_ORIENTATION = 274

_JPEG_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PNM = re.compile(rb"P[2356](?:\s|#[^\r\n]*[\r\n])+(\d{1,9})(?:\s|#[^\r\n]*[\r\n])+(\d{1,9})\s")
_PNG, _TIFF = b"\x89PNG\r\n\x1a\n", (b"II*\0", b"MM\0*")
_MOST_CHUNKS = 1_000_000
_TILE = 4096  # px
_STRIP = 1 << 27  # px; some writers name more rows than there are


def header_size(data: bytes) -> Size | None:
    """(width, height) as stored, without EXIF orientation; None where the bytes are not an image of a known format.

    Known: PNG, JPEG, BMP, WebP, PGM/PPM, TIFF, GIF.
    """
    try:
        return _size_by_kind(data)
    except (struct.error, IndexError):
        return None


def _size_by_kind(data: bytes) -> Size | None:
    if data.startswith(_PNG):
        return _two(">II", data, 16)
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data)
    if data.startswith(b"BM"):
        width, height = _two("<ii", data, 18)
        return abs(width), abs(height)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_size(data)
    if data.startswith(_TIFF):
        return _tiff_size(data)
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return _two("<HH", data, 6)
    match = _PNM.match(data[:1024])
    return (int(match[1]), int(match[2])) if match else None


def _two(layout: str, data: bytes, offset: int) -> Size:
    first, second = struct.unpack_from(layout, data, offset)
    return first, second


def _jpeg_size(data: bytes) -> Size | None:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker in _JPEG_SIZE_MARKERS:
            height, width = _two(">HH", data, at + 5)
            return width, height
        alone = marker in (0x01, 0xFF) or 0xD0 <= marker <= 0xD8
        at += (1 if marker == 0xFF else 2) if alone else 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def _webp_size(data: bytes) -> Size | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = _two("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None


def _tiff_size(data: bytes) -> Size | None:
    tags = tiff_tags(data)
    return (tags[256], tags[257]) if tags.get(256) and tags.get(257) else None


def is_consistent(data: bytes) -> bool:
    """Whether the parts of a PNG or TIFF, for which memory is taken unseen, are no larger than its file or size says."""
    try:
        if data.startswith(_PNG):
            return _chunks_fit(data)
        return not data.startswith(_TIFF) or _tiles_fit(tiff_tags(data))
    except struct.error:
        return False


def _chunks_fit(data: bytes) -> bool:
    """The header comes first and once, and all chunks up to the last lie within the file."""
    at = len(_PNG)
    for number in range(_MOST_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length  # with its kind and checksum
        if at > len(data) or (kind == b"IHDR") != (number == 0):
            return False
        if kind == b"IEND":
            return True
    return False


def _tiles_fit(tags: Mapping[int, int]) -> bool:
    """Tiles are at most some pixels larger than the image; strips have no more rows, or all of them."""
    width, height, rows = tags.get(256, 0), tags.get(257, 0), tags.get(278, 0)
    tile = tags.get(322, 0), tags.get(323, 0)
    return (
        tile[0] <= width + _TILE
        and tile[1] <= height + _TILE
        and (rows <= height + _TILE or rows >= (1 << 31) - 1 or width * rows <= _STRIP)
    )


def is_turned(data: bytes) -> bool:
    """Whether a JPEG's EXIF block asks for rotation or mirroring, or cannot be read."""
    at = data[:65536].find(b"Exif\0\0")
    if at < 0:
        return False
    try:
        return tiff_tags(data[at + 6 : at + 65536]).get(_ORIENTATION, 1) != 1
    except (struct.error, IndexError):
        return True


def tiff_tags(data: bytes) -> dict[int, int]:
    """The integer tags of the first directory of a TIFF file (or of an EXIF block, which is one)."""
    order = "<" if data[:2] == b"II" else ">"
    directory = struct.unpack_from(order + "I", data, 4)[0]
    count = struct.unpack_from(order + "H", data, directory)[0]
    found: dict[int, int] = {}  # of a tag that appears twice the first counts, as for libtiff
    for entry in range(min(count, 512)):
        at = directory + 2 + 12 * entry
        tag, kind = struct.unpack_from(order + "HH", data, at)
        if tag in found:
            continue
        found[tag] = 0  # of another kind
        if kind in (3, 4):
            found[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, at + 8)[0]
    return found
