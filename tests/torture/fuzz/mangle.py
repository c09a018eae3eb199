"""Spoils the bytes or the lines of a file, reproducibly. Each function takes the file and the draw, and returns a file."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

Mangle = Callable[[bytes, random.Random], bytes]

WORDS = (
    b"nan", b"NaN", b"inf", b"-inf", b"1e999", b"-1", b"0", b"99999999999999999999", b"1_0", b"0x10", b"1e5", b"1,5",
    b"\x00", b'"', b"'", b",", b";", b"\t", b"\r", b"\n", b"\r\n", b" ", b"{", b"}", b"[", b"null", b"true", b"%s%n",
    b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3\x28", "\u202e".encode(), "\U0001f600".encode(), b"a" * 5000, b"=1+1",
    b"../../../../etc/passwd", b"/etc/passwd", b"/dev/zero", b"/dev/stdin", b"CON", b"..", b".", b"~", b"$HOME", b"`id`",
)  # fmt: skip
_NUMBERS = (b"\xff" * 8, b"\0" * 8, struct.pack("<Q", 2**31))


def mangle_bytes(data: bytes, draw: random.Random) -> bytes:
    """Some changes anywhere: flipped bits, cuts, words put in, parts removed, repeated or overwritten."""
    out = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4, 16))):
        if out:
            draw.choice(_CHANGES)(out, draw.randrange(len(out)), draw)
    return bytes(out)


def _flip(out: bytearray, at: int, draw: random.Random) -> None:
    out[at] ^= 1 << draw.randrange(8)


def _byte(out: bytearray, at: int, draw: random.Random) -> None:
    out[at] = draw.choice((0, 255, 127, 128, draw.randrange(256)))


def _cut(out: bytearray, at: int, _draw: random.Random) -> None:
    del out[at:]


def _insert(out: bytearray, at: int, draw: random.Random) -> None:
    out[at:at] = draw.choice(WORDS)


def _overwrite(out: bytearray, at: int, draw: random.Random) -> None:
    word = draw.choice(WORDS)
    out[at : at + len(word)] = word


def _remove(out: bytearray, at: int, draw: random.Random) -> None:
    del out[at : at + draw.choice((1, 2, 8, 100, 1000))]


def _repeat(out: bytearray, at: int, draw: random.Random) -> None:
    out[at:at] = out[at : at + draw.choice((1, 8, 100, 1000))]


def _number(out: bytearray, at: int, draw: random.Random) -> None:
    width = draw.choice((2, 4, 8))
    out[at : at + width] = draw.choice((*_NUMBERS, draw.randbytes(8)))[:width]


def _block(out: bytearray, at: int, draw: random.Random) -> None:
    length = len(out[at : at + draw.choice((16, 512, 4096))])
    out[at : at + length] = draw.choice((bytes(length), draw.randbytes(length)))


_CHANGES = (_flip, _byte, _cut, _insert, _overwrite, _remove, _repeat, _number, _block)


def mangle_head(data: bytes, draw: random.Random) -> bytes:
    """As mangle_bytes, in the first bytes only: magic numbers, sizes, directories."""
    cut = min(len(data), draw.choice((16, 40, 100, 400)))
    return mangle_bytes(data[:cut], draw) + data[cut:]


def mangle_text(data: bytes, draw: random.Random) -> bytes:
    """A cell, a line or all line ends of a table."""
    lines = data.split(b"\n")
    at = draw.randrange(len(lines))
    how = draw.randrange(8)
    if how == 0:
        del lines[at]
    elif how == 1:
        lines.insert(at, draw.choice(lines))
    elif how == 2:
        lines[at] = lines[at][: draw.randrange(len(lines[at]) + 1)]
    elif how == 3:
        end = draw.choice((b"\r", b",", b" ", b"\t", b";"))
        lines = [line + end for line in lines]
    elif how == 4:
        return mangle_bytes(data, draw)
    else:
        lines[at] = _other_cell(lines[at], draw)
    return b"\n".join(lines)


def _other_cell(line: bytes, draw: random.Random) -> bytes:
    split = b"," if b"," in line else b" "
    cells = line.split(split)
    which = draw.randrange(len(cells))
    cells[which] = draw.choice((b"", *WORDS))
    if draw.random() < 0.2:
        del cells[which]
    return split.join(cells)
