"""Renders one image of one person."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from training.synthetic import parts, texture
from training.synthetic.hair import hair, scalp
from training.synthetic.head import Features, HeadShape, features, head_shape, skull
from training.synthetic.person import Person, Scene
from training.synthetic.render import OVER, SIZE, Camera, Film, Light, draw_points, draw_surface, rotation
from training.synthetic.scenery import background, lenses, occlude, photograph, torso

_MARGIN = 2.0  # every keypoint is at least this far inside the image, px
_HIDDEN = 7.0  # mm: a keypoint this far behind the drawn surface is hidden


@dataclass(frozen=True)
class Face:
    """image: uint8 [96, 96]. points: float64 [15, 2], exact. visible: bool [15]."""

    image: np.ndarray
    points: np.ndarray
    visible: np.ndarray


class Model:
    """A person ready to be drawn many times: everything constant between images is computed once."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self._skull = skull(person)
        neutral = head_shape(self._skull, person, features(person, Scene()))
        self._skin = texture.skin(person, neutral)
        scalp(person, neutral, self._skin)
        around = [*parts.ears(person, neutral), hair(person)]
        self._around = [surface for surface in around if surface is not None]
        self._neck = parts.neck(person)

    def draw(self, scene: Scene) -> Face:
        """The image of this scene. Deterministic."""
        person = self.person
        marks = features(person, scene)
        shape = head_shape(self._skull, person, marks)
        landmarks = shape.lift(marks.keypoints())
        camera = _aim(scene, landmarks)
        points, depths = camera.see(landmarks)
        value, depth = self._film(scene, marks, shape, camera).develop()
        image = background(scene)
        torso(image, person, camera)
        cover = np.isfinite(depth)
        image[cover] = value[cover]
        hidden = self._lenses(image, scene, marks, shape, camera)
        hidden = np.maximum(hidden, occlude(image, person, scene, points))
        at = np.rint(points * OVER + (OVER - 1) / 2).astype(int)
        visible = (depths < depth[at[:, 1], at[:, 0]] + _HIDDEN) & (hidden[at[:, 1], at[:, 0]] < 0.5)
        return Face(photograph(image, scene, skin=person.skin), points, visible)

    def _film(self, scene: Scene, marks: Features, shape: HeadShape, camera: Camera) -> Film:
        person = self.person
        light = Light(np.array(scene.light) / np.linalg.norm(scene.light), scene.ambient)
        film = Film()
        draw_surface(film, parts.Surface(shape.grid, self._painted(scene, marks, shape)), camera, light)
        draw_surface(film, self._neck, camera, light, turned=False)
        for surface in self._around:
            draw_surface(film, surface, camera, light)
        frame = parts.glasses_frame(person, marks, shape)
        if frame is not None:
            draw_points(film, frame, camera)
        return film

    def _painted(self, scene: Scene, marks: Features, shape: HeadShape) -> np.ndarray:
        """The skin with brows, eyes and mouth of this scene."""
        person = self.person
        whole = texture.canvas(shape, self._skin.copy())
        top = marks.brow_inner[1] - person.brow_arch - 12
        for left in (True, False):
            low, high = (6.0, 62.0) if left else (-62.0, -6.0)
            texture.brows(whole.part(low, top, high, -6), person, marks)
            texture.eye(whole.part(low, -22, high, 16), person, marks, left=left)
        texture.mouth(whole, person, marks, smile=scene.smile)
        return whole.albedo

    def _lenses(self, image: np.ndarray, scene: Scene, marks: Features, shape: HeadShape, camera: Camera) -> np.ndarray:
        if self.person.glasses == "none":
            return np.zeros(image.shape, np.float32)
        rim = parts.lens_outline(self.person, marks, shape)
        rims = [camera.see(rim * [side, 1, 1])[0] for side in (1, -1)]
        return lenses(image, rims, dark=self.person.glasses == "sun", seed=scene.seed)


def _aim(scene: Scene, landmarks: np.ndarray) -> Camera:
    """The camera that places the face as the scene asks, with every keypoint inside the image."""
    camera = Camera(rotation(scene), scene.distance, scene.eye_distance / 63.0)
    points = camera.see(landmarks)[0]
    room = SIZE - 1 - 2 * _MARGIN
    shrink = min(1.0, room / float(np.ptp(points, axis=0).max()))
    camera = replace(camera, scale=camera.scale * shrink)
    middle = np.array([[0.0, 20.0, 45.0]])
    wanted = np.array([(SIZE - 1) / 2, (SIZE - 1) / 2]) + scene.shift
    camera = _shifted(camera, wanted - camera.see(middle)[0][0])
    points = camera.see(landmarks)[0]
    low, high = points.min(axis=0), points.max(axis=0)
    nudge = np.maximum(_MARGIN - low, 0) - np.maximum(high - (SIZE - 1 - _MARGIN), 0)
    return _shifted(camera, nudge)


def _shifted(camera: Camera, by: np.ndarray) -> Camera:
    return replace(camera, centre=(camera.centre[0] + float(by[0]), camera.centre[1] + float(by[1])))
