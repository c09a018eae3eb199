"""The sentence on a difference depends on its interval, its seeds and how far the networks were trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.experiments.papers.catalogue import find_experiment
from training.experiments.report.bootstrap import Interval, make_draws
from training.experiments.report.figures import draw
from training.experiments.report.measures import Faces
from training.experiments.report.results import ArmResult, ArmRun, ClaimResult, Results, _test, collect
from training.experiments.report.words import claim_sentence, notes, numbers, paper_words, summary

MASKED = find_experiment("table-2-masked")
NONE = np.full(8, np.nan)
FACES = Faces(
    np.arange(8),
    np.arange(8),
    np.full(8, 96.0),
    dict.fromkeys(("box", "interocular", "interpupil"), NONE),
    NONE,
    "",
    NONE > 0,
)
RESULTS = Results(MASKED, FACES, (), (), (), {})


def found(low: float, high: float, *seeds: float, verdict: str = "agrees") -> ClaimResult:
    return ClaimResult(MASKED.claims[0], Interval(float(np.mean(seeds)), low, high, seeds), 0.74, verdict)


def test_a_clear_difference_is_told_with_its_interval() -> None:
    sentence = claim_sentence(found(0.25, 0.37, 0.30, 0.32), RESULTS)
    assert sentence == (
        "ML-CNN beats CNN without the mask by 0.31 px, 95 % interval 0.25 to 0.37 (RMSE; same sign in 2 of 2 seeds)."
    )
    assert paper_words(found(0.25, 0.37, 0.31)) == (
        "The paper: the masked loss beats training on the complete faces only (by 0.74 px)."
    )


def test_the_other_way_round_is_told_the_other_way_round() -> None:
    sentence = claim_sentence(found(-0.37, -0.25, -0.31, verdict="disagrees"), RESULTS)
    assert sentence == "CNN without the mask beats ML-CNN by 0.31 px, 95 % interval 0.25 to 0.37 (RMSE; one seed)."


def test_an_interval_with_0_or_seeds_that_differ_decide_nothing() -> None:
    unclear = claim_sentence(found(-0.02, 0.2, 0.1, 0.08, verdict="undecided"), RESULTS)
    assert unclear == (
        "ML-CNN and CNN without the mask do not differ clearly (RMSE: ML-CNN ahead by 0.09 px, "
        "95 % interval -0.02 to 0.20; same sign in 2 of 2 seeds)."
    )
    assert "same sign in 1 of 2 seeds" in claim_sentence(found(0.01, 0.2, 0.3, -0.1, verdict="undecided"), RESULTS)


def test_shares_differ_by_percentage_points() -> None:
    told = numbers("failures", Interval(0.0116, -0.00001, 0.0282, (0.0116,)))
    assert told == "1.16 percentage points, 95 % interval 0.00 to 2.82"


def run(*, best: float) -> ArmRun:
    return ArmRun(0, "0001-x", 10, "float32", 3, 3, 1.0, 300, 100, best, 7.4, (), ())


@pytest.mark.parametrize(("best", "verdict"), [(2.0, "agrees"), (6.0, "early")])
def test_networks_that_have_hardly_begun_decide_nothing(best: float, verdict: str) -> None:
    errors = {
        ("cnn", 0): np.tile([[4.0], [5.0], [6.0], [5.0]], (2, 1)),
        ("ml-cnn", 0): np.tile([[2.0], [3.0], [3.5], [3.0]], (2, 1)),
    }
    few = replace(MASKED, arms=MASKED.arms[:2], claims=MASKED.claims[:1], measures=("rmse_96",))
    results = collect(few, FACES, ("nose",), runs={}, errors={}, failed={})
    assert summary(results) == "No claim of the paper could be tested."
    arms = tuple(_arm(name, errors[name, 0], best) for name in ("cnn", "ml-cnn"))
    tested = _test(few.claims[0], replace(results, arms=arms), make_draws(FACES.groups, seeds=1))
    assert tested is not None
    assert tested.verdict == verdict
    assert tested.difference.value == pytest.approx(np.sqrt(102 / 8) - np.sqrt(34.25 / 8))
    assert ("Too early" in summary(replace(results, claims=(tested,)))) == (verdict == "early")


def _arm(name: str, errors: np.ndarray, best: float) -> ArmResult:
    value = Interval(1.0, 0.9, 1.1, (1.0,))
    faces = 60 if name == "cnn" else 100  # the complete ones of all
    return ArmResult(
        MASKED.arm(name), (replace(run(best=best), train_faces=faces),), (errors,), {"rmse_96": value}, None
    )


def test_an_arm_without_errors_does_not_take_the_figure_from_the_others() -> None:
    lengths = dict.fromkeys(("box", "interocular", "interpupil"), np.full(8, 40.0))
    errors = np.tile([[4.0], [5.0], [6.0], [5.0]], (2, 1))
    arms = (_arm("cnn", np.full((8, 1), np.nan), 2.0), _arm("ml-cnn", errors, 2.0), _arm("ml-resnet", errors - 1, 2.0))
    results = Results(MASKED, replace(FACES, lengths=lengths), ("nose",), arms, (), {})
    figure = draw("ced", results)
    assert figure is not None
    shown = [line.get_label() for line in figure.axes[0].lines if not str(line.get_label()).startswith("_")]
    assert shown == ["ML-CNN, masked", "ML-ResNet, masked"]
    assert draw("ced", replace(results, arms=arms[:1])) is None


def test_a_handful_of_faces_decides_nothing() -> None:
    few = replace(FACES, ids=FACES.ids[:4], groups=FACES.groups[:4], widths=FACES.widths[:4], turned=FACES.turned[:4])
    errors = np.array([[4.0], [5.0], [6.0], [5.0]])
    arms = (_arm("cnn", errors, 2.0), _arm("ml-cnn", errors / 2, 2.0))
    results = Results(replace(MASKED, measures=("rmse_96",)), few, ("nose",), arms, (), {})
    tested = _test(MASKED.claims[0], results, make_draws(few.groups, seeds=1))
    assert tested is not None
    assert tested.difference.low > 0  # and yet
    assert tested.verdict == "undecided"
    assert "do not differ clearly" in claim_sentence(tested, results)
    assert any("too few to decide" in note for note in notes(results))


def test_a_note_that_is_about_many_trainings_is_told_once() -> None:
    def arm(name: str, *troubles: tuple[str, ...], best: float = 2.0) -> ArmResult:
        runs = tuple(replace(run(best=best), seed=seed, troubles=what) for seed, what in enumerate(troubles))
        return replace(_arm(name, np.full((8, 1), np.nan), best), runs=runs)

    of_all, few = (
        ("The labels are shifted to the right.",),
        ("The labels are shifted to the right.", "The rate is too high."),
    )
    told = notes(
        replace(RESULTS, arms=(arm("cnn", of_all, of_all), arm("ml-cnn", few, of_all), arm("ml-resnet", of_all)))
    )
    assert "All trainings: The labels are shifted to the right." in told
    assert "ML-CNN, masked, seed 0: The rate is too high." in told
    assert sum("to the right" in note for note in told) == 1
    some = notes(replace(RESULTS, arms=(arm("cnn", of_all, of_all), arm("ml-cnn", (), of_all), arm("ml-resnet", ()))))
    title = MASKED.arm("cnn").title
    assert f"{title}, seed 0; {title}, seed 1; ML-CNN, masked, seed 1: The labels are shifted to the right." in some


def test_many_arms_that_have_hardly_begun_are_counted() -> None:
    grid = find_experiment("table-2-wing-grid")
    early = tuple(
        replace(_arm("cnn", np.full((8, 1), np.nan), 2.0), arm=arm, runs=(run(best=6.0 + 0.01 * n),))
        for n, arm in enumerate(grid.arms[:6])
    )
    told = notes(replace(RESULTS, experiment=grid, arms=early))
    worst = grid.arms[5].title
    assert (
        f"6 of 6 arms are hardly better than the mean shape, the worst being {worst} (6.05 px against 7.40): the"
        in "\n".join(told)
    )
    assert sum("hardly better" in note for note in told) == 1
