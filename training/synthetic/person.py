"""The traits of a person and the scene of one image, drawn at random from given seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

HairKind = Literal["bald", "short", "fringe", "long", "receding", "cap"]
Occluder = Literal["none", "bar", "hand", "strands", "microphone"]


@dataclass(frozen=True)
class Person:
    """What is constant in all images of one person. Lengths are millimetres, reflectances linear 0..1."""

    texture_seed: int = 0
    width: float = 1.0
    height: float = 1.0
    jaw: float = 1.0
    chin: float = 1.0
    cheeks: float = 1.0
    skin: float = 0.35
    age: float = 0.3
    eye_spacing: float = 31.5
    eye_width: float = 29.0
    eye_height: float = 10.5
    eye_slant: float = 1.5
    iris: float = 0.05
    brow_gap: float = 21.0
    brow_thickness: float = 5.5
    brow_arch: float = 5.0
    brow: float = 0.04
    nose_length: float = 43.0
    nose_width: float = 1.0
    nose_height: float = 1.0
    mouth_drop: float = 68.0
    mouth_width: float = 24.0
    lip_fullness: float = 1.0
    lip_tone: float = 0.7
    hair_kind: HairKind = "short"
    hair: float = 0.03
    hairline: float = -66.0
    hair_thickness: float = 9.0
    hair_length: float = 120.0
    parting: float = 0.0
    beard: float = 0.0
    moustache: float = 0.0
    ears: float = 1.0
    glasses: Literal["none", "thin", "thick", "sun"] = "none"
    garment: float = 0.1
    collar: float = 0.5


@dataclass(frozen=True)
class Scene:
    """One image of a person: pose, expression, light, camera. Angles in degrees, lengths in pixels of the image.

    yaw > 0 turns the face to larger x (towards the subject's left); pitch > 0 looks down; roll > 0 turns clockwise.
    """

    seed: int = 0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    distance: float = 900.0
    eye_distance: float = 32.0
    shift: tuple[float, float] = (0.0, 0.0)
    smile: float = 0.0
    smirk: float = 0.0
    mouth_open: float = 0.0
    lids: float = 1.0
    gaze: tuple[float, float] = (0.0, 0.0)
    brow_raise: float = 0.0
    light: tuple[float, float, float] = (0.0, -0.35, 1.0)
    ambient: float = 0.45
    exposure: float = 1.0
    contrast: float = 1.0
    blur: float = 0.4
    noise: float = 0.01
    detail: float = 1.0
    jpeg: int = 90
    occluder: Occluder = "none"

    def mirrored(self) -> Scene:
        """The scene whose image is this one's mirror image, except for background and noise."""
        return replace(
            self,
            yaw=-self.yaw,
            roll=-self.roll,
            shift=(-self.shift[0], self.shift[1]),
            smirk=-self.smirk,
            gaze=(-self.gaze[0], self.gaze[1]),
            light=(-self.light[0], self.light[1], self.light[2]),
        )


def random_person(seed: int, number: int) -> Person:
    """Person `number` of this seed; deterministic."""
    rng = np.random.default_rng([seed, 1, number])
    skin = float(np.exp(rng.uniform(np.log(0.09), np.log(0.55))))
    grey = rng.random() < 0.22
    hair = (
        float(min(rng.uniform(0.2, 0.45), skin + 0.12))
        if grey
        else float(np.exp(rng.uniform(np.log(0.012), np.log(min(0.22, skin)))))
    )
    bearded = rng.random() < 0.25
    kind: HairKind = rng.choice(
        ["bald", "short", "fringe", "long", "receding", "cap"], p=[0.06, 0.34, 0.14, 0.28, 0.12, 0.06]
    )

    return Person(
        texture_seed=int(rng.integers(2**31)),
        width=_around(rng, 1.0, 0.05),
        height=_around(rng, 1.0, 0.035),
        jaw=_around(rng, 1.0, 0.08),
        chin=_around(rng, 1.0, 0.3),
        cheeks=_around(rng, 1.0, 0.4),
        skin=skin,
        age=float(rng.uniform(0.0, 1.0)),
        **_eyes_and_brows(rng, skin=skin, hair=hair),
        **_nose_and_mouth(rng),
        hair_kind=kind,
        hair=hair,
        hairline=_around(rng, -65.0, 6.0),
        hair_thickness=float(rng.uniform(4.0, 17.0)),
        hair_length=float(rng.uniform(60.0, 190.0)),
        parting=float(rng.uniform(-1.0, 1.0)),
        beard=float(rng.uniform(0.25, 1.0)) if bearded and kind != "long" else 0.0,
        moustache=float(rng.uniform(0.3, 1.0)) if bearded and rng.random() < 0.8 and kind != "long" else 0.0,
        ears=_around(rng, 1.0, 0.1),
        glasses=rng.choice(["none", "thin", "thick", "sun"], p=[0.78, 0.11, 0.07, 0.04]),
        garment=float(np.exp(rng.uniform(np.log(0.015), np.log(0.8)))),
        collar=float(rng.uniform(0.0, 1.0)),
    )


def _eyes_and_brows(rng: np.random.Generator, *, skin: float, hair: float) -> dict[str, float]:
    """Fields of Person: millimetres, and reflectances of iris and brow."""
    return {
        "eye_spacing": _around(rng, 31.5, 1.3),
        "eye_width": _around(rng, 28.5, 1.5),
        "eye_height": _around(rng, 10.5, 1.3),
        "eye_slant": _around(rng, 1.2, 1.0),
        "iris": float(np.exp(rng.uniform(np.log(0.02), np.log(0.18)))),
        "brow_gap": _around(rng, 20.5, 1.8),
        "brow_thickness": max(2.6, _around(rng, 5.2, 1.4)),
        "brow_arch": _around(rng, 4.5, 1.8),
        "brow": float(np.clip(hair * rng.uniform(0.6, 1.2), 0.012, skin * 0.6)),
    }


def _nose_and_mouth(rng: np.random.Generator) -> dict[str, float]:
    """Fields of Person: millimetres; nose and lips in multiples of the mean, the lips' tone 0..1."""
    return {
        "nose_length": _around(rng, 43.0, 2.5),
        "nose_width": _around(rng, 1.0, 0.12),
        "nose_height": _around(rng, 1.0, 0.14),
        "mouth_drop": _around(rng, 68.5, 2.3),
        "mouth_width": _around(rng, 24.0, 1.8),
        "lip_fullness": max(0.55, _around(rng, 1.0, 0.22)),
        "lip_tone": float(rng.uniform(0.38, 0.78)),
    }


def _around(rng: np.random.Generator, mean: float, spread: float) -> float:
    """A normal number, at most 2.2 standard deviations from the mean."""
    return float(mean + spread * np.clip(rng.standard_normal(), -2.2, 2.2))


def random_scene(seed: int, index: int) -> Scene:
    """The scene of image `index` of this seed; deterministic."""
    rng = np.random.default_rng([seed, 2, index])
    side = rng.uniform(-60, 60) if rng.random() < 0.4 else np.clip(13 * rng.standard_normal(), -60, 60)
    light = np.array([rng.normal(0, 0.85), rng.normal(-0.5, 0.35), 1.0])
    smiling = rng.random() < 0.45
    talking = rng.random() < 0.35
    return Scene(
        seed=int(rng.integers(2**31)),
        yaw=float(side),
        pitch=float(np.clip(rng.normal(0, 9), -25, 25)),
        roll=float(np.clip(rng.normal(0, 8), -30, 30)),
        distance=float(rng.uniform(450, 1600)),
        eye_distance=float(rng.uniform(28, 36)),
        shift=(float(rng.normal(0, 2.0)), float(rng.normal(0, 2.0))),
        smile=float(rng.uniform(0.3, 1.0)) if smiling else float(rng.uniform(-0.25, 0.2)),
        smirk=float(rng.normal(0, 0.25)),
        mouth_open=float(rng.uniform(1.0, 13.0)) if talking else (float(rng.uniform(0, 5)) if smiling else 0.0),
        lids=0.08 if rng.random() < 0.04 else float(rng.uniform(0.7, 1.15)),
        gaze=(float(np.clip(rng.normal(0, 0.45), -1, 1)), float(np.clip(rng.normal(0, 0.3), -1, 1))),
        brow_raise=float(rng.normal(0.3, 1.3)),
        light=(float(light[0]), float(light[1]), float(light[2])),
        ambient=float(rng.uniform(0.15, 0.6)),
        exposure=float(np.exp(rng.normal(0.1, 0.4))),
        contrast=float(np.clip(rng.normal(1.0, 0.15), 0.6, 1.35)),
        blur=float(rng.uniform(0.1, 0.75)) if rng.random() < 0.85 else float(rng.uniform(0.8, 1.8)),
        noise=float(0.003 + 0.02 * rng.random() ** 2),
        detail=float(rng.uniform(0.45, 0.8)) if rng.random() < 0.25 else 1.0,
        jpeg=int(rng.integers(45, 96)),
        occluder=rng.choice(["none", "bar", "hand", "strands", "microphone"], p=[0.84, 0.02, 0.04, 0.06, 0.04]),
    )
