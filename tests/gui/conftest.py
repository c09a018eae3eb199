"""Fixtures for the tests of the window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session


@pytest.fixture
def session(qtbot: QtBot, project_path: Path) -> Iterator[Session]:
    """A session with the small project open."""
    made = Session()
    made.open_project(project_path)
    yield made
    made.close_project()


@pytest.fixture
def empty_session(qtbot: QtBot) -> Session:
    """A session without a project."""
    return Session()
