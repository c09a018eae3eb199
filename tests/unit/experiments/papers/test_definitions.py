"""The experiments are consistent: trainings can be set up, claims name existing arms, papers' figures are correct."""

from __future__ import annotations

import pytest

from training.errors import UserError
from training.experiments.options import Options
from training.experiments.papers.cascade_report import PAPER_LABELS
from training.experiments.papers.catalogue import EXPERIMENTS, find_experiment
from training.experiments.papers.definition import Budget, Experiment, arm_config, missing_recipes, network_config
from training.experiments.plan import duration_text, make_plan, plan_sentence
from training.experiments.report.measures import MEASURES
from training.learning.models.registry import recipe_parameters

ALL = list(EXPERIMENTS.values())
BUDGET = Budget(minutes=2.0, seeds=2)

TABLE_2 = """
0.5	1.95	1.92	1.92	1.94	1.97	1.94
1	1.95	1.91	1.91	1.90	1.90	1.95
2	1.98	1.92	1.91	1.88	1.90	1.98
3	2.02	1.96	1.93	1.91	1.89	2.02
"""  # Wing loss paper: rows epsilon; w = 4, 6, 8, 10, 12, 14


@pytest.mark.parametrize("experiment", ALL, ids=lambda e: e.name)
def test_every_training_can_be_set_up(experiment: Experiment) -> None:
    assert missing_recipes(experiment) == []
    plan = make_plan(experiment, BUDGET)
    assert len(plan) == 2 * len(experiment.trained)
    for job in plan:
        assert (job.config.budget.minutes, job.config.budget.epochs, job.config.machine.threads) == (
            2.0 * job.arm.networks,
            None,
            1,
        )
        assert job.config.seed == job.seed
    assert len({job.key for job in plan}) == len(plan)


@pytest.mark.parametrize("experiment", ALL, ids=lambda e: e.name)
def test_claims_are_about_arms_and_measures_that_are_there(experiment: Experiment) -> None:
    names = [arm.name for arm in experiment.arms]
    assert len(set(names)) == len(names)
    for claim in experiment.claims:
        assert {claim.better, claim.worse} <= set(names)
        assert claim.measure in experiment.measures
    for arm in experiment.arms:
        assert set(arm.paper) <= set(experiment.measures)
        assert not arm.stage_of or arm.stage_of in names
    if experiment.kind == "training":
        assert set(experiment.measures) <= set(MEASURES)


def test_arms_of_a_table_differ_in_what_is_compared_only() -> None:
    configs = {a.name: arm_config(a, BUDGET, seed=0).to_json() for a in find_experiment("table-1-losses").arms}
    first = configs["wing"]
    for values in configs.values():
        assert {k for k in values if values[k] != first[k]} <= {"loss", "learning_rate"}
    pdb = find_experiment("table-3-pdb-two-stage")
    plain, balanced = (arm_config(pdb.arm(n), BUDGET, seed=0).to_json() for n in ("cnn-6", "cnn-6-pdb"))
    assert {k for k in plain if plain[k] != balanced[k]} == {"balance"}


def test_paper_figures_of_the_masked_loss_table() -> None:
    found = {a.name: (a.paper["rmse_96"], a.paper["failures"]) for a in find_experiment("table-2-masked").arms}
    assert found == {"cnn": (3.1, 0.75), "ml-cnn": (2.36, 0.09), "ml-resnet": (2.23, 0.09)}


def test_paper_figures_of_the_wing_tables() -> None:
    losses = {a.name: a.paper["nme_box"] for a in find_experiment("table-1-losses").arms}
    assert losses == {"l2": 0.0241, "l1": 0.0200, "smooth_l1": 0.0202, "wing": 0.0188}
    stages = {a.name: a.paper["nme_box"] for a in find_experiment("table-3-pdb-two-stage").arms}
    assert stages == {"cnn-6": 0.0188, "cnn-6-pdb": 0.0183, "cnn-6-7": 0.0171, "cnn-6-7-pdb": 0.0165}
    speed = {a.name: a.paper for a in find_experiment("table-7-speed").arms if a.paper}
    assert {n: (p["parameters"], p["megabytes"], p["one_by_one"]) for n, p in speed.items()} == {
        "cnn-6": (3.8e6, 14, 150),
        "cnn-6-7": (12.3e6, 46, 20),
        "resnet-50": (25e6, 99, 8),
    }


def test_paper_figures_of_the_wing_grid() -> None:
    grid = find_experiment("table-2-wing-grid")
    assert len(grid.arms) == 24
    for line in TABLE_2.split("\n")[1:-1]:
        epsilon, *figures = line.split("\t")
        for w, figure in zip((4, 6, 8, 10, 12, 14), figures, strict=True):
            arm = grid.arm(f"w{w}-e{float(epsilon):g}")
            assert arm.paper["nme_box"] == pytest.approx(float(figure) / 100)
            config = arm_config(arm, BUDGET, seed=0)
            assert (config.objective.wing_w, config.objective.wing_epsilon, config.objective.loss) == (
                w,
                float(epsilon),
                "wing",
            )


def test_label_counts_of_the_cascade_report() -> None:
    assert len(PAPER_LABELS) == 15
    assert (PAPER_LABELS["nose_tip"], PAPER_LABELS["left_eyebrow_outer_end"]) == (7049, 2225)
    assert find_experiment("cascade-per-point").arm("mlp").paper["rmse_96"] == 3.73126


def test_the_plan_says_what_will_be_trained_and_how_long_it_takes() -> None:
    options = Options(Budget(minutes=3.0, seeds=2), 2)
    sentence = plan_sentence(find_experiment("table-2-masked"), options)
    assert sentence == "6 trainings (3 networks, 2 seeds each) of 3 minutes, 2 at a time, about 10 minutes in total."
    by_epochs = plan_sentence(find_experiment("table-1-losses"), Options(Budget(minutes=None, epochs=1, seeds=1), 1))
    assert by_epochs == "4 trainings (4 networks, 1 seed each) of 1 epoch, 1 at a time."
    assert [duration_text(s) for s in (40, 600, 3900)] == ["40 seconds", "10 minutes", "1 h 05 min"]


def test_wrong_wishes_are_told() -> None:
    with pytest.raises(UserError, match="no experiment 'table-9'"):
        find_experiment("table-9")
    with pytest.raises(UserError, match="between 1 and 100"):
        Budget(seeds=0)
    with pytest.raises(UserError, match="minutes or epochs"):
        Budget(minutes=1.0, epochs=2)


def test_table_7_has_the_papers_networks() -> None:
    """Table 7: 3.8 M and 12.3 M parameters with 68 points."""
    speed = find_experiment("table-7-speed")
    counts = {name: recipe_parameters(network_config(speed.arm(name)), 68) for name in ("cnn-6", "cnn-6-7")}
    assert counts == {"cnn-6": 3_806_152, "cnn-6-7": 3_806_152 + 8_508_168}
