"""The log of unexpected errors is the user's own: never a file that others prepared, nor one that they can read."""

from __future__ import annotations

import stat
import sys
import tempfile
from pathlib import Path

import pytest

from training.commands.shared.fault_log import append_fault
from training.files.private import make_private, open_log, state_folder

unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@unix
def test_folder_and_log_are_the_owners_only() -> None:
    assert append_fault("first") == f"Details: {state_folder() / 'fkp.log'}"
    append_fault("second")
    assert mode(state_folder()) == 0o700
    assert mode(state_folder() / "fkp.log") == 0o600
    assert [line.split(": ")[-1] for line in (state_folder() / "fkp.log").read_text().splitlines()] == [
        "first",
        "second",
    ]


@unix
def test_a_folder_of_an_earlier_version_is_closed_to_others() -> None:
    state_folder().mkdir(parents=True, mode=0o755)
    make_private(state_folder())
    assert mode(state_folder()) == 0o700


def test_without_a_writable_state_folder_nothing_is_written_and_it_is_said(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    state_folder().parent.mkdir(parents=True)
    state_folder().write_text("a file is in the way")
    said = append_fault("lost")
    assert said.startswith("The details were not logged: ") and str(state_folder()) in said
    assert list(shared.iterdir()) == []


@unix
def test_a_link_in_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    make_private(state_folder())
    (state_folder() / "fkp.log").symlink_to(victim)
    with pytest.raises(OSError):
        open_log(state_folder() / "fkp.log").close()
    assert "not logged" in append_fault("x")
    assert victim.read_text() == "mine"
