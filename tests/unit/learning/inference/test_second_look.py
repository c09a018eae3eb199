"""Rotated faces: their angle, and the second look."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from training.faces.labels.schema import KAGGLE_15
from training.learning.augment.batch import to_float
from training.learning.augment.geometry import transform_points, warp
from training.learning.inference.averaged_views import averaged_points, points_and_disagreement
from training.learning.inference.checkpoint import ModelInfo, save_model
from training.learning.inference.onnx import export_onnx
from training.learning.inference.predictor import Predictor
from training.learning.inference.second_look import LIMIT, look_twice, shape_of, tilt
from training.learning.models.light import LightPoints
from training.learning.models.registry import make_model
from training.storage.runs.run import Run
from training.storage.runs.settings.recipes import RECIPES, recipe_config

SIDE = 48
SHAPE = torch.tensor([[32.0, 16.0], [15.0, 16.0], [23.5, 25.0], [30.0, 34.0], [17.0, 34.0]])


def turned(points: torch.Tensor, degrees: float) -> torch.Tensor:
    """Rotate [K, 2] about the image's middle, clockwise on the screen, where y goes down."""
    a, middle = math.radians(degrees), (SIDE - 1) / 2
    turn = torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    return (points - middle) @ turn.T + middle


@pytest.mark.parametrize("degrees", [-170.0, -90.0, -12.0, 0.0, 35.0, 120.0])
def test_tilt_is_the_angle_whatever_size_and_place(degrees: float) -> None:
    points = turned(SHAPE, degrees) * 1.4 - 7
    cos, sin = tilt(points[None], SHAPE, side=SIDE)[0].tolist()
    assert math.degrees(math.atan2(sin, cos)) == pytest.approx(degrees, abs=1e-3)


def test_one_wrong_point_hardly_turns_a_face() -> None:
    points = SHAPE.clone()
    points[3] += torch.tensor([4.0, -3.0])
    cos, _ = tilt(points[None], SHAPE, side=SIDE)[0].tolist()
    assert cos > math.cos(math.radians(LIMIT))


def test_a_single_spot_counts_as_upright() -> None:
    spot = torch.full((5, 2), 20.0)
    assert tilt(spot[None], SHAPE, side=SIDE)[0].tolist() == [1, 0]
    assert tilt(SHAPE[None], spot, side=SIDE)[0].tolist() == [1, 0]


def dots(points: torch.Tensor) -> torch.Tensor:
    """An image [1, S, S] with a dot for each of [K, 2], of increasing brightness."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    far = (x[..., None] - points[:, 0]).square() + (y[..., None] - points[:, 1]).square()
    return ((torch.arange(len(points)) + 1) * 40 * torch.exp(-far / 4)).amax(dim=-1)[None]


class Careless:
    """Exact on upright faces; on others the angle is about right and each point wrong."""

    def __init__(self, truth: list[torch.Tensor]) -> None:
        self.truth, self.seen = truth, 0

    def __call__(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.seen += len(x)
        upright = dots(SHAPE)
        places = []
        for image in x:
            if (image - upright).abs().mean() < 1:
                places.append(SHAPE)
            else:
                places.append(turned(SHAPE * 0.9 + 3, self.nearest(image)))
        wrong = torch.tensor([0.0 if p is SHAPE else 1.0 for p in places])
        return torch.stack(places), wrong[:, None].expand(-1, 5)

    def nearest(self, image: torch.Tensor) -> float:
        return min((60.0, 180.0, -90.0), key=lambda d: float((image - dots(turned(SHAPE, d))).abs().mean()))


def test_faces_on_their_side_are_seen_upright_and_turned_back() -> None:
    places = [SHAPE, turned(SHAPE, 60), turned(SHAPE, -90), turned(SHAPE, 180)]
    look = Careless(places)
    points, wrong = look_twice(look, torch.stack([dots(p) for p in places]), SHAPE)
    assert look.seen == 4 + 3
    torch.testing.assert_close(points, torch.stack(places), atol=1e-3, rtol=0)
    assert wrong.max() == 0


def test_upright_faces_cost_one_look() -> None:
    look = Careless([SHAPE])
    look_twice(look, dots(turned(SHAPE, 0))[None], SHAPE)
    assert look.seen == 1
    careless = Careless([])
    assert look_twice(careless, dots(turned(SHAPE, 60))[None], None)[1].min() == 1  # no shape: one look
    assert careless.seen == 1


def leaning_model() -> LightPoints:
    """An untrained network that sees every face rotated by about 40 degrees, varying by image."""
    torch.manual_seed(0)
    shape = torch.rand(15, 2) * 60 + 18
    model = make_model(recipe_config("fast"), 15, mean_shape=shape).eval()
    assert isinstance(model, LightPoints)
    a = math.radians(40)
    turn = torch.tensor([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]])
    lying = (shape - 47.5) @ turn + 47.5
    torch.nn.init.normal_(model.network.output["offsets"].weight, std=0.01)
    model.network.output["offsets"].bias.data = ((lying - shape) / model.half_side).flatten()
    return model


def test_both_kinds_of_views_look_again_and_agree() -> None:
    model, flip, x = leaning_model(), torch.tensor(KAGGLE_15.flip), torch.rand(3, 1, 96, 96)
    assert shape_of(model) is model.origin
    with torch.no_grad():
        for flip_average in (False, True):
            views = {"flip": flip, "flip_average": flip_average}
            once, points = averaged_points(model, x, **views), averaged_points(model, x, **views, upright=True)
            assert (once - points).abs().max() > 5
            for kind in ("heads", "moved"):
                found, apart = points_and_disagreement(model, x, **views, upright=True, views=kind)
                torch.testing.assert_close(found, points, atol=1e-3, rtol=0)
                assert apart.shape == (3, 15)


def test_our_recipes_look_again_and_the_papers_do_not() -> None:
    ours = {name for name, recipe in RECIPES.items() if recipe.config.network.upright}
    assert ours == {"recommended", "fast", "best"}


def test_the_graph_looks_again_as_the_predictor_does(tmp_path: Path) -> None:
    model, config = leaning_model(), recipe_config("fast").changed(upright=True)
    run = Run(tmp_path / "m.safetensors")
    save_model(run.model, model.state_dict(), ModelInfo(config, KAGGLE_15, "float32"))
    images = np.random.default_rng(0).integers(0, 256, (6, 96, 96), np.uint8)
    files = {name: tmp_path / f"{name}.onnx" for name in ("upright", "plain")}
    export_onnx(run, files["upright"])
    export_onnx(run, files["plain"], upright=False)
    found = {}
    for name, file in files.items():
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        found[name] = session.run(None, {"pictures": images[:, None]})[0]
        assert session.get_modelmeta().custom_metadata_map["turned_upright"] == str(name == "upright").lower()
    predictor = Predictor.load(run)
    assert np.allclose(found["upright"], predictor.predict_points(images), atol=1e-2)
    assert np.abs(found["upright"] - found["plain"]).max() > 5


def test_turning_is_what_augmentation_means_by_it() -> None:
    """The measured angle of a face is the angle by which augmentation rotated it."""
    a = math.radians(25)
    matrix = torch.tensor([[[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]])
    points = transform_points(SHAPE[None], matrix, torch.zeros(1, 2), side=SIDE)
    cos, sin = tilt(points, SHAPE, side=SIDE)[0].tolist()
    assert math.degrees(math.atan2(sin, cos)) == pytest.approx(25, abs=1e-3)
    moved = warp(to_float(dots(SHAPE).byte(), channels=1), matrix, torch.zeros(1, 2))
    brightest = divmod(int(moved.argmax()), SIDE)[::-1]
    assert torch.tensor(brightest).float().sub(points[0, -1]).abs().max() < 1
