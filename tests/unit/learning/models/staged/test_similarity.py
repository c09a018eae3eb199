"""Similarity transforms against Umeyama's SVD formula in NumPy, and images cropped by them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from training.learning.models.staged.similarity import Similarity, cut, fit_similarity, to_normal, to_pixels

SIDE = 64


def umeyama(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Size times rotation [2, 2] and shift [2] (Umeyama 1991, Eq. 40 to 43)."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    u, d, vt = np.linalg.svd(b.T @ a / len(a))
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    matrix = u @ np.diag(signs) @ vt * (d * signs).sum() / np.square(a).sum(axis=1).mean()
    return matrix, target.mean(axis=0) - matrix @ source.mean(axis=0)


def similarity(degrees: float, size: float, shift: tuple[float, float]) -> Similarity:
    angle = math.radians(degrees)
    turn = torch.tensor([[size * math.cos(angle), size * math.sin(angle)]])
    return Similarity(turn, torch.tensor([shift]))


@pytest.mark.parametrize("labelled", [2, 3, 7])
def test_the_fit_is_umeyamas(labelled: int) -> None:
    rng = np.random.default_rng(labelled)
    source, target = rng.normal(size=(5, 7, 2)), rng.normal(size=(5, 7, 2))
    target[:, :] += 0.8 * source @ np.array([[0.6, 0.8], [-0.8, 0.6]])
    mask = np.zeros((5, 7), bool)
    for row in mask:
        row[rng.permutation(7)[:labelled]] = True
    target[~mask] = np.nan
    points = rng.normal(size=(5, 4, 2))
    found = fit_similarity(*(torch.from_numpy(v) for v in (source, target, mask))).apply(torch.from_numpy(points))
    for n in range(5):
        matrix, shift = umeyama(source[n, mask[n]], target[n, mask[n]])
        np.testing.assert_allclose(found[n], points[n] @ matrix.T + shift, atol=1e-9)


def test_few_points_leave_turn_and_size_alone() -> None:
    source, target = torch.tensor([[[0.1, 0.2], [0.5, 0.5]]]), torch.tensor([[[0.3, 0.1], [9.0, 9.0]]])
    one = fit_similarity(source, target, torch.tensor([[True, False]]))
    assert torch.allclose(one.turn, torch.tensor([[1.0, 0.0]]))
    assert torch.allclose(one.shift, torch.tensor([[0.2, -0.1]]))
    none = fit_similarity(source, target * torch.nan, torch.tensor([[False, False]]))
    assert torch.allclose(none.apply(source), source)
    collapsed = fit_similarity(source, torch.zeros(1, 2, 2), torch.ones(1, 2))
    assert collapsed.turn.norm() > 0.1


def test_there_and_back_is_the_same_point() -> None:
    rng = np.random.default_rng(0)
    shape = torch.from_numpy(rng.uniform(20, 100, (1, 68, 2)).astype(np.float32))
    turned = torch.from_numpy(rng.uniform(20, 100, (8, 68, 2)).astype(np.float32))
    frame = fit_similarity(to_normal(shape, side=128), to_normal(turned, side=128), torch.ones(8, 68))
    points = torch.from_numpy(rng.uniform(0, 128, (8, 68, 2)).astype(np.float32))
    inside = to_pixels(frame.inverse().apply(to_normal(points, side=128)), side=128)
    back = to_pixels(frame.apply(to_normal(inside, side=128)), side=128)
    assert (back - points).abs().max() < 1e-4
    both = frame.after(frame.inverse())
    assert torch.allclose(both.apply(to_normal(points, side=128)), to_normal(points, side=128), atol=1e-5)


def test_normal_coordinates_are_those_of_the_pixels_centres() -> None:
    assert to_normal(torch.tensor([0.0, 63.0]), side=64).tolist() == [1 / 64 - 1, 127 / 64 - 1]
    assert to_pixels(torch.tensor([-1.0, 1.0]), side=64).tolist() == [-0.5, 63.5]


def blobs(centres: np.ndarray) -> Tensor:
    """An image [1, 1, S, S] with a round spot at each centre (px), the first one brighter."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    spots = [np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 18) * (2 if n == 0 else 1) for n, (cx, cy) in enumerate(centres)]
    return torch.from_numpy(np.sum(spots, axis=0).astype(np.float32))[None, None]


UPRIGHT = np.array([[20.0, 24.0], [44.0, 24.0], [32.0, 44.0]])


@pytest.mark.parametrize("degrees", [-40.0, 0.0, 25.0, 90.0])
def test_a_turned_image_comes_out_upright(degrees: float) -> None:
    angle, middle = math.radians(degrees), (SIDE - 1) / 2
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turned = (UPRIGHT - middle) @ turn.T + middle + np.array([3.0, -2.0])
    source, target = (to_normal(torch.from_numpy(p).float()[None], side=SIDE) for p in (UPRIGHT, turned))
    found = cut(blobs(turned), fit_similarity(source, target, torch.ones(1, 3)), side=SIDE)
    assert (found - blobs(UPRIGHT)).abs().max() < 0.06  # of 2: what interpolation takes away


def test_a_square_is_the_pixels_it_covers() -> None:
    x = torch.rand(2, 3, SIDE, SIDE)
    here = Similarity(*(t.expand(2, 2) for t in (torch.tensor([1.0, 0.0]), torch.zeros(2))))
    assert torch.allclose(cut(x, here, side=SIDE), x, atol=1e-5)
    quarter = Similarity(here.turn / 2, torch.tensor([[-0.5, -0.5], [0.5, -0.5]]))
    found = cut(x, quarter, side=SIDE // 2)
    assert torch.allclose(found[0], x[0, :, :32, :32], atol=1e-5)
    assert torch.allclose(found[1], x[1, :, :32, 32:], atol=1e-5)


def test_mixed_precision_does_not_round_points() -> None:
    move, points = similarity(20, 1.1, (0.1, 0.2)), torch.rand(1, 9, 2)
    with torch.autocast("cpu", torch.bfloat16):
        found = fit_similarity(points, move.apply(points), torch.ones(1, 9))
        moved = found.apply(points)
    assert moved.dtype == torch.float32
    assert torch.allclose(moved, move.apply(points), atol=1e-6)
