"""The light network, learned label offsets, marking schemes, and self-training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.helpers.training_data import SCHEMA, SIDE, make_data, make_run
from training.errors import UserError
from training.learning.augment.batch import augment
from training.learning.fit.step.losses import l1
from training.learning.fit.step.optim import make_optimizer, set_rate
from training.learning.fit.step.self_training import SelfTraining
from training.learning.fit.train_run import train_run
from training.learning.inference.averaged_views import (
    averaged_points,
    points_and_disagreement,
    points_and_spread,
    views_of,
)
from training.learning.inference.checkpoint import load_model, load_resume
from training.learning.inference.predictor import Predictor
from training.learning.models.learned_offsets import LabelOffsets, labelled, offsets_of, unlabelled
from training.learning.models.light import (
    LightPoints,
    each_head,
    light_networks,
    light_parameters,
    scaled_widths,
    soft_argmax,
)
from training.learning.models.registry import count_parameters, make_model, recipe_parameters
from training.storage.project.project import Project
from training.storage.runs.events import RunFinished
from training.storage.runs.inputs.data import RunData
from training.storage.runs.inputs.marking_schemes import find_schemes, scheme_words
from training.storage.runs.inputs.snapshot import Snapshot, load_schemes, load_snapshot, snapshot_project, with_schemes
from training.storage.runs.settings.config import RunConfig, with_overrides
from training.storage.runs.settings.recipes import recipe_config

FLIP = torch.tensor(SCHEMA.flip)  # left and right eye change places, the nose stays


def tiny(**settings: str) -> RunConfig:
    values = {
        "input_size": "32",
        "width": "0.1",
        "batch_size": "24",
        "epochs": "6",
        "precision": "float32",
        "threads": "1",
        "device": "cpu",
    }
    return with_overrides(recipe_config("recommended"), {**values, **settings})


def test_soft_argmax_is_the_mean_place() -> None:
    even = torch.zeros(1, 1, 2, 2)
    assert soft_argmax(even, stride=4).tolist() == [[[3.5, 3.5]]]  # cells' centres at 1.5 and 5.5 px
    upper_right = torch.tensor([[[[0.0, 3.0], [0.0, 0.0]]]]).log1p()  # odds 1, 4, 1, 1
    expected = torch.tensor([(2 * 1.5 + 5 * 5.5) / 7, (5 * 1.5 + 2 * 5.5) / 7])
    torch.testing.assert_close(soft_argmax(upper_right, stride=4)[0, 0], expected)


@pytest.mark.parametrize(("side", "width", "channels"), [(64, 0.5, 3), (96, 1.0, 1), (128, 1.5, 1)])
def test_size_and_shape(side: int, width: float, channels: int) -> None:
    config = recipe_config("recommended").changed(input_size=side, width=width, channels=channels)
    model = make_model(config, 7, schemes=3)
    assert count_parameters(model) == recipe_parameters(config, 7, schemes=3)
    network = light_parameters(input_size=side, channels=channels, outputs=14, width=width)
    assert recipe_parameters(config, 7, schemes=3) == network + 3 * 7 * 2
    assert model.eval()(torch.zeros(2, channels, side, side)).shape == (2, 7, 2)
    assert all(c % 8 == 0 for c in scaled_widths(width))


def test_the_default_has_about_a_million_parameters() -> None:
    counts = [recipe_parameters(recipe_config(name), 15) for name in ("recommended", "fast", "best")]
    assert counts == [1_130_523, 310_803, 2_493_859]


def light() -> LightPoints:
    torch.manual_seed(0)
    networks = light_networks(input_size=32, channels=1, outputs=6, dropout=0.0, width=0.1)
    return LightPoints(list(networks), torch.full((3, 2), 15.5), targets="offset", input_size=32)


def test_a_missing_point_has_no_gradient_in_either_head() -> None:
    model = light()
    points, mask = torch.rand(4, 3, 2) * 32, torch.tensor([True, False, True]).expand(4, 3)
    pred, target, there = each_head(model.heads(torch.randn(4, 1, 32, 32)), points, mask)
    assert pred.shape == (8, 3, 2)
    torch.testing.assert_close(pred[0::2].add(pred[1::2]) / 2, pred.view(4, 2, 3, 2).mean(dim=1))
    l1(pred, target, there).backward()
    for name in ("maps", "offsets"):
        gradient = model.get_parameter(f"network.output.{name}.weight").grad
        assert gradient is not None
        assert (gradient.view(3, -1).abs().sum(dim=1) > 0).tolist() == [True, False, True]


# ---- label offsets


class Offsets(nn.Module):
    """A model that consists of its label offsets."""

    def __init__(self, schemes: int = 1) -> None:
        super().__init__()
        self.offsets = LabelOffsets(3, schemes)


def own_offsets(model: nn.Module) -> LabelOffsets:
    found = offsets_of(model)
    assert found is not None
    return found


def others(model: nn.Module) -> nn.Parameter:
    """The offsets of all schemes but the default one."""
    found = own_offsets(model).scheme
    assert found is not None
    return found


def test_an_offset_turns_and_mirrors_with_the_image() -> None:
    """A left eye at (9, 10) labelled 1 px too far right, mirrored at 32 px: a right eye at 31 - 9."""
    model = Offsets()
    model.offsets.common.data = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    labels = torch.tensor([[[10.0, 10.0], [20.0, 10.0], [15.0, 20.0]]])
    config = tiny(flip="1", rotation="0", scale="0", shift="0")
    images, mask = torch.zeros(1, 32, 32, dtype=torch.uint8), torch.ones(1, 3, dtype=torch.bool)
    generator = torch.Generator().manual_seed(0)
    places = unlabelled(model, labels, 0)
    _, points, _ = augment(images, places, mask, config=config, flip=FLIP, generator=generator)
    torch.testing.assert_close(points[0], torch.tensor([[11.0, 8.0], [22.0, 10.0], [16.0, 20.0]]))


def test_an_offset_of_the_labels_is_found_though_images_are_turned_and_mirrored() -> None:
    """The network is exact: what remains is 1.2 px to the right, and half a px down for the nose."""
    model, truth = Offsets(), torch.tensor([[1.2, 0.0], [1.2, 0.0], [1.2, 0.5]])
    places = torch.rand(64, 3, 2, generator=torch.Generator().manual_seed(1)) * 20 + 6
    noise = torch.randn(64, 3, 2, generator=torch.Generator().manual_seed(2))
    images, mask = torch.zeros(64, 32, 32, dtype=torch.uint8), torch.ones(64, 3, dtype=torch.bool)
    config = tiny(rotation="30")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for step in range(60):
        both = [places, unlabelled(model, places + truth + noise - noise.mean(dim=0), 0)]
        pred, target = (
            augment(images, p, mask, config=config, flip=FLIP, generator=torch.Generator().manual_seed(step))[1]
            for p in both
        )
        optimizer.zero_grad()
        l1(pred, target, mask).backward()
        optimizer.step()
    assert (model.offsets.common - truth).abs().max() < 0.35  # the median of 64 labels with a noise of 1 px
    assert (model.offsets.common - truth).abs().mean() < 0.2


class Constant(nn.Module):
    """Symmetrical points for every image."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets = LabelOffsets(3, 2)
        self.offsets.common.data = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.5, -0.5]])
        others(self).data = torch.tensor([[[0.0, 3.0], [0.0, 0.0], [0.0, 0.0]]])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tensor([[20.0, 10.0], [11.0, 10.0], [15.5, 20.0]]).expand(len(x), 3, 2)


def test_the_offset_is_added_after_mirrored_views_are_averaged() -> None:
    x, model = torch.zeros(2, 1, SIDE, SIDE), Constant()
    plain = torch.tensor([[21.0, 10.0], [12.0, 10.0], [16.0, 19.5]])
    torch.testing.assert_close(averaged_points(model, x, flip=FLIP, flip_average=True)[0], plain)
    each = averaged_points(model, x, flip=FLIP, flip_average=True, scheme=torch.tensor([0, 1]))
    torch.testing.assert_close(each[0], plain)
    assert (each[1] - plain).tolist() == [[0, 3], [0, 0], [0, 0]]
    points, disagreement = points_and_disagreement(model, x, flip=FLIP, flip_average=True, scheme=1)
    torch.testing.assert_close(points[0], each[1])
    found, spread = points_and_spread(model, x, flip=FLIP, scheme=1)
    torch.testing.assert_close(found[0], each[1])
    assert spread.max() < 1e-5
    assert disagreement.shape == spread.shape == (2, 3)


@pytest.mark.parametrize("flip_average", [False, True])
def test_heads_tell_of_confidence_in_no_more_passes_than_points_need(flip_average: bool) -> None:
    x, seen = torch.rand(2, 1, 96, 96), []
    config = RunConfig.of(model="light", width=0.5)
    model = make_model(config, 3, mean_shape=torch.full((3, 2), 48.0)).eval()
    model.network.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    assert views_of(model) == "heads"
    assert views_of(Constant()) == "moved"
    with torch.no_grad():
        plain = averaged_points(model, x, flip=FLIP, flip_average=flip_average)
        seen.clear()
        points, disagreement = points_and_disagreement(
            model, x, flip=FLIP, flip_average=flip_average, views=views_of(model)
        )
        assert sum(seen) == (4 if flip_average else 2)
        heads = model.heads(x)
    torch.testing.assert_close(points, plain)
    if not flip_average:
        apart = (heads[:, 0] - heads[:, 1]).norm(dim=-1) / 2**0.5 / 96
        torch.testing.assert_close(disagreement, apart)


def test_a_scheme_learns_from_its_own_rows_alone() -> None:
    model = Offsets(schemes=3)
    places = unlabelled(model, torch.zeros(4, 3, 2), torch.tensor([0, 1, 1, 0]))
    places.sum().backward()
    gradients = others(model).grad, model.offsets.common.grad
    assert gradients[0] is not None
    assert gradients[1] is not None
    assert gradients[0][:, 0, 0].tolist() == [-2, 0]
    assert gradients[1][0, 0] == -4
    assert labelled(nn.Module(), torch.ones(1, 3, 2), 0).sum() == 6  # a model without offsets


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_offsets_have_ten_times_the_rate_and_the_common_ones_no_decay(optimizer: str) -> None:
    model = make_model(tiny(optimizer=optimizer), 3, schemes=2)
    made = make_optimizer(model, tiny(optimizer=optimizer))
    set_rate(made, 0.01)
    rates = {id(p): (g["lr"], g["weight_decay"]) for g in made.param_groups for p in g["params"]}
    assert len(rates) == len(list(model.parameters()))
    offsets = own_offsets(model)
    assert rates[id(offsets.common)] == (pytest.approx(0.1), 0.0)
    assert rates[id(others(model))][0] == pytest.approx(0.1)
    assert {rate for key, (rate, _) in rates.items() if key not in map(id, offsets.parameters())} == {0.01}


def test_a_model_of_two_stages_cannot_have_them() -> None:
    with pytest.raises(UserError, match="two stages"):
        make_model(recipe_config("cnn-6-7").changed(label_offset=True), 3)


# ---- marking schemes


def test_schemes_are_found_by_import_and_by_pattern() -> None:
    marked = np.ones((240, 4), bool)
    marked[100:180, 2:] = False  # 80 rows of the first import have the same two points
    marked[:3, 0] = False  # some lack a point occasionally: not a separate scheme
    places = ["a"] * 180 + ["b"] * 60
    train = np.ones(240, bool)
    found = find_schemes(marked, places, train=train, how="auto")
    assert found is not None
    assert found.names == ("a, 4 points", "b", "a, 2 points")  # by their number of labelled points
    assert found.rows.tolist() == [0] * 100 + [2] * 80 + [1] * 60
    by_import = find_schemes(marked, places, train=train, how="import")
    assert by_import is not None
    assert (by_import.names, by_import.rows[-1]) == (("a", "b"), 1)
    by_pattern = find_schemes(marked, [""] * 240, train=train, how="pattern")
    assert by_pattern is not None
    assert by_pattern.names == ("4 points", "2 points")


def test_rows_too_few_for_a_scheme_speak_the_default_one() -> None:
    marked = np.ones((100, 4), bool)
    marked[80:, 1:] = False
    assert find_schemes(marked, [""] * 100, train=np.ones(100, bool), how="pattern") is None
    assert find_schemes(marked, ["a"] * 80 + ["b"] * 20, train=np.ones(100, bool), how="auto") is None


def test_a_small_project_has_one_scheme_and_words_name_several(project_path: Path) -> None:
    with Project.open(project_path, read_only=True) as project:
        snapshot = snapshot_project(project)
        assert with_schemes(project, snapshot, tiny()) is snapshot
    assert scheme_words(()) == ""
    assert scheme_words(("a", "b")) == (
        'Points follow the scheme of each face\'s own source, and "a" on other faces (the model knows "a" and "b").'
    )
    assert scheme_words(("a", "b"), "b").startswith('Points follow the scheme "b" ')


# ---- self-training


def self_training(unset: np.ndarray) -> SelfTraining:
    data, _ = make_data()
    found = SelfTraining.of(replace(data, unset=unset), strength=0.5, seed=0, device=torch.device("cpu"))
    assert found is not None
    return found


def test_only_unset_points_of_train_rows_are_taken_and_weigh_what_the_views_agree_on() -> None:
    data, _ = make_data()
    unset = ~data.mask
    unset[0, 0] = False  # absent: decided by a person
    unset[60] = True  # a val row
    pupil = self_training(unset)
    rows = torch.arange(64)
    pupil.take(rows, torch.full((64, 3, 2), 7.0), torch.full((64, 3), 1 / 3))  # a pixel of 96 at side 32
    points, weight = pupil.complete(rows, torch.zeros(64, 3, 2), torch.from_numpy(data.mask))
    assert weight[0].tolist() == [0, -0.25, 1]
    assert weight[60].tolist() == [1, 1, 1]
    assert (points[weight < 0] == 7).all()
    assert (points[weight >= 0] == 0).all()
    assert SelfTraining.of(data, strength=0.5, seed=0, device=torch.device("cpu")) is None
    none = replace(data, unset=np.zeros_like(unset))
    assert SelfTraining.of(none, strength=0.5, seed=0, device=torch.device("cpu")) is None


def test_rounds_begin_at_a_third_of_the_budget_and_large_sets_take_several() -> None:
    pupil = self_training(np.ones((64, 3), bool))
    assert [pupil.is_due(done) for done in (0.3, 0.36)] == [False, True]
    first = pupil.begin(0.36, seen=80)
    assert (len(first), pupil.is_due(0.4), pupil.is_due(0.5)) == (20, False, True)
    second = pupil.begin(0.5, seen=100)
    assert not set(first.tolist()) & set(second.tolist())
    assert len(pupil.begin(0.9, seen=10_000)) == 48
    assert not pupil.is_due(1.0)


# ---- whole runs


def data_of_two_schemes() -> tuple[Snapshot, RunData]:
    data, snapshot = make_data()
    rows = (~data.mask[:, 0]).astype(np.int64)
    names = np.array(["3 points", "1 point"])
    snapshot = replace(snapshot, schemes=rows, scheme_names=names)
    return snapshot, replace(data, unset=~data.mask, schemes=rows, scheme_names=tuple(names.tolist()))


def test_a_run_goes_on_exactly_and_its_model_speaks_its_schemes(tmp_path: Path) -> None:
    snapshot, data = data_of_two_schemes()
    whole, parts = (make_run(tmp_path / name, tiny(), snapshot) for name in "ab")
    assert isinstance(train_run(whole, data=data), RunFinished)
    calls = iter(range(100))
    train_run(parts, data=data, should_stop=lambda: next(calls) == 7)  # in the fourth epoch, after the first round
    train_run(parts, data=data, resume=True)
    one, other = load_resume(whole.resume), load_resume(parts.resume)
    assert all(torch.equal(value, other["model"][name]) for name, value in one["model"].items())
    assert one["self_training"]["round"] == 5
    assert (one["self_training"]["weight"] > 0).all()
    model, info = load_model(whole)
    assert info.schemes == ("3 points", "1 point")
    assert own_offsets(model).common.abs().max() > 0
    predictor = Predictor.load(whole, "cpu")
    project = whole.path.parent.parent
    known = predictor.schemes_of(project, np.array([0, 40, 9999]))
    assert known is not None
    assert known.tolist() == [1, 0, 0]
    assert predictor.schemes_of(tmp_path, np.array([0])) is None
    images = data.images[np.arange(2)]
    default = predictor.predict_points(images)
    both = predictor.predict_points(images, np.array([0, 1]))
    np.testing.assert_allclose(both[0], default[0], atol=1e-4)
    added = others(model).detach().numpy()[0]
    np.testing.assert_allclose(both[1] - default[1], added, atol=1e-4)
    predictor.speak("1 point")
    np.testing.assert_allclose(predictor.predict_points(images) - default, np.stack([added] * 2), atol=1e-4)
    with pytest.raises(UserError, match='it knows "3 points" and "1 point"'):
        predictor.speak("another")


def test_the_snapshot_keeps_schemes_and_old_ones_have_none(tmp_path: Path) -> None:
    snapshot, _ = data_of_two_schemes()
    found = load_snapshot(make_run(tmp_path, tiny(), snapshot))
    np.testing.assert_array_equal(found.schemes, snapshot.schemes)
    np.testing.assert_array_equal(found.scheme_names, ["3 points", "1 point"])
    old = make_run(tmp_path / "old", tiny(), replace(snapshot, schemes=None, scheme_names=None))
    assert load_snapshot(old).schemes is None
    assert load_schemes(old, 2) is None
    assert load_schemes(make_run(tmp_path, tiny(), snapshot), 1) is None  # of a model with fewer points
