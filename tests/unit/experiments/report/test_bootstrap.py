"""The bootstrap in known cases: coverage on normal data, no difference between equal arms, groups, seeds."""

from __future__ import annotations

import numpy as np
import pytest

from training.experiments.report.bootstrap import difference, interval, make_draws, resample
from training.experiments.report.measures import Faces, Terms, terms
from training.faces.labels.schema import KAGGLE_15
from training.faces.measures import metrics


def plain(values: np.ndarray, *, root: bool = False) -> Terms:
    return Terms(values, np.ones_like(values), root)


def test_intervals_cover_the_true_difference_of_normal_data_in_95_of_100_cases() -> None:
    rng, covered, trials = np.random.default_rng(0), 0, 300
    draws = make_draws(np.arange(60), seeds=1, draws=600)
    for _ in range(trials):
        hard = rng.normal(5, 2, 60)  # the error that a face adds to both arms
        first, second = hard + rng.normal(0, 0.5, 60), hard + 0.3 + rng.normal(0, 0.5, 60)
        found = difference([plain(first)], [plain(second)], draws)
        covered += found.low <= 0.3 <= found.high
    assert 0.91 <= covered / trials <= 0.98


def test_the_interval_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(1).normal(3, 1, 400)
    found = interval([plain(values)], make_draws(np.arange(400), seeds=1))
    half = 1.96 * values.std(ddof=1) / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.01)
    assert found.high == pytest.approx(values.mean() + half, abs=0.01)


def test_equal_arms_do_not_differ() -> None:
    errors = np.random.default_rng(2).gamma(2, 1, (2, 50))
    arm = [plain(e, root=True) for e in errors]
    found = difference(arm, arm, make_draws(np.arange(50), seeds=2))
    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert not found.clear


def test_arms_alike_but_for_chance_have_0_in_the_interval() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(2, 1, (2, 300))
    found = difference([plain(first)], [plain(second)], make_draws(np.arange(300), seeds=1))
    assert found.low < 0 < found.high


def test_pairing_makes_a_small_difference_clear() -> None:
    rng = np.random.default_rng(4)
    hard = rng.normal(5, 2, 100)
    found = difference([plain(hard)], [plain(hard + rng.normal(0.1, 0.1, 100))], make_draws(np.arange(100), seeds=1))
    assert found.clear
    assert 0.05 < found.low < 0.1 < found.high < 0.15


def test_faces_of_one_person_do_not_count_as_many() -> None:
    people = np.random.default_rng(5).normal(0, 1, 80)
    values, groups = np.repeat(people, 5), np.repeat(np.arange(80), 5)
    alone = interval([plain(values)], make_draws(np.arange(400), seeds=1))
    together = interval([plain(values)], make_draws(groups, seeds=1))
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(5), rel=0.1)


def test_seeds_scatter_as_their_variance_says() -> None:
    faces = np.ones(30)  # all equal: only the seeds differ
    runs = [plain(faces * level) for level in (1.0, 1.4, 1.1)]
    draws = make_draws(np.arange(30), seeds=3, draws=20_000)
    means = (resample(runs, draws) * draws.seed_weights).sum(axis=1)
    assert means.var() == pytest.approx(np.var([1.0, 1.4, 1.1], ddof=1) / 3, rel=0.05)
    assert interval(runs, draws).value == pytest.approx(3.5 / 3)


def test_a_difference_that_seeds_do_not_share_is_not_clear() -> None:
    base = plain(np.full(40, 2.0))
    better, worse = plain(np.full(40, 2.3)), plain(np.full(40, 1.9))
    assert not difference([base, base], [better, worse], make_draws(np.arange(40), seeds=2)).clear
    assert difference([base, base], [better, plain(np.full(40, 2.2))], make_draws(np.arange(40), seeds=2)).value > 0


def test_drawn_values_are_those_of_the_drawn_faces() -> None:
    rng = np.random.default_rng(6)
    run = Terms(rng.gamma(2, 1, 12), rng.integers(1, 5, 12).astype(float), True)
    draws = make_draws(np.arange(12), seeds=1, draws=50, seed=7)
    counts = np.random.default_rng([7, 0]).multinomial(12, np.full(12, 1 / 12), size=50)
    expected = [np.sqrt(np.repeat(run.numerator, c).sum() / np.repeat(run.denominator, c).sum()) for c in counts]
    assert resample([run], draws)[:, 0] == pytest.approx(expected)


def test_measures_are_those_of_the_metrics() -> None:
    rng = np.random.default_rng(8)
    target = rng.uniform(10, 80, (20, 15, 2))
    target[::3, 4:] = np.nan
    pred = np.nan_to_num(target, nan=40) + rng.normal(0, 5, target.shape)
    sizes = np.full((20, 2), 96, np.int32)
    lengths = {k: metrics.normaliser(target, k, KAGGLE_15, sizes=sizes) for k in ("box", "interocular", "interpupil")}
    none = np.full(20, np.nan)
    faces = Faces(np.arange(20), np.arange(20), sizes[:, 0].astype(float), lengths, none, "", none > 0)
    expected, found = metrics.evaluate(pred, target, KAGGLE_15, sizes=sizes), metrics.point_errors(pred, target)
    values = {name: terms(name, found, faces).value() for name in ("rmse_96", "failures", "nme_box", "nme_interocular")}
    assert values["rmse_96"] == pytest.approx(expected.rmse)
    assert values["failures"] == pytest.approx(expected.detection_failures)
    assert values["nme_box"] == pytest.approx(expected.nme_box)
    assert values["nme_interocular"] == pytest.approx(expected.nme_interocular)
    some = np.arange(20) < 5
    part = terms("rmse_96", found, faces).of(some)
    assert part.value() == pytest.approx(metrics.rmse(pred[:5], target[:5]))


def test_very_many_faces_are_thrown_together_and_the_interval_stays() -> None:
    values = np.random.default_rng(9).normal(3, 1, 5000)
    found = interval([plain(values)], make_draws(np.arange(5000), seeds=1, draws=1000))
    assert found.high - found.low == pytest.approx(2 * 1.96 / np.sqrt(5000), rel=0.1)
