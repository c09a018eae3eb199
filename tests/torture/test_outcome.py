"""The table counts what was tried and what was found."""

from __future__ import annotations

from pathlib import Path

from tests.torture.outcome import Outcome, table


def spoiled() -> Outcome:
    outcome = Outcome()
    for number in range(1200):
        outcome.row("csv").add("refused" if number % 3 else "read")
    outcome.row("csv").add("hang", ["hang: more than 60 s"], case="case 7 of seed 0")
    return outcome


def test_a_case_that_was_found_is_named_with_its_seed() -> None:
    assert spoiled().found == ["csv, case 7 of seed 0: hang: more than 60 s"]


def test_an_outcome_read_back_is_the_same(tmp_path: Path) -> None:
    spoiled().save(tmp_path / "outcome.json")
    assert Outcome.load(tmp_path / "outcome.json") == spoiled()


def test_the_table_has_all_counts_and_their_sums() -> None:
    lines = table({"fuzz": spoiled(), "places": Outcome(skipped="there is no C compiler (cc)")}).splitlines()
    assert "| fuzz | csv | 1,201 | 800 refused, 400 read, 1 hang | 1 |" in lines
    assert "| places | skipped: there is no C compiler (cc) | 0 | | 0 |" in lines
    assert lines[-1] == "| all | | 1,201 | | 1 |"
