"""Brightness, contrast and equalisation for display, as one table of 256 values. No Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tone:
    """How an image is shown. brightness and contrast: -100..100, 0 changes nothing."""

    brightness: int = 0
    contrast: int = 0
    equalise: bool = False

    @property
    def neutral(self) -> bool:
        """Whether the image is shown unchanged."""
        return self == Tone()


def table(tone: Tone, pixels: np.ndarray) -> np.ndarray:
    """uint8 [256]: the shown value of each value of `pixels` (uint8, any shape; used for `equalise` only)."""
    values = np.arange(256, dtype=np.float64)
    if tone.equalise:
        values = _equalised(pixels)
    gain = (100 + tone.contrast) / (100.001 - tone.contrast) if tone.contrast > 0 else (100 + tone.contrast) / 100
    values = (values - 127.5) * gain + 127.5 + tone.brightness * 1.275
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def apply_tone(tone: Tone, pixels: np.ndarray) -> np.ndarray:
    """`pixels` (uint8, any shape) as shown; the same array if the tone is neutral."""
    return pixels if tone.neutral else table(tone, pixels)[pixels]


def _equalised(pixels: np.ndarray) -> np.ndarray:
    """float64 [256]: the fraction of pixels at or below each value, scaled to 0..255, 0 for the darkest one."""
    counts = np.bincount(pixels.reshape(-1), minlength=256)
    below = counts.cumsum()
    first = below[counts > 0][0] if counts.any() else 0
    return (below - first).clip(min=0) * (255.0 / max(int(below[-1]) - int(first), 1))
