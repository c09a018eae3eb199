"""fkp search: its arguments, its output, and resuming with the same command."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from training import cli
from training.commands import train
from training.search.plan import best_trial, read_search
from training.search.worker import Worker
from training.storage.project.project import Project
from training.storage.runs.listing import list_runs


@pytest.fixture(autouse=True)
def _quick_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    command = (sys.executable, "-m", "tests.helpers.fakes.trial", "quick")
    monkeypatch.setitem(Worker.__init__.__kwdefaults__, "command", command)


def fkp(*words: object) -> int:
    return cli.main([str(word) for word in words])


def test_a_search_its_table_and_how_to_train_the_best(project_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("search", project_path, "--recipe", "cnn-6", "--epochs", 10, "--space", "shift=off", "--set", "flip=0.3")
    assert fkp(*asked, "--trials", 2) == 0
    said = capsys.readouterr()
    assert "trial 0 (1 of 2): " in said.err
    assert "the best so far; learning_rate " in said.err
    best = best_trial(read_search(project_path / "searches" / "cnn-6").trials)
    head, first, *_rest, command = said.out.strip().splitlines()
    assert head.split()[:5] == ["trial", "rmse", "px", "state", "run"]
    assert "shift" not in head
    assert first.split()[:2] == [str(best.number), f"{best.value:.3f}"]
    args = cli.build_parser("train").parse_args(shlex.split(command)[1:])
    longer = train.configured(args)
    assert (longer.budget.epochs, longer.augment.flip) == (50, 0.3)
    assert longer.optim.learning_rate == list_runs(project_path / "runs")[best.number].config.optim.learning_rate

    assert fkp(*asked, "--trials", 3, "--json") == 0  # resumes
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["trial"]["number"] for line in lines if line.get("event") == "TrialEnded"] == [2]
    assert len(lines[-1]["trials"]) == 3
    assert fkp("search", project_path, "--list") == 0
    assert "cnn-6   cnn-6   3 of 3  done" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "Give --recipe NAME for a new search"),
        (("--name", "x"), "There is no search 'x' to continue"),
        (("--recipe", "magic"), "There is no recipe 'magic'"),
        (("--recipe", "cnn-6", "--trials", "0"), "The number of trials must be between 1 and"),
        (("--recipe", "cnn-6", "--name", "../x"), "may contain letters, digits"),
        (("--name", "../x"), "There is no search '../x' to continue"),
        (("--recipe", "cnn-6", "--space", "dropout=2..3"), "The setting dropout must be between 0 and 0.95"),
        (("--recipe", "cnn-6", "--jobs", "0"), "--jobs must be at least 1"),
        (("--recipe", "cnn-6", "--storage", "what://x"), "The storage what://x cannot be opened"),
    ],
)
def test_what_the_user_can_mend(
    words: tuple[str, ...], text: str, project_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fkp("search", project_path, *words) == 2
    assert text in capsys.readouterr().err.splitlines()[-1]
    assert not (project_path / "runs" / "0001-cnn-6").exists()


def test_another_search_of_the_same_name_is_refused(project_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fkp("search", project_path, "--recipe", "cnn-6", "--trials", 1, "--epochs", 10) == 0
    assert fkp("search", project_path, "--recipe", "cnn-6", "--trials", 1, "--epochs", 11, "--pruner", "none") == 2
    assert (
        "was started with different values of epochs, pruner. Continue it with `--name cnn-6` alone"
        in capsys.readouterr().err
    )
    assert fkp("search", project_path, "--name", "cnn-6", "--storage", "sqlite:///x.db") == 2
    assert "was started without a --storage URL: leave it out" in capsys.readouterr().err


def test_without_optuna_it_says_how_to_install_it(
    project_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    for name in ("search.study", "search.worker", "commands.shared.follow_search"):
        monkeypatch.delitem(sys.modules, f"training.{name}", raising=False)
    assert fkp("search", project_path, "--recipe", "cnn-6") == 2
    assert "pip install 'fkp-studio[search]'" in capsys.readouterr().err
    assert not (project_path / "searches").exists()


def test_a_search_without_val_is_refused(project_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    with Project.open(project_path) as project:
        project.set_splits(project.index().ids, np.zeros(24, np.uint8))
    assert fkp("search", project_path, "--recipe", "cnn-6") == 2
    assert "no face in val has a labelled point" in capsys.readouterr().err
    assert not (project_path / "searches" / "cnn-6").exists()
