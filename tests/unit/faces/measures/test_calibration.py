"""Recovers errors drawn from a known law; probabilities ascend; budgets match a search over every threshold."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from training.errors import UserError
from training.faces.labels.schema import KAGGLE_15
from training.faces.measures.calibration import Calibration, default_calibration, face_sizes, fit_calibration
from training.faces.measures.error_budget import ErrorBudget, affordable, expected_wrong
from training.faces.measures.error_curve import CLOSE, LIMITS, ErrorCurve, usual_curve
from training.faces.measures.reliability import Judged, budget_kept, judge, reliability, risk_curve

POWER = 2.0  # of the Weibull law that the errors are drawn from


def drawn(faces: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Disagreement [N, 3], sizes [N], errors [N, 3], and the true scales: P(error > t) = exp(-(t / scale)^2)."""
    rng = np.random.default_rng(seed)
    disagreement = np.exp(rng.normal(-5, 0.7, (faces, 3)))
    sizes = np.exp(rng.normal(np.log(0.33), 0.2, faces))
    scales = 0.06 * np.array([0.8, 1.0, 1.5]) * (disagreement / np.exp(-5)) ** 0.5 * (0.33 / sizes[:, None])
    return disagreement, sizes, scales * rng.weibull(POWER, scales.shape), scales


def test_a_known_distribution_of_errors_is_found_again() -> None:
    disagreement, sizes, errors, _ = drawn(1500)
    found = fit_calibration(disagreement, errors, sizes)
    new_disagreement, new_sizes, _, scales = drawn(500, seed=1)
    for beyond in (0.03, 0.05, 0.10, 0.20):
        true = np.exp(-((beyond / scales) ** POWER))
        predicted = found.wrong(new_disagreement, new_sizes, beyond=beyond)
        assert np.abs(predicted - true).mean() < 0.02
    median = found.errors.error(found.probability(new_disagreement, new_sizes))
    assert np.abs(np.log(median / (scales * np.log(2) ** (1 / POWER)))).mean() < 0.1


def test_wrong_falls_as_the_limit_grows_and_as_the_confidence_does() -> None:
    disagreement, sizes, errors, _ = drawn(200)
    curve = fit_calibration(disagreement, errors, sizes).errors
    wrong = np.array([curve.wrong(np.array([0.1, 0.5, 0.9, 0.999]), t) for t in np.geomspace(0.01, 0.6, 30)])
    assert (np.diff(wrong, axis=0) < 0).all() and (np.diff(wrong, axis=1) < 0).all()


def test_the_confidence_is_the_probability_at_ten_per_cent() -> None:
    sure = np.array([0.05, 0.5, 0.95])
    curve = ErrorCurve(tuple(1.3 * np.log(np.array(LIMITS) / CLOSE)))
    assert curve.wrong(sure, 0.10) == pytest.approx(1 - sure)
    assert curve.wrong(sure, 0.05) == pytest.approx((1 - sure) ** (0.5**1.3))
    assert curve.wrong(sure, 0.60) == pytest.approx((1 - sure) ** (6**1.3))
    assert curve.wrong(sure, float(curve.error(sure[1:2])[0]))[1] == pytest.approx(0.5)
    assert curve.wrong(sure, float(curve.error(sure[2:], share=0.9)[0]))[2] == pytest.approx(0.1)
    assert np.isnan(curve.wrong(np.array([np.nan]), 0.05)).all()


def test_certainty_stays_a_number() -> None:
    assert 0 < usual_curve().wrong(np.array([1.0], np.float32), 0.05)[0] < 0.02
    assert usual_curve().wrong(np.array([0.0], np.float32), 0.05)[0] == pytest.approx(1, abs=1e-5)


def test_a_calibration_survives_being_written_and_old_ones_are_read() -> None:
    disagreement, sizes, errors, _ = drawn(100)
    found = fit_calibration(disagreement, errors, sizes)
    assert Calibration.from_json(json.loads(json.dumps(found.to_json()))) == found
    old = Calibration.from_json({"slopes": [-0.5, -0.7], "intercepts": [-6.0] * 3, "fitted_on": 6600})
    logit = -0.5 * np.log(disagreement + 1e-4) - 0.7 * np.log(disagreement.mean(axis=1, keepdims=True) + 1e-4) - 6
    assert old.probability(disagreement, sizes) == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)
    assert old.errors == usual_curve()
    assert "curve" not in old.to_json()
    assert old.views == found.views == "moved"  # a file without the number of views has four, as was usual
    heads = replace(found, views="heads")
    assert Calibration.from_json(json.loads(json.dumps(heads.to_json()))) == heads


@pytest.mark.parametrize(
    "change",
    [
        {"curve": {"limits": list(LIMITS), "log_hazards": [0.0] * len(LIMITS)}},
        {"curve": {"limits": [0.1], "log_hazards": [0.0]}},
        {"curve": []},
        {"slopes": [1.0]},
    ],
)
def test_a_damaged_calibration_is_refused(change: dict[str, object]) -> None:
    values = default_calibration(3).to_json()
    with pytest.raises(UserError, match="cannot be read"):
        Calibration.from_json({**values, **change})


def test_few_labels_stay_near_the_cautious_guess_and_many_leave_it() -> None:
    disagreement, sizes, errors, _ = drawn(1500)
    true = (errors > CLOSE).mean()
    guess = default_calibration(3).wrong(disagreement, sizes, beyond=CLOSE).mean()
    few = fit_calibration(disagreement[:8], errors[:8], sizes[:8]).wrong(disagreement, sizes, beyond=CLOSE).mean()
    many = fit_calibration(disagreement, errors, sizes).wrong(disagreement, sizes, beyond=CLOSE).mean()
    assert true + 0.03 < few < guess
    assert many == pytest.approx(true, abs=0.02)


def test_the_budget_is_what_trying_every_threshold_gives() -> None:
    rng = np.random.default_rng(2)
    confidences = np.round(rng.beta(4, 1, 400), 2).astype(np.float32)  # many have equal confidence
    curve = ErrorCurve(tuple(1.7 * np.log(np.array(LIMITS) / CLOSE)))
    for at_most, beyond in ((0.02, 0.10), (0.05, 0.10), (0.3, 0.05), (0.999, 0.05)):
        found = affordable(np.append(confidences, np.float32(np.nan)), curve, ErrorBudget(at_most, beyond))
        tried = [confidences[confidences >= t] for t in np.unique(confidences)]
        best = max((len(taken) for taken in tried if curve.wrong(taken, beyond).mean() <= at_most), default=0)
        taken = confidences[confidences >= np.float32(found.threshold)]
        assert found.points == len(taken) == best
        assert found.wrong == pytest.approx(curve.wrong(taken, beyond).mean())
    assert affordable(confidences, curve, ErrorBudget(1e-6, 0.02)).points == 0
    assert (np.diff(expected_wrong(np.sort(confidences)[::-1], curve, beyond=0.05)) >= 0).all()


def test_the_share_wrong_stays_within_the_budget_on_other_faces() -> None:
    disagreement, sizes, errors, _ = drawn(1500)
    found = fit_calibration(disagreement, errors, sizes)
    disagreement, sizes, errors, _ = drawn(3000, seed=5)
    judged = Judged(found.probability(disagreement, sizes).ravel(), errors.ravel())
    accepted, expected, real = budget_kept(judged, found.errors, ErrorBudget(0.05, 0.10))
    assert accepted > 0.3
    assert expected == pytest.approx(0.05, abs=1e-3)
    assert real == pytest.approx(0.05, abs=0.01)


def test_reliability_and_risk_are_counted_by_hand() -> None:
    """Four points at 0.9 (one wrong) and four at 0.5 (three wrong)."""
    judged = Judged(np.array([0.9] * 4 + [0.5] * 4, np.float32), np.array([0.01, 0.2, 0.05, 0.1, 0.3, 0.2, 0.11, 0.04]))
    found = reliability(judged, usual_curve(), beyond=CLOSE, bins=2)
    assert found.counts.tolist() == [4, 4]
    assert found.real.tolist() == [0.25, 0.75]
    assert found.predicted == pytest.approx([0.1, 0.5])
    assert found.ece == pytest.approx((0.15 + 0.25) / 2)
    assert found.brier == pytest.approx((3 * 0.1**2 + 0.9**2 + 4 * 0.5**2) / 8)
    risk = risk_curve(judged, usual_curve(), beyond=CLOSE)
    assert risk.accepted.tolist() == [n / 8 for n in range(1, 9)]
    assert risk.real[[3, 7]].tolist() == [0.25, 0.5]
    assert risk.expected[[3, 7]] == pytest.approx([0.1, 0.3])


def test_errors_are_judged_by_the_eyes_of_the_label_or_else_of_the_prediction() -> None:
    schema = KAGGLE_15
    points = np.random.default_rng(3).uniform(20, 80, (1, len(schema), 2))
    left, right = schema.interocular
    target = points + np.array([3.0, 4.0])
    apart = np.linalg.norm(points[0, list(left)].mean(axis=0) - points[0, list(right)].mean(axis=0))
    sizes, sure = np.array([[100, 100]]), np.full((1, len(schema)), 0.7)
    assert judge(points, sure, target, schema, sizes=sizes).errors == pytest.approx(5 / apart)
    target[0, left[0]] = np.nan
    found = judge(points, sure, target, schema, sizes=sizes)
    assert (len(found.errors), found.faces) == (len(schema) - 1, 1)
    assert found.errors == pytest.approx(5 / apart)
    assert face_sizes(points, schema, width=100) == pytest.approx(apart / 100)
