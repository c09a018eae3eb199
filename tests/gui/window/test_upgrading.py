"""A project of an earlier version is updated in the background before it is opened; cancelled, it stays as it was."""

from __future__ import annotations

import sqlite3
import time
import zipfile
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QMainWindow, QProgressDialog, QPushButton
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from fkp_studio.document.settings import Settings
from fkp_studio.window import upgrading
from fkp_studio.window.opening import Opener
from training.progress import Progress

ARCHIVE = Path(__file__).parents[2] / "fixtures" / "project-0.1.0.zip"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    return tmp_path / "old.fkp"


@pytest.fixture
def window(qtbot: QtBot) -> QMainWindow:
    window = QMainWindow()
    qtbot.addWidget(window)
    return window


def version(path: Path) -> int:
    sql = sqlite3.connect(path / "project.db")
    found: int = sql.execute("PRAGMA user_version").fetchone()[0]
    sql.close()
    return found


def test_an_older_project_is_updated_and_opened(old: Path, window: QMainWindow) -> None:
    session = Session(window)
    assert version(old) == 2
    assert Opener(session, Settings(window), window).open(old)
    assert session.store is not None
    assert session.store.path == old
    assert version(old) == 3
    session.close_project()


def test_a_cancelled_update_leaves_the_project_as_it_was(
    old: Path, window: QMainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(window)

    def slow(_path: Path, progress: Progress) -> None:
        while True:
            progress(0.5, "")
            time.sleep(0.01)

    def cancel() -> None:
        dialog = window.findChild(QProgressDialog, "upgrading")
        assert isinstance(dialog, QProgressDialog)
        dialog.findChildren(QPushButton)[0].click()

    monkeypatch.setattr(upgrading, "upgrade", slow)
    QTimer.singleShot(50, cancel)
    assert not Opener(session, Settings(window), window).open(old)
    assert session.store is None
    assert version(old) == 2
