"""Losses: hand-computed numbers, gradients, and no effect of missing labels."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from training.learning.fit.step.losses import LOSSES, make_loss, wing

W, EPSILON = 10.0, 2.0


def one(name: str, error: float, **options: float) -> float:
    """The loss of one image with one point whose x is off by error and whose y is exact: half of one coordinate's."""
    pred = torch.tensor([[[error, 0.0]]], dtype=torch.float64)
    zero = torch.zeros_like(pred)
    return 2 * float(LOSSES[name](pred, zero, torch.ones(1, 1, dtype=torch.bool), **options))


@pytest.mark.parametrize(
    ("name", "error", "expected"),
    [
        ("mse", 3.0, 9.0),
        ("mse", -0.5, 0.25),
        ("l2", 3.0, 4.5),
        ("l2", -0.5, 0.125),
        ("l1", -3.0, 3.0),
        ("l1", 0.25, 0.25),
        ("smooth_l1", 0.5, 0.125),
        ("smooth_l1", 1.0, 0.5),
        ("smooth_l1", -3.0, 2.5),
        ("wing", 0.0, 0.0),
        ("wing", -1.0, 10 * math.log(1.5)),  # w ln(1 + 1/2)
        ("wing", 3.0, 10 * math.log(2.5)),  # w ln(1 + 3/2)
        ("wing", 10.0, 10 * math.log(6)),  # both branches give this
        ("wing", 10.5, 10 * math.log(6) + 0.5),  # from there with slope 1
        ("wing", -14.0, 14 - (10 - 10 * math.log(6))),  # |x| - C
    ],
)
def test_values_by_hand(name: str, error: float, expected: float) -> None:
    assert one(name, error) == pytest.approx(expected, rel=1e-12)


def test_wing_has_no_jump_where_it_changes() -> None:
    for w, epsilon in ((10.0, 2.0), (15.0, 3.0), (4.0, 0.5)):
        below, above = (one("wing", w + d, w=w, epsilon=epsilon) for d in (-1e-9, 1e-9))
        assert above - below == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(("w", "epsilon"), [(10.0, 2.0), (15.0, 3.0), (4.0, 0.5), (14.0, 1.0)])
def test_wing_with_other_parameters_by_hand(w: float, epsilon: float) -> None:
    """CNN-7 takes w = 15, epsilon = 3; the grid of Table 2 goes from 4 to 14 and 0.5 to 3."""
    options = {"w": w, "epsilon": epsilon}
    assert one("wing", epsilon, **options) == pytest.approx(w * math.log(2), rel=1e-12)
    assert one("wing", 2 * w, **options) == pytest.approx(w + w * math.log(1 + w / epsilon), rel=1e-12)


WEIGHTED = {  # two points of one image: off by (3, 4) with weight 0.5 and by (1, 0) with weight 2
    "mse": 0.5 * 25 + 2 * 1,
    "l2": 0.5 * 12.5 + 2 * 0.5,
    "l1": 0.5 * 7 + 2 * 1,
    "smooth_l1": 0.5 * (2.5 + 3.5) + 2 * 0.5,
    "wing": 10 * (0.5 * (math.log(2.5) + math.log(3)) + 2 * math.log(1.5)),
}


@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize(("reduction", "divisor"), [("mean", 2 * 2.5), ("masked-eq4", 6), ("wing-eq3", 1)])
def test_weights_by_hand(name: str, reduction: str, divisor: float) -> None:
    pred = torch.tensor([[[3.0, -4.0], [1.0, 0.0], [99.0, 99.0]]], dtype=torch.float64)
    mask, weight = torch.tensor([[True, True, False]]), torch.tensor([[0.5, 2.0, 7.0]])
    found = make_loss(name, reduction=reduction)(pred, torch.zeros_like(pred), mask, weight)
    assert float(found) == pytest.approx(WEIGHTED[name] / divisor, rel=1e-6)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_weight_of_0_is_a_missing_label_and_a_weight_of_1_changes_nothing(name: str) -> None:
    generator = torch.Generator().manual_seed(7)
    pred, target = (torch.randn(4, 5, 2, generator=generator) * 9 for _ in range(2))
    mask = torch.rand(4, 5, generator=generator) > 0.3
    left_out = torch.rand(4, 5, generator=generator) > 0.5
    target[left_out] = float("nan")
    loss = make_loss(name)
    without = loss(pred, target, mask & ~left_out)
    assert torch.equal(loss(pred, target, mask, (~left_out).float()), without)
    assert torch.equal(loss(pred, target, mask & ~left_out, torch.ones(4, 5)), without)
    assert torch.allclose(loss(pred, target, mask, (~left_out) * 0.01), without)  # a mean: only proportions count


def test_reductions_by_hand() -> None:
    pred = torch.tensor([[[3.0, 4.0], [9.0, 9.0]], [[1.0, 0.0], [0.0, 2.0]]])
    mask = torch.tensor([[True, False], [True, True]])
    target = torch.zeros_like(pred)
    total = 9 + 16 + 1 + 4
    for reduction, divisor in (("mean", 6), ("masked-eq4", 8), ("wing-eq3", 2)):
        assert float(make_loss("mse", reduction=reduction)(pred, target, mask)) == pytest.approx(total / divisor)
    with pytest.raises(ValueError, match="unknown reduction"):
        make_loss("mse", reduction="other")(pred, target, mask)


@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize("reduction", ["mean", "masked-eq4", "wing-eq3"])
def test_gradients(name: str, reduction: str) -> None:
    generator = torch.Generator().manual_seed(3)
    pred = (torch.rand(3, 4, 2, generator=generator, dtype=torch.float64) * 30).requires_grad_()
    target = torch.rand(3, 4, 2, generator=generator, dtype=torch.float64) * 30
    mask = torch.rand(3, 4, generator=generator) > 0.4
    target[~mask] = float("nan")
    weight = torch.rand(3, 4, generator=generator, dtype=torch.float64) * mask
    loss = make_loss(name, reduction=reduction)
    for given in (None, weight):
        assert torch.autograd.gradcheck(lambda p, given=given: loss(p, target, mask, given), (pred,))


@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize("reduction", ["mean", "masked-eq4", "wing-eq3"])
@pytest.mark.parametrize("weighted", [False, True])
def test_nothing_present_is_zero_with_zero_gradient(name: str, reduction: str, weighted: bool) -> None:
    pred = torch.randn(2, 3, 2, requires_grad=True)
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    weight = torch.ones(2, 3) if weighted else None
    loss = make_loss(name, reduction=reduction)(pred, torch.full((2, 3, 2), float("nan")), nothing, weight)
    loss.backward()
    assert float(loss.detach()) == 0
    assert pred.grad is not None
    assert not pred.grad.any()


def gradients(target: Tensor, mask: Tensor, name: str) -> list[Tensor]:
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.Unflatten(1, (4, 2)))
    make_loss(name)(model(torch.randn(5, 6)), target, mask).backward()
    return [p.grad for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_figure_8_whatever_stands_at_a_missing_label_changes_no_gradient(name: str) -> None:
    target = torch.randn(5, 4, 2)
    mask = torch.rand(5, 4, generator=torch.Generator().manual_seed(1)) > 0.5
    wanted = gradients(target, mask, name)
    for other in (0.0, 1e30, float("inf"), float("nan")):
        changed = torch.where(mask[..., None], target, torch.tensor(other))
        assert all(torch.equal(a, b) for a, b in zip(wanted, gradients(changed, mask, name), strict=True))


def test_a_missing_label_has_no_error() -> None:
    pred, mask = torch.zeros(1, 2, 2), torch.tensor([[True, False]])
    target = torch.tensor([[[2.0, 2.0], [50.0, 50.0]]])
    assert float(wing(pred, target, mask, w=W, epsilon=EPSILON)) == pytest.approx(10 * math.log(2))
