"""Pixel values written as text ("238 236 237 ..."), parsed with whole-array operations.

Kaggle's training.csv holds 65 million of them, so nothing here is done number by number.
"""

from __future__ import annotations

import numpy as np


class PixelTextError(ValueError):
    """The text is not a list of values 0..255; says which value is wrong."""


def parse_pixels(text: bytes) -> np.ndarray:
    """Values 0..255 between blanks -> uint8 [n]. Raises PixelTextError naming the first value that is none."""
    raw = np.frombuffer(b"   " + text + b" ", np.uint8)  # so that every byte has three before it and one behind
    digits = raw - np.uint8(48)
    is_digit = digits < 10
    good = np.count_nonzero(is_digit) + np.count_nonzero(raw == 32)
    if good != len(raw) and good + sum(text.count(blank) for blank in (b"\t", b"\r", b"\n")) != len(raw):
        raise _fault(text)
    digits *= is_digit.view(np.uint8)
    two = is_digit[1:] & is_digit[:-1]  # a byte and the one before it
    three = two[1:] & two[:-1]
    hundreds = digits[:-2] * three.view(np.uint8)
    too_large = hundreds.max(initial=0) > 2
    hundreds *= np.uint8(100)
    values = digits[1:-1] * np.uint8(10)
    values += digits[2:]
    values += hundreds  # the number that ends at each byte; 256..299 wrap to 0..43
    if too_large or (values < hundreds).any() or (three[1:] & two[:-2]).any():
        raise _fault(text)
    ends = is_digit[2:-1] > is_digit[3:]
    return values[:-1].take(ends.nonzero()[0])


def _fault(text: bytes) -> PixelTextError:
    for number, token in enumerate(text.split(), start=1):
        if not token.isdigit():
            return PixelTextError(f"pixel {number} is {_shown(token)}, which is not a whole number from 0 to 255")
        if len(token) > 3 or int(token) > 255:
            return PixelTextError(f"pixel {number} is {_shown(token)}, but a pixel must be between 0 and 255")
    return PixelTextError("the pixels hold characters that are neither digits nor blanks")


def _shown(token: bytes) -> str:
    return repr(token[:20].decode("ascii", "backslashreplace")) + ("..." if len(token) > 20 else "")


def pixel_text(image: np.ndarray) -> bytes:
    """The text of a uint8 image, row by row with single blanks, as Kaggle writes it."""
    return b" ".join(_NUMBERS[image.ravel()])


_NUMBERS = np.array([str(value).encode() for value in range(256)], dtype=object)
