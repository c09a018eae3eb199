"""Points that look wrong: outside the picture, or left and right swapped. No Qt."""

from __future__ import annotations

import numpy as np

from fkp_studio.face.geometry import HALF_PIXEL
from training.faces.labels.schema import KeypointSchema

FEWEST = 3  # pairs; of two that disagree nobody can tell which is wrong
BACKWARDS = -0.5  # of the width that the other pairs have
NARROWEST = 0.2  # a face that is turned so far that it seems this narrow has pairs too short to judge


def suspects(points: np.ndarray, schema: KeypointSchema, *, width: int, height: int) -> np.ndarray:
    """bool [K] for points [K, 2] px of a picture of that size. Turning a head shortens its pairs, all of them alike; a
    pair that points against the others has been swapped."""
    too_low, too_high = points < -HALF_PIXEL, points > np.array([width, height]) - HALF_PIXEL  # never so for NaN
    wrong = np.asarray((too_low | too_high).any(axis=1))
    template = _mirrored_template(schema)
    if template is None:
        return wrong
    flip = np.array(schema.flip)
    one = np.flatnonzero(template[:, 0] < template[flip, 0])  # of each pair the one on the left of the picture
    one = one[np.isfinite(points[one]).all(axis=1) & np.isfinite(points[flip[one]]).all(axis=1)]
    if len(one) < FEWEST:
        return wrong
    spans, wide = points[flip[one]] - points[one], template[flip[one], 0] - template[one, 0]
    across = spans.sum(axis=0) / max(float(np.hypot(*spans.sum(axis=0))), 1e-9)
    ratios = spans @ across / wide  # pixels a unit of the template, from each pair
    usual = float(np.median(ratios))
    swapped = (
        one[ratios < BACKWARDS * usual] if usual > NARROWEST * _upright_scale(points, template, across) else one[:0]
    )
    wrong[swapped] = wrong[flip[swapped]] = True
    return wrong


def _mirrored_template(schema: KeypointSchema) -> np.ndarray | None:
    """The template [K, 2] where it is a face whose pairs mirror each other; a ring of points in its stead says nothing."""
    template = np.array(schema.template)
    if len(template) != len(schema):
        return None
    partner = template[list(schema.flip)]
    pairs = np.array(schema.flip) != np.arange(len(schema))
    middles, rises = (template + partner)[pairs, 0] / 2, np.abs(template - partner)[pairs, 1]
    mirrored = len(middles) >= 2 * FEWEST and float(np.std(middles)) < 0.05 and float(rises.max()) < 0.15
    return template if mirrored else None


def _upright_scale(points: np.ndarray, template: np.ndarray, across: np.ndarray) -> float:
    """Pixels a unit of the template along the face's height."""
    known = np.isfinite(points).all(axis=1)
    along = points[known] @ np.array([-across[1], across[0]])
    return float(np.std(along) / max(float(np.std(template[known, 1])), 1e-6))
