"""Files that grow are read piece by piece: torn lines, cuts and foreign lines do no harm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.processes.tail import Tail, new_lines, parsed


def test_a_torn_line_is_left_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"one\ntw")
    assert new_lines(path, 0) == ([b"one"], 4)
    path.write_bytes(b"one\ntwo\nthree")
    assert new_lines(path, 4) == ([b"two"], 8)
    assert new_lines(path, 8) == ([], 8)


def test_a_file_cut_short_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"new\n")
    assert new_lines(path, 100) == ([b"new"], 4)


def test_a_file_cut_back_and_written_on_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"one\ntwo\nthree\n")
    tail = Tail(path)
    assert tail.read() == [b"one", b"two", b"three"]
    path.write_bytes(b"one\ntwo\nTHREE and more\n")  # longer than before: its size does not tell
    assert tail.read() == [b"one", b"two", b"THREE and more"]
    with path.open("ab") as file:
        file.write(b"four\n")
    assert tail.read() == [b"four"]


def test_a_file_that_is_away_for_a_moment_is_read_on(tmp_path: Path) -> None:
    path, away = tmp_path / "events.jsonl", tmp_path / "away"
    path.write_bytes(b"one\n")
    tail = Tail(path)
    assert tail.read() == [b"one"]
    path.rename(away)
    with pytest.raises(FileNotFoundError):
        tail.read()
    away.rename(path)
    with path.open("ab") as file:
        file.write(b"two\n")
    assert tail.read() == [b"two"]


def test_lines_that_are_no_events_are_left_out() -> None:
    def event(line: str) -> int:
        return int(json.loads(line).get("n", 0))

    lines = [b'{"n": 1}', b"\xff\xfe no text", b'{"n": 2', b"[1]", b'{"n": 3}']
    assert parsed(lines, event) == [1, 3]
