"""Hair (or a cap): a shell over the skull with an edge towards the face."""

from __future__ import annotations

import cv2
import numpy as np

from training.synthetic.head import COLUMNS, FINE, HeadShape, angles, grid_of, outline, ring
from training.synthetic.parts import Surface
from training.synthetic.person import Person
from training.synthetic.texture import noise

_TURNS = (0.0, 30.0, 45.0, 58.0, 68.0, 76.0, 88.0, 100.0, 130.0, 180.0)  # degrees from the middle of the face
_RAGGED = {"cap": 0.0, "fringe": 2.6, "long": 2.0}  # mm that strands extend beyond the edge


def _edges(person: Person) -> list[float]:
    """How far down (y, mm) the hair reaches at each of _TURNS."""
    top, long = person.hairline, person.hair_length
    edges: dict[str, list[float]] = {
        "short": [top, top + 3, top + 12, -38, -12, 8, -22, 18, 48, 52],
        "receding": [top - 16, top - 20, top - 8, -48, -14, 6, -22, 18, 48, 52],
        "fringe": [-27, -26, -25, -18, 0, 12, 0, 22, 50, 54],
        "long": [top, top + 5, top + 22, -12, long, long, long, long, long, long],
        "cap": [-46, -44, -40, -34, -24, -18, -22, -10, 8, 10],
        "bald": [-200.0] * 10,
    }
    return edges[person.hair_kind]


def _edge(person: Person) -> np.ndarray:
    """float64 [COLUMNS]: how far down (y, mm) the hair reaches at each angle."""
    degrees = np.degrees(angles())
    shifted = np.abs(degrees + 10 * person.parting * np.exp(-((degrees / 40) ** 2)))
    return np.interp(shifted, _TURNS, _edges(person))


def scalp(person: Person, shape: HeadShape, skin: np.ndarray) -> None:
    """Darken the skin under the hair, in place, so that it does not shine through."""
    if person.hair_kind != "bald":
        depth = cv2.resize((np.minimum(_edge(person), 30)[None] - shape.y).astype(np.float32), skin.shape[::-1])
        skin += np.clip((depth - 1) / 5, 0, 1) * (person.hair * 0.8 - skin)


def hair(person: Person) -> Surface | None:
    """The shell; None for a bald head."""
    if person.hair_kind == "bald":
        return None
    rng = np.random.default_rng([person.texture_seed, 7])
    rows = _rows(person)
    size = (len(rows), COLUMNS)
    fine_size = (size[0] * FINE, size[1] * FINE)
    depth = _edge(person)[None] - rows[:, :1]  # mm above the edge
    full = person.hair_thickness * (1.7 if person.hair_kind == "long" else 1.0)
    thick = full * np.clip(depth / 28, 0.12, 1) * (1 + 0.14 * noise(rng, size, (8, 22)))
    x, z = ring(*rows[:, 1:].T)
    scale = 1 + thick / np.hypot(x, z).clip(25)
    y = rows[:, :1] - thick * np.clip((-30 - rows[:, :1]) / 70, 0, 1)
    strands = noise(rng, fine_size, (5, 300)) + 0.6 * noise(rng, fine_size, (12, 110))
    limit = cv2.resize(depth.astype(np.float32), fine_size[::-1]) + _RAGGED.get(person.hair_kind, 1.5) * strands
    cap = person.hair_kind == "cap"
    tone = np.clip(1 + (0.06 if cap else 0.28) * strands, 0.25, 2)
    tone *= np.where(limit < 9, 0.6, 1) if cap else np.clip(0.55 + limit / 22, 0.55, 1)
    albedo = (person.hair * tone).astype(np.float32)
    return Surface(
        grid_of(x * scale, y, z * scale),
        albedo,
        limit > 0,
        gloss=0.02 if cap else 0.10,
        inside=person.hair_kind == "long",
    )


def _rows(person: Person) -> np.ndarray:
    """Rows of the shell as in `outline`, but hanging straight down from the widest row."""
    rows = outline(person)
    upper = rows[rows[:, 0] < 5]
    bottom = max(_edges(person)) + 12
    count = max(int((bottom - upper[-1, 0]) / 1.8), 4)
    y = np.linspace(upper[-1, 0], bottom, count + 1)[1:]
    fall = np.clip((y - 20) / 120, 0, 1)
    widest, (_, width, front, back, _) = upper[:, 1].max(), upper[-1]
    half = width + (widest - width) * np.clip((y - y[0]) / 40, 0, 1) + 26 * fall
    nape = back if person.hair_kind == "long" else back + 30 * fall
    lower = [y, half, front - 10 - 12 * fall, np.broadcast_to(nape, y.shape), np.zeros(count)]
    return np.concatenate([upper, np.column_stack(lower)])
