"""File names that every system allows, and files replaced while others read them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from training.errors import UserError
from training.files import replacing as module
from training.files.names import safe_name
from training.files.replacing import replacing
from training.files.sentences import writing


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("face.png", "face.png"),
        ("Zoë 12.jpg", "Zoë 12.jpg"),
        ("CON", "_CON"),
        ("nul.tar.gz", "_nul.tar.gz"),
        ("com1 .txt", "_com1 .txt"),
        ("LPT²", "_LPT²"),
        ("com10.png", "com10.png"),
        ("console.png", "console.png"),
        ("a. .", "a"),
        ("con.", "_con"),
        ('a<b>:"|?*c', "a_b______c"),
        ("up/../down\\x\n\0", "up_.._down_x__"),
        ("...", ""),
    ],
)
def test_a_safe_name_can_be_used_on_every_system(name: str, safe: str) -> None:
    assert safe_name(name) == safe
    assert safe_name(safe) == safe


def test_on_windows_a_file_that_is_read_is_replaced_when_the_reader_has_closed_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tries, rename = [], Path.replace

    def refuse_twice(part: Path, path: Path) -> Path:
        tries.append(part)
        if len(tries) < 3:
            raise PermissionError(13, "Permission denied")
        return rename(part, path)

    monkeypatch.setattr(Path, "replace", refuse_twice)
    with pytest.raises(UserError, match="no permission"), replacing(tmp_path / "a.txt") as file:
        file.write(b"one")  # elsewhere it is a matter of rights, and trying again is no use
    assert len(tries) == 1
    tries.clear()
    monkeypatch.setattr(sys, "platform", "win32")
    with replacing(tmp_path / "a.txt") as file:
        file.write(b"two")
    assert (tmp_path / "a.txt").read_bytes() == b"two"
    tries[:] = []
    monkeypatch.setattr(module, "_REPLACE_SECONDS", 0.0)
    with pytest.raises(UserError, match="no permission"), replacing(tmp_path / "a.txt") as file:
        file.write(b"three")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.txt"]


def test_on_windows_a_path_that_is_too_long_is_named_as_such(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    deep = tmp_path.joinpath(*["folder" * 10] * 4, "a.txt")
    with pytest.raises(UserError, match="too long for Windows"), writing(deep):
        deep.write_text("")
    with pytest.raises(UserError, match="the folder does not exist"), writing(tmp_path / "no" / "a.txt"):
        (tmp_path / "no" / "a.txt").write_text("")
