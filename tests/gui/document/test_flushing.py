"""Edits are brought to the disk itself, off the interface thread, and a disk that refuses is told once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from fkp_studio.document.store import ProjectStore
from tests.helpers.project_data import moved
from training.storage.project.edits.change import change_labels
from training.storage.project.project import Project


@pytest.fixture
def store(session: Session) -> ProjectStore:
    assert session.store is not None
    return session.store


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """(file name, whether in the interface thread) of each fsync, as it happens."""
    seen: list[tuple[str, bool]] = []
    fsync, main = os.fsync, threading.current_thread()

    def note(descriptor: int) -> None:
        seen.append((Path(f"/proc/self/fd/{descriptor}").resolve().name, threading.current_thread() is main))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    return seen


linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells the name of a descriptor")


@linux
def test_edits_are_flushed_together_off_the_interface_thread(
    store: ProjectStore, qtbot: QtBot, flushed: list[tuple[str, bool]]
) -> None:
    for n in range(5):
        store.place(1, 0, (n + 1.0, 1.0))
    assert not flushed
    assert store.flushing.pending
    qtbot.waitUntil(lambda: not store.flushing.pending)
    assert flushed == [("project.db-wal", False), (store.path.name, False)]
    store.undo_stack.undo()
    qtbot.waitUntil(lambda: len(flushed) == 4)


@linux
def test_a_command_flushes_what_it_wrote_beside_an_open_window(
    store: ProjectStore, flushed: list[tuple[str, bool]]
) -> None:
    with Project.open(store.path) as other:
        change_labels(other, [2], moved, text="elsewhere")
        assert not flushed
    assert flushed[0][0] == "project.db-wal"
    flushed.clear()
    Project.open(store.path).close()
    assert not flushed  # it wrote nothing


def test_a_disk_that_refuses_is_told_once(store: ProjectStore, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    store.failed.connect(told.append)

    def refuse(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", refuse)
        for n in range(2):
            store.place(1, 0, (n + 5.0, 1.0))
            qtbot.waitUntil(lambda: not store.flushing.pending)
    assert len(told) == 1
    assert "may not survive a power cut" in told[0]
    store.place(1, 0, (9.0, 1.0))
    qtbot.waitUntil(lambda: not store.flushing.pending)
    assert len(told) == 1
