"""Zoom and position of the image in its window, independent of image size so that they persist across faces. No Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace

MARGIN = 20.0  # screen pixels around a fitted image, so that points at its edge are drawn whole
LARGEST = 96.0  # screen pixels per image pixel
STEP = 1.25


@dataclass(frozen=True)
class Camera:
    """zoom: 1 fits the image into the window. centre: the image position in the middle of the window, 0..1."""

    zoom: float = 1.0
    centre: tuple[float, float] = (0.5, 0.5)

    def scale(self, window: tuple[int, int], image: tuple[int, int]) -> float:
        """Screen pixels per image pixel."""
        fit = min((w - 2 * MARGIN) / max(p, 1) for w, p in zip(window, image, strict=True))
        return max(fit, 0.01) * self.zoom

    def middle(self, image: tuple[int, int]) -> tuple[float, float]:
        """The image pixel in the middle of the window."""
        return self.centre[0] * image[0] - 0.5, self.centre[1] * image[1] - 0.5

    def zoomed(
        self, factor: float, *, at: tuple[float, float], window: tuple[int, int], image: tuple[int, int]
    ) -> Camera:
        """Zoom around `at`, a position in the window."""
        before = self.scale(window, image)
        fit = before / self.zoom
        zoom = min(max(self.zoom * factor, 0.5), max(LARGEST / fit, 1.0))
        after = fit * zoom
        shift = [(a - w / 2) * (1 / before - 1 / after) for a, w in zip(at, window, strict=True)]
        return replace(self, zoom=zoom).moved(-shift[0] * after, -shift[1] * after, window=window, image=image)

    def moved(self, dx: float, dy: float, *, window: tuple[int, int], image: tuple[int, int]) -> Camera:
        """Move the image by screen pixels; the window's middle stays on the image."""
        scale = self.scale(window, image)
        x, y = (min(max(c - d / (scale * p), 0.0), 1.0) for c, d, p in zip(self.centre, (dx, dy), image, strict=True))
        return replace(self, centre=(x, y))
