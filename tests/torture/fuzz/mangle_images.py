"""Images that promise far more pixels than they hold."""

from __future__ import annotations

import random
import struct
import zlib

from tests.torture.fuzz.mangle import mangle_head

_LONG = (1, 65535, 65536, 20_000, 30_000, 2**31 - 1, 2**32 - 1, 0)
_OTHER = (1, 65535, 20_000, 4_000, 2**31 - 1, 0)


def bomb(data: bytes, draw: random.Random) -> bytes:
    """The image with another size in its header."""
    width, height = draw.choice(_LONG), draw.choice(_OTHER)
    if data.startswith(b"\x89PNG"):
        return _png(width, height, draw)
    if data.startswith(b"GIF"):
        return data[:6] + struct.pack("<HH", width & 0xFFFF, height & 0xFFFF) + data[10:]
    if data.startswith(b"BM"):
        return data[:18] + struct.pack("<II", width, height) + data[26:]
    if data.startswith(b"\xff\xd8"):
        at = data.find(b"\xff\xc0") + 5
        return data[:at] + struct.pack(">HH", width & 0xFFFF, height & 0xFFFF) + data[at + 4 :]
    return mangle_head(data, draw)


def _png(width: int, height: int, draw: random.Random) -> bytes:
    """A few bytes that unpack to up to 3 MB of whatever the header promises."""
    kind = (draw.choice((8, 16, 1)), draw.choice((0, 2, 6, 3)), 0, 0, draw.choice((0, 1)))
    header = struct.pack(">IIBBBBB", width, height, *kind)
    pixels = zlib.compress(bytes(draw.choice((10, 1000, 3_000_000))), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
