"""CNN-6/7 and the cascade: each stage's input, target and output points."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.learning.fit.step.losses import mse
from training.learning.models.registry import count_parameters, make_model
from training.learning.models.staged.base import Source, StagedNet
from training.learning.models.staged.cascade import PATCH, Cascade, cascade_networks, patches
from training.learning.models.staged.patches import PatchNets, patch_nets_parameters
from training.learning.models.staged.two_stage import TwoStage, completed
from training.storage.runs.settings.config import RunConfig
from training.storage.runs.settings.recipes import recipe_config

SHAPE = torch.tensor([[20.0, 24.0], [42.0, 24.0], [31.0, 34.0], [31.0, 46.0]])  # px of 64
STILL = {"rotation": 0.0, "scale": 0.0, "shift": 0.0}


class Constant(nn.Module):
    """Returns the same points [B, K, 2] for every input, and records its inputs."""

    def __init__(self, points: Tensor) -> None:
        super().__init__()
        self.points = points

    def forward(self, x: Tensor) -> Tensor:
        self.seen = x
        return self.points.expand(len(x), -1, -1)


def two_stage(*, side: int = 64) -> TwoStage:
    config = recipe_config("cnn-6-7").changed(input_size=side, channels=1)
    model = make_model(config, len(SHAPE), mean_shape=(SHAPE + 0.5) * side / 64 - 0.5)
    assert isinstance(model, TwoStage)
    return model


def source(mistakes: Tensor, **settings: float) -> Source:
    config = RunConfig.of(**{**STILL, **settings})  # type: ignore[arg-type]
    return Source(mistakes, config, torch.Generator().manual_seed(0))


def turned(points: Tensor, degrees: float, *, side: int = 64, grown: float = 1.0) -> Tensor:
    """Points rotated around the image's middle."""
    angle, middle = math.radians(degrees), (side - 1) / 2
    matrix = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) * grown
    return (points - middle) @ matrix.T + middle


def upright(model: TwoStage) -> Tensor:
    """The mean shape in the second image, px."""
    return (model.reference + 1) * model.side / 2 - 0.5


def test_stage_1_sees_the_mean_of_four_pixels_and_answers_in_pixels_of_the_input() -> None:
    model = two_stage(side=128)
    model.first = small = Constant(SHAPE[None])
    x = torch.rand(2, 1, 128, 128)
    points = model(x)
    assert torch.allclose(small.seen, x.view(2, 1, 64, 2, 64, 2).mean(dim=(3, 5)), atol=1e-6)
    assert torch.allclose(points[0], 2 * SHAPE + 0.5)  # the centre of four pixels
    assert [p.shape for p in model.stage_points(x)] == [(2, 4, 2)]


def test_the_second_image_is_upright_whatever_the_faces_turn() -> None:
    """A spot at the last point of a rotated face moves to its place in the mean shape, and points map back."""
    model = two_stage()
    face = turned(SHAPE, 35, grown=0.8)
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    spot = torch.exp(-((x - face[3, 0]) ** 2 + (y - face[3, 1]) ** 2) / 4)
    model.first, model.second = Constant(face[None]), Constant(upright(model)[None])
    model.begin(2)
    first, second = model.stage_points(spot[None, None])
    assert torch.allclose(first[0], face)
    assert torch.allclose(second[0], face, atol=1e-4)
    seen = model.second.seen[0, 0]
    centre = torch.stack([(seen * x).sum(), (seen * y).sum()]) / seen.sum()
    assert torch.allclose(centre, upright(model)[3], atol=0.1)


def test_the_second_image_holds_the_face_with_room_round_it() -> None:
    found = upright(two_stage())
    low, high = found.amin(dim=0), found.amax(dim=0)
    assert float((high - low).max()) == pytest.approx(0.7 * 64, abs=1e-3)
    assert torch.allclose((low + high) / 2, torch.tensor(31.5), atol=1e-3)


def test_mistakes_are_turns_and_shifts_seen_from_the_right_place() -> None:
    model = two_stage()
    points = torch.stack((SHAPE, SHAPE, SHAPE))
    mask = torch.ones(3, 4, dtype=torch.bool)
    mask[1, 1:] = False  # one label does not determine a rotation
    model_off = model.mistakes(turned(points, 10), points, mask)
    assert model_off.shape == (2, 4)
    angle = math.radians(10)
    assert torch.allclose(model_off[0, :2], torch.tensor([math.cos(angle), math.sin(angle)]), atol=1e-5)
    assert model.mistakes(points, points, mask)[0].tolist() == pytest.approx([1, 0, 0, 0], abs=1e-5)
    nothing = model.mistakes(points * 0, points, torch.zeros_like(mask))
    assert torch.isfinite(nothing).all()


def test_stage_2_learns_on_faces_put_off_as_stage_1_does() -> None:
    model = two_stage()
    model.begin(2)
    face = turned(SHAPE, -20)[None].expand(8, -1, -1)
    x, mask = torch.rand(8, 1, 64, 64), torch.ones(8, 4)
    exact = model.lesson(x, face, mask, source(torch.tensor([[1.0, 0.0, 0.0, 0.0]])))
    assert torch.allclose(exact.target, upright(model).expand(8, -1, -1), atol=1e-3)
    angle = math.radians(15)
    off = torch.tensor([[math.cos(angle), math.sin(angle), 0.0, 0.0]])
    put_off = model.lesson(x, face, mask, source(off))
    assert torch.allclose(put_off.target[0], turned(upright(model), -15), atol=1e-3)
    moved = model.lesson(x, face, mask, source(off, rotation=30.0)).target  # a third of it is added
    angles = torch.rad2deg(torch.atan2(*(moved[:, 1] - moved[:, 0]).flip(-1).unbind(-1)))
    assert angles.std() > 1
    assert (angles + 15).abs().max() <= 10.01
    boxed = model.lesson(x, face, mask, source(torch.tensor([[1.0, 0.0, 0.0, 0.0]]), box_corners=0.05)).target
    off_centre = (boxed.mean(dim=1) - upright(model).mean(dim=0)).abs().max()
    grown = (boxed[:, 1] - boxed[:, 0]).norm(dim=1) / (upright(model)[1] - upright(model)[0]).norm()
    assert 0.5 < off_centre < 0.06 * 64  # both corners to one side: 5 % of the side, of a box that may be smaller
    assert 0.9 < grown.min() < 1 < grown.max() < 1.12


def test_a_point_outside_the_second_image_counts_only_where_the_setting_keeps_it() -> None:
    model = two_stage()
    model.begin(2)
    x, mask = torch.rand(2, 1, 64, 64), torch.ones(2, 4)
    mask[0, 1] = 0
    shifted = torch.tensor([[1.0, 0.0, 1.0, 0.0]])  # by half of the second image
    for outside in ("keep", "mask"):
        drawn = source(shifted)
        drawn = replace(drawn, config=drawn.config.changed(outside=outside))
        lesson = model.lesson(x, SHAPE.expand(2, -1, -1), mask, drawn)
        seen = ((lesson.target >= -0.5) & (lesson.target <= 63.5)).all(dim=-1)
        assert 0 < int(seen.sum()) < seen.numel()
        assert lesson.mask.equal(mask if outside == "keep" else mask * seen)


def test_missing_labels_teach_nothing_and_are_made_up_for() -> None:
    model = two_stage().eval()
    model.begin(2)
    points, mask = SHAPE[None].repeat(3, 1, 1), torch.tensor([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    gradients = []
    for anything in (0.0, 1e6):
        x = torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(1))
        given = torch.where(mask[..., None] > 0, points, anything)
        lesson = model.lesson(x, given, mask, source(torch.tensor([[1.0, 0.0, 0.0, 0.0]])))
        loss = mse(lesson.pred, lesson.target, mask > 0)
        gradients.append(torch.autograd.grad(loss, list(model.trained.parameters())))
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert all(torch.isfinite(g).all() for g in gradients[0])


def test_a_shape_is_completed_by_the_prediction_moved_to_the_labels() -> None:
    points, pred = (
        torch.tensor([[[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]]]),
        torch.tensor([[[0.0, 0.0], [1.0, 1.0], [5.0, 5.0]]]),
    )
    mask = torch.tensor([[True, True, False]])
    assert completed(points, mask, pred).tolist() == [[[1, 2], [3, 4], [6.5, 7.5]]]
    assert completed(points, mask & False, pred).equal(pred)


@pytest.mark.parametrize("name", ["cnn-6-7", "cascade"])
def test_only_the_network_of_the_stage_is_trained(name: str) -> None:
    config = recipe_config(name).changed(channels=1, input_size=64)
    model = make_model(config, 4, mean_shape=SHAPE)
    assert isinstance(model, StagedNet)
    x, mask = torch.rand(2, 1, 64, 64), torch.ones(2, 4)
    mistakes = model.mistakes(SHAPE + torch.rand(5, 4, 2), SHAPE.expand(5, -1, -1), torch.ones(5, 4))
    for number, (busy, idle) in enumerate(((model.first, model.second), (model.second, model.first)), 1):
        model.zero_grad()
        model.begin(number)
        model.train()
        assert (busy.training, idle.training) == (True, False)
        assert model.trained is busy
        pred, target, _ = model.lesson(x, SHAPE.expand(2, -1, -1), mask, source(mistakes))
        (pred - target).square().sum().backward()
        assert all(p.grad is not None for p in busy.parameters())
        assert all(p.grad is None for p in idle.parameters())


@pytest.mark.parametrize("channels", [1, 3])
def test_the_grouped_network_is_one_network_a_keypoint(channels: int) -> None:
    """The same result as K networks, each with its patch and its share of the weights."""
    torch.manual_seed(0)
    nets = PatchNets(keypoints=3, channels=channels, side=PATCH).double()
    assert count_parameters(nets) == patch_nets_parameters(keypoints=3, channels=channels, side=PATCH)
    x = torch.randn(4, 3 * channels, PATCH, PATCH, dtype=torch.float64)
    found = nets(x).view(4, 3, 2)
    for k in range(3):
        y = F.pixel_unshuffle(x.view(4, 3, channels, PATCH, PATCH)[:, k], 2)
        for n, conv in enumerate((*nets.convs, nets.hidden)):
            weight, bias = (p.chunk(3)[k] for p in conv.parameters())
            y = F.conv2d(y, weight, bias, padding=1 if n < 3 else 0)
            y = F.relu(F.max_pool2d(y, 2) if n < 2 else y)
        weight, bias = (p.chunk(3)[k] for p in nets.output.parameters())
        assert torch.allclose(F.conv2d(y, weight, bias).flatten(1), found[:, k], atol=1e-12)


def test_patches_are_the_pixels_round_their_centres() -> None:
    x = torch.rand(2, 3, 96, 96)
    centres = torch.tensor([[[30.5, 40.5], [60.5, 50.5]], [[24.5, 24.5], [0.5, 95.5]]])
    found = patches(x, centres).view(2, 2, 3, PATCH, PATCH)
    for b, k in ((0, 0), (0, 1), (1, 0)):
        left, top = (int(c - 24.5) for c in centres[b, k])
        assert torch.allclose(found[b, k], x[b, :, top : top + PATCH, left : left + PATCH], atol=1e-5)
    assert torch.allclose(found[1, 1, :, 40, 0], x[1, :, 95, 0], atol=1e-5)  # outside: the border


def cascade(keypoints: int) -> Cascade:
    networks = cascade_networks(input_size=96, channels=1, outputs=2 * keypoints, dropout=0.0)
    return Cascade(list(networks), torch.full((keypoints, 2), 47.5), targets="offset", input_size=96)


def test_patches_are_put_off_by_that_keypoints_own_mistakes() -> None:
    model = cascade(3)
    points = torch.full((6, 3, 2), 40.0)
    mask = torch.ones(6, 3, dtype=torch.bool)
    mask[2:, 1] = False
    mask[:, 2] = False
    pred = points.clone()
    pred[:, 0, 0] += torch.arange(6.0)
    pred[:, 1, 1] -= 100 + torch.arange(6.0)
    found = model.mistakes(pred, points, mask)
    assert set(found[:, 0, 0].tolist()) == {0, 1, 2, 3, 4, 5}
    assert set(found[:, 1, 1].tolist()) == {-100, -101}
    assert len(found[:, 2].unique(dim=0)) == 8  # unlabelled: the errors of all
    model.begin(2)
    for name, value in model.second.named_parameters():
        if name.startswith("output"):
            nn.init.zeros_(value)
    lesson = model.lesson(torch.rand(6, 1, 96, 96), points, mask, source(found))
    off = lesson.pred - lesson.target  # zero output means the patch's centre
    assert set(off[:, 1, 1].tolist()) == {-100, -101}
    assert set(off[:, 0, 0].tolist()) <= {0, 1, 2, 3, 4, 5}
    assert len(set(off[:, 0, 0].tolist())) > 1


def test_mistakes_take_no_more_room_than_the_faces_they_are_of() -> None:
    points = torch.rand(7, 3, 2)
    found = cascade(3).mistakes(points + 1, points, torch.ones(7, 3, dtype=torch.bool))
    assert found.shape == (7, 3, 2)


def test_a_single_keypoint_is_not_enlarged_and_its_errors_count() -> None:
    model = make_model(recipe_config("cnn-6-7").changed(channels=1), 1, mean_shape=SHAPE[:1])
    assert isinstance(model, TwoStage)
    model.begin(2)
    assert model.unit() == 1


def test_level_2_starts_from_level_1s_points() -> None:
    model = make_model(recipe_config("cascade"), 4, mean_shape=SHAPE)
    assert isinstance(model, Cascade)
    model.eval().begin(2)
    first, second = model.stage_points(torch.randn(2, 1, 96, 96))
    assert torch.allclose(first, second, atol=1)
    assert not torch.equal(first, second)
