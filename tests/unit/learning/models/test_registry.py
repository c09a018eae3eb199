"""Networks: exact parameter counts, shapes, and that the fast stem equals the plain one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from training.errors import UserError
from training.learning.models.layers import WideStem
from training.learning.models.registry import MODELS, count_parameters, make_model, recipe_parameters
from training.learning.models.staged.base import StagedNet
from training.storage.runs.settings.recipes import RECIPES, recipe_config


def test_parameters_as_in_the_papers() -> None:
    assert recipe_parameters(recipe_config("cnn-6"), 68) == 3_806_152
    assert recipe_parameters(recipe_config("cnn-7"), 68) == 8_508_168
    assert recipe_parameters(recipe_config("cnn-6-7", "paper"), 68) == 3_806_152 + 8_508_168
    assert recipe_parameters(recipe_config("ml-resnet"), 15) == pytest.approx(9.3e6, rel=0.01)
    assert recipe_parameters(recipe_config("cnn"), 15) == recipe_parameters(recipe_config("ml-cnn"), 15)
    # ML-CNN lacks only the shortcuts' two projections.
    without = recipe_parameters(recipe_config("ml-resnet"), 15) - recipe_parameters(recipe_config("ml-cnn"), 15)
    assert without == 32 * 32 + 32 * 64


@pytest.mark.parametrize(("name", "variant"), [(r.name, v) for r in RECIPES.values() for v in r.variants])
def test_each_recipe_makes_a_network_of_its_size(name: str, variant: str) -> None:
    config = recipe_config(name, variant)
    model = make_model(config, 15)
    side = config.network.input_size
    assert model.eval()(torch.zeros(2, config.network.channels, side, side)).shape == (2, 15, 2)
    assert count_parameters(model) == recipe_parameters(config, 15)


def test_a_new_network_gives_the_mean_shape_or_the_centre() -> None:
    config = recipe_config("cnn-6")
    mean = torch.rand(15, 2) * 64
    x = torch.randn(3, 3, 64, 64)
    assert torch.allclose(make_model(config, 15, mean_shape=mean)(x), mean, atol=1)
    centred = make_model(config.changed(targets="points"), 15, mean_shape=mean)(x)
    assert torch.allclose(centred, torch.tensor(31.5), atol=1)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_stem_is_a_plain_convolution_and_pool(channels: int) -> None:
    torch.manual_seed(0)
    stem = WideStem(channels, 6, size=11).double()
    x = torch.randn(2, channels, 24, 24, dtype=torch.float64)
    plain = F.max_pool2d(F.conv2d(x, stem.weight, stem.bias, padding=5), 2)
    ours = stem(x)
    assert torch.allclose(ours, plain, atol=1e-12)
    grads = [torch.autograd.grad(y.square().sum(), (stem.weight, stem.bias)) for y in (ours, plain)]
    assert all(torch.allclose(a, b, atol=1e-9) for a, b in zip(*grads, strict=True))


def test_the_stem_gives_a_tie_to_one_input_only() -> None:
    stem = WideStem(1, 2, size=11)
    torch.nn.init.constant_(stem.weight, 0.0)
    stem(torch.ones(1, 1, 8, 8)).sum().backward()
    assert stem.weight.grad is not None
    assert stem.weight.grad[0, 0, 5, 5] == 16  # one pixel for each of the 4 x 4 pool cells


@pytest.mark.parametrize("name", sorted(name for name in MODELS if 50 % MODELS[name].multiple))
def test_a_size_the_network_cannot_take_is_told(name: str) -> None:
    with pytest.raises(UserError, match="multiple of"):
        make_model(recipe_config("cnn-6").changed(model=name, input_size=50), 15)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_step_in_bfloat16_is_near_that_in_float32(name: str) -> None:
    torch.manual_seed(0)
    side = max(32, MODELS[name].multiple)
    config = recipe_config("cnn-6").changed(model=name, input_size=side, channels=1, dropout=0.0)
    model = make_model(config, 3).to(memory_format=torch.channels_last)
    x = torch.randn(4, 1, side, side).contiguous(memory_format=torch.channels_last)
    if isinstance(model, StagedNet):
        model.begin(2)
    plain = model(x)
    with torch.autocast("cpu", torch.bfloat16):
        half = model(x)
    assert half.dtype == torch.float32
    assert (plain - half).abs().mean() < 0.1
    half.square().mean().backward()
    trained = model.trained if isinstance(model, StagedNet) else model
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained.parameters())


@pytest.mark.parametrize("name", sorted(name for name in MODELS if name not in ("cnn-6-7", "cascade")))
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("keypoints", [1, 19, 68])
def test_any_number_of_keypoints_gray_or_colour(name: str, channels: int, keypoints: int) -> None:
    config = recipe_config("cnn-6").changed(model=name, input_size=128, channels=channels)
    with torch.device("meta"):  # shapes without the work
        model = make_model(config, keypoints)
        assert model(torch.zeros(2, channels, 128, 128)).shape == (2, keypoints, 2)
    assert count_parameters(model) == recipe_parameters(config, keypoints)
