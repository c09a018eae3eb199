"""The window's log: kept where only the user reads it, or not at all."""

from __future__ import annotations

import faulthandler
import logging
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import qInstallMessageHandler
from pytestqt.qtbot import QtBot

from fkp_studio.look.widgets.error_handling import start_log


@pytest.fixture
def _logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [h for h in root.handlers if h not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    faulthandler.enable(sys.__stderr__)
    qInstallMessageHandler(None)


@pytest.mark.usefixtures("_logging_restored")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_the_log_lies_in_a_folder_of_the_users_only(qtbot: QtBot, tmp_path: Path) -> None:
    with start_log(tmp_path / "state" / "fkp-studio"):
        logging.getLogger("fkp_studio").warning("something odd")
        assert "something odd" in (tmp_path / "state/fkp-studio/log.txt").read_text()
        assert stat.S_IMODE((tmp_path / "state/fkp-studio").stat().st_mode) == 0o700
        faulthandler.disable()


@pytest.mark.usefixtures("_logging_restored")
def test_the_window_starts_without_a_log_and_says_so(qtbot: QtBot, tmp_path: Path, capsys) -> None:
    (tmp_path / "state").write_text("a file is in the way")
    with start_log(tmp_path / "state" / "fkp-studio"):
        assert "No log is kept" in capsys.readouterr().err
