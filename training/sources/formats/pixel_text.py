"""Pixel values written as text ("238 236 237 ..."), parsed with whole-array operations.

Kaggle's training.csv holds 65 million of them, so nothing here is done number by number.
"""

from __future__ import annotations

import numpy as np


class PixelTextError(ValueError):
    """The text is no list of values 0..255; says which value is wrong."""


def parse_pixels(text: bytes) -> np.ndarray:
    """Values 0..255 between blanks -> uint8 [n]. Raises PixelTextError naming the first value that is none."""
    raw = np.frombuffer(text, np.uint8)
    digits = raw - np.uint8(48)
    is_digit = digits < 10
    good = np.count_nonzero(is_digit) + np.count_nonzero(raw == 32)
    if good != len(text) and good + sum(text.count(blank) for blank in (b"\t", b"\r", b"\n")) != len(text):
        raise _fault(text)
    if len(text) == 0:
        return np.zeros(0, np.uint8)
    return _values(text, digits, is_digit)


def _values(text: bytes, digits: np.ndarray, is_digit: np.ndarray) -> np.ndarray:
    """Each byte's value as the end of a number (wrapping at 256), of which those at a number's end are kept."""
    bits = is_digit.view(np.uint8)
    ones = digits * bits  # [n] 0 at blanks, so that a number's bytes are never mixed with its neighbour's
    tens = ones[:-1] * bits[1:]
    third = bits[2:] & bits[1:-1] & bits[:-2]  # the byte ends three digits
    hundreds = ones[:-2] * third
    values = ones.copy()
    values[1:] += tens * np.uint8(10)
    values[2:] += hundreds * np.uint8(100)
    too_large = (hundreds > 2) | ((hundreds == 2) & (values[2:] < 200))  # 256..299 wrapped to 0..43
    if too_large.any() or (third[1:] & bits[:-3]).any():
        raise _fault(text)
    is_end = is_digit.copy()
    is_end[:-1] &= ~is_digit[1:]
    return values.take(np.flatnonzero(is_end))


def _fault(text: bytes) -> PixelTextError:
    for number, token in enumerate(text.split(), start=1):
        if not token.isdigit():
            return PixelTextError(f"pixel {number} is {_shown(token)}, which is not a whole number from 0 to 255")
        if len(token) > 3 or int(token) > 255:
            return PixelTextError(f"pixel {number} is {_shown(token)}, but a pixel lies between 0 and 255")
    return PixelTextError("the pixels hold characters that are neither digits nor blanks")


def _shown(token: bytes) -> str:
    return repr(token[:20].decode("ascii", "backslashreplace")) + ("..." if len(token) > 20 else "")


def pixel_text(picture: np.ndarray) -> bytes:
    """The text of a uint8 picture, row by row with single blanks, as Kaggle writes it."""
    return b" ".join(_NUMBERS[picture.ravel()])


_NUMBERS = np.array([str(value).encode() for value in range(256)], dtype=object)
