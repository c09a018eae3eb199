"""Background, torso and occluders of an image, and the camera's effects on it."""

from __future__ import annotations

import cv2
import numpy as np

from training.synthetic.person import Person, Scene
from training.synthetic.render import OVER, SIDE, SIZE, Camera
from training.synthetic.texture import noise


def background(scene: Scene) -> np.ndarray:
    """float32 [SIDE, SIDE], linear 0..1: a wall, a blurred room, or a pattern."""
    rng = np.random.default_rng([scene.seed, 3])
    level = np.exp(rng.uniform(np.log(0.01), np.log(0.8)))
    ramp = np.linspace(-1, 1, SIDE, dtype=np.float32)
    field = level * (1 + rng.normal(0, 0.25) * ramp[None] + rng.normal(0, 0.25) * ramp[:, None])
    field = field + level * rng.uniform(0.03, 0.4) * noise(rng, (SIDE, SIDE), (4, 4))
    for _ in range(int(rng.integers(0, 9))):
        _shape(field, rng)
    if rng.random() < 0.2:
        field *= 1 + 0.35 * np.sign(noise(rng, (SIDE, SIDE), (int(rng.integers(8, 30)), int(rng.integers(3, 30)))))
    focus = float(rng.uniform(0.5, 9))
    return np.clip(cv2.GaussianBlur(field.astype(np.float32), (0, 0), focus), 0.003, 1)


def _shape(field: np.ndarray, rng: np.random.Generator) -> None:
    value = float(np.exp(rng.uniform(np.log(0.01), np.log(0.9))))
    x, y, w, h = (int(v) for v in rng.integers(0, SIDE, 4))
    if rng.random() < 0.6:
        cv2.rectangle(field, (x, y), (x + w // 3 + 4, y + h), value, -1)
    else:
        cv2.ellipse(field, (x, y), (w // 4 + 3, h // 4 + 3), float(rng.uniform(0, 180)), 0, 360, value, -1)


def torso(image: np.ndarray, person: Person, camera: Camera) -> None:
    """Draw shoulders, collar and garment onto the background."""
    wide = 195 * person.width
    half = np.array([[50, 118], [56, 140], [95, 158], [wide - 25, 185], [wide, 230], [wide + 10, 420]], float)
    outline = np.concatenate([half, half[::-1] * [-1, 1]])
    mask = _fill(_body(camera, outline, -30))
    shade = person.garment * np.linspace(1.1, 0.7, SIDE, dtype=np.float32)[:, None] * np.ones((1, SIDE), np.float32)
    across = np.linspace(-1, 1, SIDE, dtype=np.float32)
    shade = shade * (1 - 0.25 * across**2)[None]
    image += mask * (shade - image)
    if person.collar > 0.45:
        tone = 0.75 if person.collar > 0.7 else person.garment * 0.4
        collar = np.array(
            [[-58, 135], [-40, 150], [0, 168], [40, 150], [58, 135], [62, 158], [8, 230], [-8, 230], [-62, 158]], float
        )
        image += _fill(_body(camera, collar, 10)) * (tone * 0.8 - image)
    if person.collar > 0.85:
        tie = np.array([[-7, 172], [7, 172], [13, 260], [-13, 260]], float)
        image += _fill(_body(camera, tie, 20)) * (person.garment * 0.6 + 0.05 - image)


def _body(camera: Camera, points: np.ndarray, z: float) -> np.ndarray:
    return np.stack(camera.project(np.column_stack([points, np.full(len(points), z)]))[:2], axis=-1)


def _fill(points: np.ndarray) -> np.ndarray:
    """Cover float32 [SIDE, SIDE] of a polygon given in pixels of the image."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    at = np.rint((points * OVER + (OVER - 1) / 2) * 16).astype(np.int32)
    cv2.fillPoly(mask, [at], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def lenses(image: np.ndarray, rims: list[np.ndarray], *, dark: bool, seed: int) -> np.ndarray:
    """Tint the lenses and lay a reflection on them; returns the cover [SIDE, SIDE] of dark lenses (else zeros)."""
    rng = np.random.default_rng([seed, 5])
    cover = np.maximum(*(_fill(rim) for rim in rims))
    image *= 1 - cover * (0.9 if dark else 0.06)
    if dark or rng.random() < 0.4:
        ramp = np.linspace(0, 1, SIDE, dtype=np.float32)
        band = np.exp(-(((ramp[:, None] + ramp[None] * rng.uniform(-1, 1) - rng.uniform(0.2, 0.7)) / 0.08) ** 2))
        image += cover * band * (0.10 if dark else 0.16)
    return cover if dark else np.zeros_like(cover)


def occlude(image: np.ndarray, person: Person, scene: Scene, points: np.ndarray) -> np.ndarray:
    """Draw what is in front of the face; returns its cover [SIDE, SIDE]. points [15, 2]: the keypoints' pixels."""
    rng = np.random.default_rng([scene.seed, 4])
    if scene.occluder == "none":
        return np.zeros((SIDE, SIDE), np.float32)
    polygons, tone = {"bar": _bar, "hand": _hand, "strands": _strands, "microphone": _microphone}[scene.occluder](
        rng, person, points
    )
    cover = np.zeros((SIDE, SIDE), np.float32)
    for k, polygon in enumerate(polygons):
        mask = _fill(polygon)
        ramp = cv2.GaussianBlur(mask, (0, 0), 4)
        image += mask * (tone * (0.35 + 0.75 * ramp) * (1 - 0.03 * k) - image)
        cover = np.maximum(cover, mask)
    return cover


def _capsule(a: np.ndarray, b: np.ndarray, width: float, end: float | None = None) -> np.ndarray:
    """A rounded stick from a to b, `width` px wide at a and `end` at b."""
    turn = np.linspace(0, np.pi, 9)
    axis = (b - a) / max(float(np.hypot(*(b - a))), 1e-6)
    across = np.array([-axis[1], axis[0]])
    ends = ((b, end or width, 1), (a, width, -1))
    sideways, forward = np.cos(turn)[:, None] * across, np.sin(turn)[:, None] * axis
    return np.concatenate([at + wide / 2 * way * (sideways + forward) for at, wide, way in ends])


def _bar(rng: np.random.Generator, _person: Person, points: np.ndarray) -> tuple[list[np.ndarray], float]:
    middle = points.mean(axis=0) + rng.normal(0, 14, 2)
    direction = np.array([1.0, rng.uniform(-1.5, 1.5)])
    return [_capsule(middle - 90 * direction, middle + 90 * direction, rng.uniform(4, 9))], float(
        rng.uniform(0.02, 0.7)
    )


def _hand(rng: np.random.Generator, person: Person, points: np.ndarray) -> tuple[list[np.ndarray], float]:
    side = rng.choice([-1.0, 1.0])
    tip = points[14] + np.array([side * rng.uniform(6, 22), rng.uniform(-14, 4)])
    arm = 60 * np.array([side * rng.uniform(0.1, 0.5), 1.0])
    ends = [tip + np.array([side * 7.0 * k, 2.0 * abs(k - 1)]) for k in range(3, -1, -1)]
    return [_capsule(end + arm, end, 9.0, 6.5) for end in ends], person.skin * 0.95


def _strands(rng: np.random.Generator, person: Person, points: np.ndarray) -> tuple[list[np.ndarray], float]:
    side = rng.choice([-1.0, 1.0])
    top = points[[6, 8]].mean(axis=0) + np.array([side * rng.uniform(2, 14), -32])
    strands = []
    for _ in range(int(rng.integers(4, 11))):
        y = np.linspace(0, rng.uniform(38, 85), 14)
        line = top + np.column_stack([side * (rng.uniform(2, 22) * (y / 60) ** 1.5) + rng.normal(0, 3), y])
        width = np.array([[1.0, 0.0]]) * rng.uniform(0.5, 1.5) * np.linspace(1, 0.2, 14)[:, None]
        strands.append(np.concatenate([line - width, (line + width)[::-1]]))
    return strands, person.hair


def _microphone(rng: np.random.Generator, _person: Person, points: np.ndarray) -> tuple[list[np.ndarray], float]:
    head = points[14] + np.array([rng.normal(0, 9), rng.uniform(3, 14)])
    foot = head + np.array([rng.normal(0, 25), 70])
    up = np.array([0.0, 4.5])
    return [_capsule(foot, head, 6.0), _capsule(head + up, head - up, 15.0)], float(rng.uniform(0.01, 0.06))


def photograph(rendered: np.ndarray, scene: Scene, *, skin: float) -> np.ndarray:
    """uint8 [SIZE, SIZE] from linear light [SIDE, SIDE]: exposure, lens, sensor, file."""
    rng = np.random.default_rng([scene.seed, 6])
    metered = (0.42 / (skin + 0.06)) ** 0.6  # a camera brightens a dark face, but not fully
    light = cv2.resize(rendered, (SIZE, SIZE), interpolation=cv2.INTER_AREA) * (scene.exposure * metered)
    if scene.detail < 1:
        small = round(SIZE * scene.detail)
        light = cv2.resize(
            cv2.resize(light, (small, small), interpolation=cv2.INTER_AREA),
            (SIZE, SIZE),
            interpolation=cv2.INTER_LINEAR,
        )
    light = cv2.GaussianBlur(light, (0, 0), max(scene.blur, 0.05))
    light = light / (1 + 0.25 * light)  # highlights roll off
    tone = np.clip(light, 0, 1) ** (1 / 2.1)
    tone = (tone - 0.45) * scene.contrast + 0.45 + scene.noise * rng.standard_normal(tone.shape, np.float32)
    image = np.clip(np.rint(tone * 255), 0, 255).astype(np.uint8)
    if scene.jpeg < 92:
        image = cv2.imdecode(
            cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, scene.jpeg])[1], cv2.IMREAD_GRAYSCALE
        )
    return image
