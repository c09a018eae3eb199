"""Names for many files below one folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from training.errors import UserError
from training.files.names import check_links
from training.files.safe_names import safe_names


def test_no_name_leads_out_of_the_folder() -> None:
    names = ("../../up", "/etc/abs", "a/../b", "a?b", "up.png", "..", "C:\\x", "a\0b", "", ".")
    assert safe_names(names) == [
        "up",
        "etc/abs",
        "a/b",
        "a_b",
        "up-2.png",
        "picture",
        "C_/x",
        "a_b-2",
        "picture-2",
        "picture-3",
    ]


def test_names_that_some_systems_take_for_one_are_different() -> None:
    names = ["Face", "face", "stra\u00dfe", "STRASSE", "caf\u00e9", "cafe\u0301"]
    assert safe_names(names) == ["Face", "face-2", "stra\u00dfe", "STRASSE-2", "caf\u00e9", "cafe\u0301-2"]


def test_long_names_are_cut_and_stay_different(tmp_path: Path) -> None:
    names = ["x" * 5000 + ".png", "x" * 5001 + ".png", "\U0001f600" * 300, "train/" + "d/" * 2500 + "e.png"]
    found = safe_names(names)
    assert len(set(found)) == 4
    assert all(len(part.encode()) < 200 for name in found for part in name.split("/"))
    assert all(len(name.encode()) < 700 for name in found)
    assert found[0].endswith(".png") and found[3].startswith("train/d/") and found[3].endswith("/e.png")
    for name in found:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")


def test_files_and_folders_do_not_meet() -> None:
    names = ["a", "a.png/b", "keypoints.json/c", "A.PTS/d"]
    assert safe_names(names, reserved=("keypoints.json",), suffixes=(".png", ".pts")) == [
        "a-2",
        "a.png/b",
        "_keypoints.json/c",
        "A.PTS/d",
    ]


def test_many_equal_names_are_numbered_without_counting_anew() -> None:
    found = safe_names(["x.png"] * 50_000)
    assert len(set(found)) == 50_000 and found[-1] == "x-50000.png"


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_that_lead_out_are_refused_and_others_are_not(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "real").mkdir(parents=True)
    (tmp_path / "real").mkdir()
    (out / "within").symlink_to("real")
    (out / "without").symlink_to("../real")
    check_links(out, out / "within" / "a.png")
    check_links(out, out / "new" / "a.png")
    check_links(out, out / "a.png")
    with pytest.raises(UserError, match="a link leads from here out of the folder"):
        check_links(out, out / "without" / "a.png")
