"""Metrics against hand-computed numbers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.training_data import SCHEMA
from training.faces.measures import metrics
from training.faces.measures.metrics import evaluate

NAN = np.nan
# Two faces: the first is complete, the second lacks its right eye.
TARGET = np.array([[[20.0, 10.0], [10.0, 10.0], [15.0, 18.0]], [[20.0, 10.0], [NAN, NAN], [15.0, 18.0]]])
PRED = TARGET + np.array([[[3.0, 4.0], [0.0, 0.0], [0.0, -1.0]], [[0.0, 0.0], [0.0, 0.0], [6.0, 8.0]]])
PRED = np.nan_to_num(PRED, nan=7.0)
SIZES = np.array([[100, 50], [50, 50]])


def test_rmse_is_over_present_coordinates() -> None:
    assert metrics.rmse(PRED, TARGET) == pytest.approx(np.sqrt((9 + 16 + 1 + 36 + 64) / 10))
    assert np.isnan(metrics.rmse(PRED, np.full_like(TARGET, NAN)))


def test_errors_of_points_and_keypoints() -> None:
    errors = metrics.point_errors(PRED, TARGET)
    assert np.allclose(errors, [[5, 0, 1], [0, NAN, 10]], equal_nan=True)
    assert np.allclose(metrics.per_keypoint_error(PRED, TARGET), [2.5, 0, 5.5])


def test_normalisers() -> None:
    lengths = {k: metrics.normaliser(TARGET, k, SCHEMA, sizes=SIZES) for k in ("interocular", "box", "width")}
    assert np.allclose(lengths["interocular"], [10, NAN], equal_nan=True)
    assert np.allclose(lengths["box"], [np.sqrt(10 * 8), NAN], equal_nan=True)
    assert np.allclose(lengths["width"], [100, 50])
    same = np.zeros((1, 3, 2))
    assert np.isnan(metrics.normaliser(same, "interocular", SCHEMA, sizes=SIZES[:1])).all()  # both eyes at one place


def test_ced_auc_and_failures() -> None:
    errors = np.array([0.02, 0.04, 0.12, NAN])
    assert np.allclose(metrics.ced(errors, (0.0, 0.02, 0.05, 0.2)), [0, 1 / 3, 2 / 3, 1])
    assert metrics.auc(errors, 0.08) == pytest.approx((0.06 + 0.04 + 0) / 3 / 0.08)
    assert metrics.failure_rate(errors, 0.10) == pytest.approx(1 / 3)
    assert np.isnan(metrics.auc(np.array([NAN])))


def test_detection_error_of_the_masked_loss_paper() -> None:
    assert np.allclose(
        metrics.detection_error(PRED, TARGET, sizes=SIZES), [[0.05, 0, 0.01], [0, NAN, 0.2]], equal_nan=True
    )
    assert metrics.detection_failures(PRED, TARGET, sizes=SIZES) == pytest.approx(1 / 5)


def test_evaluation_tells_what_was_left_out() -> None:
    target = np.concatenate([TARGET, np.full((1, 3, 2), NAN)])
    pred, sizes = np.concatenate([PRED, PRED[:1]]), np.concatenate([SIZES, SIZES[:1]])
    result = evaluate(pred, target, SCHEMA, sizes=sizes)
    assert result.n == 2
    assert result.normaliser == "interocular"
    assert result.nme == result.nme_interocular == pytest.approx(2 / 10)
    assert result.nme_box == pytest.approx(2 / np.sqrt(80))
    assert result.nme_width == pytest.approx((2 / 100 + 5 / 50) / 2)
    assert result.left_out["no label"] == 1
    assert result.left_out["no interocular distance: an eye is not labelled"] == 1
    assert result.left_out["no box: not every point is labelled"] == 1


def test_a_set_without_eyes_is_measured_by_the_width() -> None:
    target = TARGET.copy()
    target[:, 0] = NAN
    assert evaluate(PRED, target, SCHEMA, sizes=SIZES).normaliser == "width"
