"""Finds points that look wrong: outside the image, or left and right swapped. No Qt."""

from __future__ import annotations

import numpy as np

from fkp_studio.face.geometry import HALF_PIXEL
from training.faces.labels.schema import KeypointSchema

FEWEST = 3  # pairs; of two that disagree it is unknown which is wrong
BACKWARDS = -0.5  # relative to the width of the other pairs
NARROWEST = 0.2  # relative width; the pairs of a face turned further are too short to judge


def suspects(points: np.ndarray, schema: KeypointSchema, *, width: int, height: int) -> np.ndarray:
    """bool [K] for points [K, 2] in px of an image of that size. Turning the head shortens all pairs alike, so a pair
    that points against the others has been swapped."""
    too_low, too_high = points < -HALF_PIXEL, points > np.array([width, height]) - HALF_PIXEL  # never so for NaN
    wrong = np.asarray((too_low | too_high).any(axis=1))
    template = _mirrored_template(schema)
    if template is None:
        return wrong
    flip = np.array(schema.flip)
    one = np.flatnonzero(template[:, 0] < template[flip, 0])  # of each pair the one on the left of the image
    one = one[np.isfinite(points[one]).all(axis=1) & np.isfinite(points[flip[one]]).all(axis=1)]
    if len(one) < FEWEST:
        return wrong
    spans, wide = points[flip[one]] - points[one], template[flip[one], 0] - template[one, 0]
    across = spans.sum(axis=0) / max(float(np.hypot(*spans.sum(axis=0))), 1e-9)
    ratios = spans @ across / wide  # pixels per template unit, one per pair
    usual = float(np.median(ratios))
    swapped = (
        one[ratios < BACKWARDS * usual] if usual > NARROWEST * _upright_scale(points, template, across) else one[:0]
    )
    wrong[swapped] = wrong[flip[swapped]] = True
    return wrong


def _mirrored_template(schema: KeypointSchema) -> np.ndarray | None:
    """The template [K, 2] if its pairs mirror each other; None for a placeholder such as a ring of points."""
    template = np.array(schema.template)
    if len(template) != len(schema):
        return None
    partner = template[list(schema.flip)]
    pairs = np.array(schema.flip) != np.arange(len(schema))
    middles, rises = (template + partner)[pairs, 0] / 2, np.abs(template - partner)[pairs, 1]
    mirrored = len(middles) >= 2 * FEWEST and float(np.std(middles)) < 0.05 and float(rises.max()) < 0.15
    return template if mirrored else None


def _upright_scale(points: np.ndarray, template: np.ndarray, across: np.ndarray) -> float:
    """Pixels per template unit along the face's height."""
    known = np.isfinite(points).all(axis=1)
    along = points[known] @ np.array([-across[1], across[0]])
    return float(np.std(along) / max(float(np.std(template[known, 1])), 1e-6))
