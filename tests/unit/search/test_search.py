"""Random search: what is drawn, and that the requested number of trials ends even if processes are killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from tests.helpers.fakes.trial import final_error
from training.errors import UserError
from training.search.plan import (
    TRIALS,
    SearchPlan,
    TrialInfo,
    best_trial,
    create_search,
    ranked,
    read_plan,
    read_search,
    read_trials,
    request_stop,
    write_plan,
    write_trials,
)
from training.search.rungs import Rungs
from training.search.study import Study
from training.search.worker import TrialEvent, Worker
from training.storage.project.project import Project
from training.storage.runs.events import EpochDone, Progress
from training.storage.runs.inputs.snapshot import snapshot_project
from training.storage.runs.listing import list_runs, read_run
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig, with_overrides
from training.storage.runs.settings.recipes import RECIPES, recipe_config, recipe_space
from training.storage.runs.settings.search_space import (
    Choices,
    Range,
    check_space,
    parse,
    space_from_json,
    space_to_json,
    text_of,
    with_changes,
)

Begin = Callable[[SearchPlan], Path]
SPACE = {"learning_rate": Range(1e-4, 1e-2, log=True), "batch_size": Choices((16, 32))}


def fake(mode: str) -> tuple[str, ...]:
    return sys.executable, "-m", "tests.helpers.fakes.trial", mode


def plan_of(trials: int, **changes: object) -> SearchPlan:
    config = with_overrides(recipe_config("cnn-6"), {"epochs": "10"})
    return replace(SearchPlan("s", config, SPACE, trials, pruner="none"), **changes)


@pytest.fixture(scope="module")
def empty_storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Optuna database without a study: creating its tables for each test takes most of a second."""
    path = tmp_path_factory.mktemp("storage") / "empty.db"
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    storage.engine.dispose()
    return path


@pytest.fixture
def storage(empty_storage: Path, tmp_path: Path) -> str:
    """The URL of an empty storage."""
    return f"sqlite:///{shutil.copy(empty_storage, tmp_path / 'storage.db')}"


@pytest.fixture
def begin(project_path: Path, empty_storage: Path) -> Callable[[SearchPlan], Path]:
    """Starts a search in the small project; returns its folder."""

    def make(plan: SearchPlan) -> Path:
        with Project.open(project_path, read_only=True) as project:
            folder = create_search(project_path, plan, snapshot_project(project))
        shutil.copy(empty_storage, folder / "search.db")
        return folder

    return make


def wait_for(condition: Callable[[], bool], *, seconds: float = 200) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


# ---- what is drawn


@pytest.mark.parametrize(("recipe", "variant"), [(r.name, v) for r in RECIPES.values() for v in r.variants])
def test_every_recipe_has_a_space_within_the_limits_of_its_settings(recipe: str, variant: str) -> None:
    space = recipe_space(recipe, variant)
    check_space(space, recipe_config(recipe, variant))
    assert {"learning_rate", "batch_size", "weight_decay", "dropout", "rotation"} <= set(space)
    low, high = space["learning_rate"].low, space["learning_rate"].high
    assert low < recipe_config(recipe, variant).optim.learning_rate < high
    assert {name: parse(name, text_of(d)) for name, d in space.items()} == space
    assert space_from_json(space_to_json(space)) == space


def test_draws_stay_in_the_space_and_fill_it(storage: str) -> None:
    plan = plan_of(16, space={**SPACE, "input_size": Range(48, 96)})
    study = Study(plan, storage)
    drawn = [study.params(study.ask()) for _ in range(16)]
    assert study.ask() is None  # as many as requested
    rates = [values["learning_rate"] for values in drawn]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    assert 5 <= sum(rate < 1e-3 for rate in rates) <= 11  # about half of them: the range is logarithmic
    assert {values["batch_size"] for values in drawn} == {16, 32}
    assert all(type(v["input_size"]) is int and 48 <= v["input_size"] <= 96 for v in drawn)
    for values in drawn:
        config = plan.trial_config(values)
        assert (config.seed, config.budget.epochs, config.recipe) == (0, 10, "cnn-6")
        assert config.optim.learning_rate == pytest.approx(values["learning_rate"], rel=1e-3)


def test_the_same_seed_draws_the_same_trials_whoever_asks_and_another_seed_others(storage: str) -> None:
    one, other = Study(plan_of(6), storage), Study(plan_of(6), "sqlite://")
    drawn = [one.params(one.ask()) for _ in range(4)]
    numbers = [other.ask() for _ in range(4)]
    assert [other.params(n) for n in reversed(numbers)] == drawn[::-1]
    assert one.params(2) == drawn[2]
    reseeded = plan_of(6, config=plan_of(6).config.changed(seed=1))
    third = Study(reseeded, "sqlite://")
    assert [third.params(third.ask()) for _ in range(4)] != drawn


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("magic=1..2", "There is no setting 'magic'"),
        ("dropout=0..2", "The setting dropout must be between 0 and 0.95, not 2"),
        ("dropout=0.5..0.1", "The range of dropout must be ascending"),
        ("weight_decay=0..0.1:log", "must start above 0"),
        ("batch_size=16,none", "The setting batch_size needs whole numbers, not 'none'"),
        ("batch_size=8..x", "needs whole numbers, not 'x'"),
        ("optimizer=0..1", "is not a number"),
        ("optimizer=sgd,magic", "The setting optimizer must be one of"),
        ("seed=1,2", "is fixed within a search"),
        ("dropout=", "has no values to choose from"),
        ("dropout", "--space takes SETTING="),
    ],
)
def test_a_wrong_space_is_named(text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence.replace("(", r"\(")):
        check_space(with_changes({"rotation": Range(0.0, 10.0)}, [text]), RunConfig())


def test_the_space_is_changed_from_the_command_line() -> None:
    space = with_changes(
        SPACE, ["learning-rate=1e-3..1e-2", "optimizer=sgd,adam", "batch_size=off", "flip_average=true,false"]
    )
    assert space == {
        "learning_rate": Range(1e-3, 1e-2),
        "optimizer": Choices(("sgd", "adam")),
        "flip_average": Choices((True, False)),
    }
    check_space(space, RunConfig())


# ---- what is compared


def epoch(number: int, rmse: float, *, seconds: float) -> EpochDone:
    return EpochDone(number, 1, 1, rmse, 0.1, "box", (), 0.1, 0.1, (), 1e-3, 1.0, seconds, True)


def test_runs_are_compared_at_fractions_of_the_budget_not_at_epochs() -> None:
    config = RunConfig().changed(minutes=1.0)  # a rung every 6 s
    rungs = Rungs(config)
    assert rungs.feed(epoch(1, 9.0, seconds=8)) == []  # nothing was known at 6 s
    assert rungs.feed(epoch(2, 7.0, seconds=16)) == [(2, 9.0)]  # at 12 s the first epoch's
    assert rungs.feed(epoch(3, 8.0, seconds=18)) == [(3, 7.0)]  # the best so far, of an epoch that ends just then
    assert rungs.feed(Progress(4, 1, 2, 1.0, 1.0, 0.52, 1.0)) == [(4, 7.0), (5, 7.0)]
    assert rungs.feed(epoch(4, 1.0, seconds=61))[0] == (6, 7.0)
    by_epochs = Rungs(RunConfig().changed(minutes=None, epochs=20))
    assert by_epochs.feed(epoch(3, 9.0, seconds=1e6)) == []
    assert by_epochs.feed(epoch(4, 8.0, seconds=2e6)) == [(2, 8.0)]


# ---- trials


def test_all_trials_asked_for_end_and_the_best_has_the_smallest_error(begin: Begin, project_path: Path) -> None:
    folder = begin(plan_of(4))
    events: list[str] = []
    assert Worker(folder, jobs=2, command=fake("quick"), on_event=lambda e: events.append(e.kind)).run()
    search = read_search(folder)
    assert [t.state for t in search.trials] == ["done"] * 4
    assert [t.number for t in search.trials] == list(range(4))
    assert not search.running
    assert (events.count("started"), events.count("ended")) == (4, 4)
    for trial in search.trials:
        assert trial.value == pytest.approx(final_error(trial.params["learning_rate"]), rel=1e-3)
    best = best_trial(search.trials)
    assert best == ranked(search.trials)[0]
    assert best.value == min(t.value for t in search.trials)
    infos = list_runs(project_path / "runs")
    assert sorted(info.search for info in infos) == [f"s/{n}" for n in range(4)]
    assert {info.config.seed for info in infos} == {0}
    assert {info.label_hash for info in infos} == {search.plan.label_hash} | {infos[0].label_hash}
    assert not list((project_path / "runs").glob("*/resume.pt"))  # no longer needed, and large
    assert len(list((project_path / "runs").glob("*/model.safetensors"))) == 4
    longer = search.plan.longer(best.params)
    assert (longer.budget.epochs, longer.budget.minutes) == (50, None)
    assert longer.optim.learning_rate == pytest.approx(best.params["learning_rate"], rel=1e-3)
    write_plan(folder, replace(search.plan, trials=5))  # more are requested: the search continues
    Worker(folder, command=fake("quick")).run()
    assert read_search(folder).trials[:4] == search.trials
    assert len(read_search(folder).trials) == 5


@pytest.mark.parametrize("children_too", [False, True], ids=["search killed", "search and its runs killed"])
def test_after_kill_9_exactly_the_trials_asked_for_end(begin: Begin, project_path: Path, children_too: bool) -> None:
    folder = begin(plan_of(3))
    program = (
        "import sys; from pathlib import Path; from training.search.worker import Worker;"
        f"Worker(Path(sys.argv[1]), jobs=2, command={fake('gated')!r}).run()"
    )
    search = subprocess.Popen([sys.executable, "-c", program, str(folder)])
    half = "*/model.safetensors"
    wait_for(lambda: sum(p.stat().st_size == 5 for p in (project_path / "runs").glob(half)) == 2)
    wait_for(lambda: sum(t.done == 0.5 for t in read_search(folder).trials) == 2)
    assert read_search(folder).running
    search.kill()
    search.wait()
    left = read_search(folder)
    assert not left.running
    assert [t.state for t in left.trials] == ["waiting", "waiting"]
    if children_too:
        for run in map(Run, (project_path / "runs").glob("0*")):
            kill_training(run)
            wait_for(lambda run=run: read_run(run).status == "interrupted")
    (project_path / "runs" / "go").touch()
    assert Worker(folder, jobs=2, command=fake("gated")).run()
    trials = read_search(folder).trials
    assert [t.state for t in trials] == ["done"] * 3
    assert len(list_runs(project_path / "runs")) == 3  # each trial has one run, also those that were cut off
    assert len({t.run for t in trials}) == 3
    resumed = {p.parent.name for p in (project_path / "runs").glob("*/resumed")}
    assert resumed == ({t.run for t in left.trials} if children_too else set())


def kill_training(run: Run) -> None:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if str(run).encode() in words:
            os.kill(int(path.parent.name), signal.SIGKILL)


@pytest.mark.parametrize("by", ["Ctrl-C", "window"])
def test_a_stopped_search_keeps_its_runs_and_goes_on_with_them(begin: Begin, project_path: Path, by: str) -> None:
    folder = begin(plan_of(2))
    asked = threading.Event()

    def on_event(event: TrialEvent) -> None:
        if event.kind == "reported":
            asked.set() if by == "Ctrl-C" else request_stop(folder)

    assert not Worker(folder, jobs=2, command=fake("gated"), on_event=on_event).run(asked.is_set)
    stopped = read_search(folder)
    assert {t.state for t in stopped.trials} == {"waiting"}
    assert {info.status for info in list_runs(project_path / "runs")} == {"stopped"}
    (project_path / "runs" / "go").touch()
    assert Worker(folder, jobs=2, command=fake("gated")).run()
    assert [t.state for t in read_search(folder).trials] == ["done"] * 2
    assert len(list_runs(project_path / "runs")) == 2


def test_two_processes_share_the_trials_of_one_storage(begin: Begin, storage: str, project_path: Path) -> None:
    folder = begin(plan_of(4, remote=True))
    workers = [Worker(folder, url=storage, command=fake("gated")) for _ in range(2)]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(list((project_path / "runs").glob("0*"))) == 2)  # each has one that waits for the file
    (project_path / "runs" / "go").touch()
    for thread in threads:
        thread.join()
    trials = read_search(folder).trials
    assert [t.state for t in trials] == ["done"] * 4
    assert len(list_runs(project_path / "runs")) == 4
    study = Study(read_plan(folder), storage)
    took = {t.user_attrs["worker"] for t in study._study.get_trials(deepcopy=False)}
    assert took == {worker._name for worker in workers}


def test_no_trial_too_many_where_two_ask_at_once(storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Study(plan_of(2), storage), Study(plan_of(2), storage)
    one.ask()
    early = iter([other._counted()])  # the other looks just before the last trial is taken
    one.ask()
    monkeypatch.setattr(other, "_counted", lambda: next(early, None) or Study._counted(other))
    assert other.ask() is None
    assert [t.number for t in one.trials()] == [0, 1]


def test_another_search_in_the_storage_is_refused(storage: str) -> None:
    Study(plan_of(2), storage)
    Study(plan_of(5), storage)  # only the number of trials may differ
    with pytest.raises(UserError, match="its labels, pruner differ"):
        Study(plan_of(2, pruner="median", label_hash="other"), storage)
    with pytest.raises(UserError, match="cannot be opened"):
        Study(plan_of(2), "nonsense://place")


def test_a_run_that_is_clearly_worse_is_stopped_half_way(begin: Begin, project_path: Path) -> None:
    plan = plan_of(7, pruner="median", config=plan_of(7).config.changed(seed=4))
    folder = begin(plan)
    assert Worker(folder, command=fake("prunable")).run()
    trials = read_search(folder).trials
    errors = [round(final_error(t.params["learning_rate"]), 2) for t in trials]
    assert errors == [2.83, 2.03, 2.20, 2.29, 2.82, 2.18, 2.85]  # the median of the first four is 2.25
    assert [t.state for t in trials] == ["done", "done", "done", "done", "pruned", "done", "pruned"]
    for trial in (trials[4], trials[6]):
        assert 0.2 <= trial.done <= 0.5  # it waits half way at the latest
        assert trial.message.startswith("Stopped at ")
        info = read_run(Run(project_path / "runs" / trial.run))
        assert (info.status, info.last.epoch) == ("stopped", round(10 * trial.done))
        assert not info.run.resume.exists()
    assert [t.number for t in ranked(trials)] == [1, 5, 2, 3, 0, 4, 6]


def test_a_search_whose_trials_all_fail_ends_with_the_reason(begin: Begin, project_path: Path) -> None:
    folder = begin(plan_of(20))
    with pytest.raises(UserError, match=r"All 3 trials of the search failed; .*The disk is full\."):
        Worker(folder, command=fake("failing")).run()
    assert [t.state for t in read_search(folder).trials] == ["failed"] * 3


def test_a_search_needs_faces_to_compare_by(begin: Begin, project_path: Path) -> None:
    import numpy as np

    with Project.open(project_path) as project:
        project.set_splits(project.index().ids, np.zeros(24, np.uint8))
    with pytest.raises(UserError, match="no face in val has a labelled point"):
        begin(plan_of(2))


def test_trials_in_order() -> None:
    trials = [TrialInfo(0, "failed"), TrialInfo(1, "pruned", 1.0), TrialInfo(2, "done", 3.0), TrialInfo(3, "done", 2.0)]
    assert [t.number for t in ranked(trials)] == [3, 2, 1, 0]
    assert best_trial(trials[:2]) is None


@pytest.mark.parametrize(
    "row",
    [{"state": "gone"}, {"value": "small"}, {"params": 3}, {"number": None}, {"more": 1, "state": None}, {"done": []}],
)
def test_a_damaged_table_of_trials_counts_as_none(tmp_path: Path, row: dict[str, object]) -> None:
    write_trials(tmp_path, [TrialInfo(0, "done", 2.0, 1.0, {"learning_rate": 1e-3}, "0001-x")])
    assert [t.value for t in ranked(read_trials(tmp_path))] == [2.0]
    table = json.loads((tmp_path / TRIALS).read_text())
    (tmp_path / TRIALS).write_text(json.dumps({"trials": [{**table["trials"][0], **row}]}))
    assert read_trials(tmp_path) == ()
    (tmp_path / TRIALS).write_text("[]")
    assert read_trials(tmp_path) == ()
