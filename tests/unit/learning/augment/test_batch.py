"""Augmentation: points move with the image's content, and views map predictions back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.helpers.training_data import SCHEMA, SIDE, dots, tiny_config
from training.learning.augment.batch import augment, mirror_points, prepare, to_float
from training.learning.augment.photometric import standardise
from training.learning.inference.averaged_views import averaged_points, points_and_disagreement

FLIP = torch.tensor(SCHEMA.flip)
STILL = {"flip": "0", "rotation": "0", "scale": "0", "shift": "0", "brightness": "0", "contrast": "0", "blur": "0"}


def run(settings: dict[str, str], count: int = 16) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    images, points = dots(count)
    mask = torch.ones(count, 3, dtype=torch.bool)
    mask[0, 0] = False
    config = tiny_config(**{**STILL, **settings})
    before = torch.from_numpy(points).float()
    generator = torch.Generator().manual_seed(1)
    return before, *augment(torch.from_numpy(images), before, mask, config=config, flip=FLIP, generator=generator)


def brightest(x: Tensor) -> np.ndarray:
    """The centre of the blob in each image, [B, 2]."""
    weights = (x[:, 0] - x[:, 0].amax(dim=(1, 2), keepdim=True)).mul(3).exp()
    y, x_ = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    total = weights.sum(dim=(1, 2))
    return torch.stack([(weights * x_).sum(dim=(1, 2)) / total, (weights * y).sum(dim=(1, 2)) / total], dim=-1).numpy()


def test_without_changes_the_batch_is_the_plain_input() -> None:
    before, x, points, mask = run({})
    images, _ = dots(16)
    assert torch.equal(x, prepare(torch.from_numpy(images), channels=1))
    assert torch.allclose(points, before, atol=1e-4)
    assert not mask[0, 0]


def test_a_mirrored_image_swaps_left_and_right() -> None:
    before, x, points, mask = run({"flip": "1"})
    images, _ = dots(16)
    plain = prepare(torch.from_numpy(images), channels=1).flip(-1)
    assert torch.allclose(x, plain, atol=1e-5)  # not a pixel is blurred
    assert torch.allclose(points[:, 0, 0], SIDE - 1 - before[:, 1, 0], atol=1e-4)
    assert torch.allclose(points[:, 2, 1], before[:, 2, 1], atol=1e-4)
    assert mask[0].tolist() == [True, False, True]


@pytest.mark.parametrize(
    "settings",
    [{"rotation": "40"}, {"scale": "0.3"}, {"shift": "0.15"}, {"rotation": "30", "scale": "0.2", "flip": "0.5"}],
)
def test_points_move_with_the_content(settings: dict[str, str]) -> None:
    before, x, points, _ = run(settings)
    assert (points[:, 2] - before[:, 2]).abs().max() > 1
    assert np.abs(brightest(x) - points[:, 2].numpy()).max() < 1.2


def test_light_changes_each_image_on_its_own() -> None:
    _, x, _, _ = run({"brightness": "0.5", "contrast": "0.5"})
    assert x.mean(dim=(1, 2, 3)).std() > 0.1
    assert x.std(dim=(1, 2, 3)).std() > 0.1


def test_blur_takes_noise_away_from_the_chosen_ones() -> None:
    _, still, _, _ = run({})
    _, blurred, _, _ = run({"blur": "1"})
    assert (blurred.diff(dim=-1).std() / still.diff(dim=-1).std()) < 0.7


def test_gray_and_colour_become_each_other() -> None:
    gray = torch.randint(0, 256, (2, 4, 4), dtype=torch.uint8)
    assert torch.equal(to_float(gray, channels=3)[:, 2], gray.float())
    colour = gray[..., None].expand(-1, -1, -1, 3)
    assert torch.allclose(to_float(colour, channels=1)[:, 0], gray.float(), atol=1e-3)
    assert standardise(torch.full((1, 1, 4, 4), 9.0)).abs().max() < 1e-3  # a blank image causes no division by zero


class BrightestPixel(nn.Module):
    """Predicts the nose at the blob's centre and the eyes 6 px beside and above: exact in each view."""

    def forward(self, x: Tensor) -> Tensor:
        nose = torch.from_numpy(brightest(x.float()))
        return torch.stack([nose + torch.tensor([6.0, -6.0]), nose + torch.tensor([-6.0, -6.0]), nose], dim=1)


def test_views_are_brought_back_to_the_image() -> None:
    images, points = dots(8)
    x = prepare(torch.from_numpy(images), channels=1)
    averaged = averaged_points(BrightestPixel(), x, flip=FLIP, flip_average=True)
    found, disagreement = points_and_disagreement(BrightestPixel(), x, flip=FLIP, flip_average=True)
    assert np.abs(found.numpy() - points).max() < 1
    assert torch.allclose(found, averaged, atol=1e-3)
    assert disagreement.max() < 0.003
    twice = mirror_points(mirror_points(found, flip=FLIP, side=SIDE), flip=FLIP, side=SIDE)
    assert torch.allclose(twice, found, atol=1e-4)
