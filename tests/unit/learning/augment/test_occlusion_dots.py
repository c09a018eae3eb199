"""Points and pixels move together: every point is drawn as a dot and found where augmentation says it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers.training_data import SCHEMA, tiny_config
from training.learning.augment.batch import augment
from training.storage.runs.settings.config import RunConfig, with_overrides
from training.storage.runs.settings.recipes import recipe_config

SIDE, COUNT = 64, 12
FLIP = torch.tensor(SCHEMA.flip)
OFF = (
    "flip",
    "rotation",
    "box_corners",
    "scale",
    "shift",
    "brightness",
    "contrast",
    "blur",
    "gamma",
    "noise",
    "erasing",
)


def settings(**chosen: str) -> RunConfig:
    """No augmentation except the given settings."""
    return tiny_config(**{**dict.fromkeys(OFF, "0"), "input_size": str(SIDE), **chosen})


def faces(channels: int) -> tuple[Tensor, Tensor]:
    """Images uint8 [B, 64, 64(, 3)] with dots of one size on points [B, 3, 2]; each keypoint has its own brightness."""
    rng = np.random.default_rng(3)
    centre = np.array([[22.0, 24.0], [42.0, 24.0], [32.0, 42.0]])
    points = centre + rng.uniform(-3, 3, (COUNT, 3, 2))
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    distance = (x - points[..., 0, None, None]) ** 2 + (y - points[..., 1, None, None]) ** 2  # [B, 3, 64, 64]
    light = (np.array([220, 160, 110])[:, None, None] * np.exp(-distance / 8)).sum(axis=1)
    images = torch.from_numpy(np.round(light).astype(np.uint8))
    return (images if channels == 1 else images[..., None].expand(-1, -1, -1, 3)), torch.from_numpy(points).float()


def run(config: RunConfig, *, seed: int = 1, mask: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    images, points = faces(config.network.channels)
    mask = torch.ones(COUNT, 3, dtype=torch.bool) if mask is None else mask
    generator = torch.Generator().manual_seed(seed)
    return points, *augment(images, points, mask, config=config, flip=FLIP, generator=generator)


def dots(x: Tensor, near: Tensor) -> Tensor:
    """The centroids [B, K, 2] of the dots within 6 px of given points, above the brightness of the empty image."""
    light = (x.mean(dim=1) - x.mean(dim=1).flatten(1).quantile(0.2, dim=1)[:, None, None]).clamp(min=0)  # [B, S, S]
    y, x_ = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    place = torch.stack((x_, y), -1).float()  # [S, S, 2]
    close = torch.linalg.vector_norm(place - near[:, :, None, None], dim=-1) < 6  # [B, K, S, S]
    weights = (light.unsqueeze(1) * close).square()  # squared: narrows the dot, so that its surroundings matter less
    return torch.einsum("bkij,ijc->bkc", weights, place) / weights.sum(dim=(2, 3)).unsqueeze(-1)


MOVES = {
    "flip": {"flip": "0.5"},
    "rotation": {"rotation": "30"},
    "box_corners": {"box_corners": "0.05"},
    "scale": {"scale": "0.15"},
    "shift": {"shift": "0.08"},
    "all": {"flip": "0.5", "rotation": "20", "box_corners": "0.05", "scale": "0.1", "shift": "0.05"},
}
LIGHTS = {
    "blur": {"blur": "1"},
    "brightness": {"brightness": "0.5"},
    "contrast": {"contrast": "0.5"},
    "gamma": {"gamma": "0.5"},
}


@pytest.mark.parametrize("channels", ["1", "3"])
@pytest.mark.parametrize("name", [*MOVES, *LIGHTS])
def test_every_dot_is_where_its_point_says(name: str, channels: str) -> None:
    config = settings(channels=channels, **{**MOVES, **LIGHTS}[name])
    before, x, points, mask = run(config)
    assert x.shape == (COUNT, config.network.channels, SIDE, SIDE)
    assert mask.all()
    assert (dots(x, points) - points).abs().max() < 0.1
    if name in MOVES:
        assert (points - before).abs().max() > 1


def test_a_flip_swaps_pairs_and_their_masks() -> None:
    mask = torch.tensor([[True, False, True]]).expand(COUNT, 3)
    weights = torch.tensor([[0.5, 0.0, 1.0]]).expand(COUNT, 3)
    before, _, points, swapped = run(settings(flip="1"), mask=mask)
    assert torch.allclose(points[..., 0], SIDE - 1 - before[:, FLIP, 0], atol=1e-3)
    assert swapped.tolist() == [[False, True, True]] * COUNT
    assert run(settings(flip="1"), mask=weights)[3].tolist() == [[0.0, 0.5, 1.0]] * COUNT


def test_box_corners_move_the_edges_each_on_its_own() -> None:
    """The new positions of the old image's corners give the new box: its edges moved by up to 5 % of the side."""
    corners = torch.tensor([[-0.5, -0.5], [SIDE - 0.5, SIDE - 0.5], [-0.5, SIDE - 0.5]]).expand(512, 3, 2)
    images, mask = torch.zeros(512, SIDE, SIDE, dtype=torch.uint8), torch.ones(512, 3, dtype=torch.bool)
    generator = torch.Generator().manual_seed(1)
    config = settings(box_corners="0.05")
    _, points, _ = augment(images, corners, mask, config=config, flip=FLIP, generator=generator)
    size = SIDE**2 / (points[:, 1] - points[:, 0])  # px of the old image shown by the new one
    first = -(points[:, 0] + 0.5) * size / SIDE  # of the old image's edge
    last = first + size - SIDE
    for moved in (first, last):
        assert moved.abs().max() <= 0.05 * SIDE + 1e-2
        assert moved.abs().max() > 0.048 * SIDE
    edges = torch.cat((first, last), dim=1)  # left, top, right, bottom
    assert (torch.corrcoef(edges.T) - torch.eye(4)).abs().max() < 0.15
    assert torch.allclose(points[:, 2], torch.stack((points[:, 0, 0], points[:, 1, 1]), -1), atol=1e-3)  # stays upright


def test_points_that_leave_are_kept_or_masked() -> None:
    there = torch.tensor([[True, True, False]]).expand(COUNT, 3)
    results = {rule: run(settings(shift="0.6", outside=rule), mask=there) for rule in ("keep", "mask")}
    points = results["keep"][2]
    inside = ((points > -0.5) & (points < SIDE - 0.5)).all(dim=-1)
    assert 0.1 < float(inside.float().mean()) < 0.9
    assert torch.equal(results["keep"][3], there)
    assert torch.equal(results["mask"][3], there & inside)
    assert torch.equal(results["mask"][2], points)


def test_gamma_changes_the_order_of_no_pixels() -> None:
    _, still, _, _ = run(settings())
    _, x, _, _ = run(settings(gamma="1"))
    assert (x - still).abs().amax(dim=(1, 2, 3)).std() > 0.01
    order = still[0].flatten().argsort()
    assert (x[0].flatten()[order].diff() > -1e-4).all()


def test_noise_is_as_large_as_said_and_of_mean_0() -> None:
    _, still, _, _ = run(settings())
    _, x, _, _ = run(settings(noise="0.3"))
    spread = (x - still).std(dim=(1, 2, 3))
    assert 0.2 < spread.max() < 0.31
    assert spread.min() < 0.1
    assert (x - still).mean().abs() < 0.01


def test_erasing_grays_out_one_rectangle_and_keeps_the_points() -> None:
    before, x, points, mask = run(settings(erasing="1"))
    _, still, _, _ = run(settings())
    assert torch.allclose(points, before, atol=1e-3)
    assert mask.all()
    for image, old in zip(x[:, 0], still[:, 0], strict=True):
        gone = (image != old).nonzero()
        first, last = gone.amin(dim=0), gone.amax(dim=0)
        rectangle = image[first[0] : last[0] + 1, first[1] : last[1] + 1]
        assert rectangle.std() < 1e-6
        assert 0.01 < rectangle.numel() / SIDE**2 < 0.25
    _, some, _, _ = run(settings(erasing="0.5"))
    assert 2 <= int((some != still).flatten(1).any(dim=1).sum()) <= 10


@pytest.mark.parametrize("channels", ["1", "3"])
def test_the_same_seed_gives_the_same_batch(channels: str) -> None:
    config = settings(
        channels=channels, blur="0.5", gamma="0.4", noise="0.2", erasing="0.5", contrast="0.2", **MOVES["all"]
    )
    first, second, other = run(config), run(config), run(config, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[1], other[1])
    assert first[1].is_contiguous(memory_format=torch.channels_last)


def test_the_papers_settings() -> None:
    wing = recipe_config("cnn-6", "paper")
    assert (wing.augment.flip, wing.augment.rotation, wing.augment.box_corners, wing.augment.blur) == (
        0.5,
        30,
        0.05,
        0.5,
    )
    assert recipe_config("cnn-7", "paper").augment.rotation == 10
    masked = recipe_config("ml-resnet", "paper")
    plain = with_overrides(masked, dict.fromkeys(OFF, "0"))
    assert masked == with_overrides(plain, {"flip": "0.5"})
