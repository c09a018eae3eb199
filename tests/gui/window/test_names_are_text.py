"""A project whose names are all markup: no widget of the window, its docks and its dialogs renders one of them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QAbstractListModel, Qt
from PySide6.QtGui import Qt as Guess
from PySide6.QtWidgets import QAbstractItemView, QApplication, QLabel, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from fkp_studio.dialogs.exchange.import_dialog import ImportDialog
from fkp_studio.document.settings import Settings
from fkp_studio.look.widgets.error_handling import show_error
from fkp_studio.window.dialogs import DIALOGS
from fkp_studio.window.main_window import MainWindow
from training.errors import UserError
from training.sources.exchange.import_source import import_source
from training.storage.project.project import Project
from training.storage.runs.new_run import create_run
from training.storage.runs.settings.recipes import recipe_config
from training.synthetic.demo import make_demo_project  # noqa: F401 - loads what dialogs import

MARK = "<h1>xmarkx<img src=x>"
SILENT = ("live", "random_search", "experiments", "protocol")  # they start processes, or need a trained run


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    """A project in which file, person, keypoint, source, project and run are markup."""
    pictures = tmp_path / "<b>xmarkx source"
    pictures.mkdir()
    points = [f"{MARK}{n}" for n in range(5)]
    lines = ["image,person,subset," + ",".join(f"{name}_x,{name}_y" for name in points)]
    for n in range(8):
        name = f"<b>xmarkx {n}.png"
        cv2.imwrite(str(pictures / name), np.random.default_rng(n).integers(0, 255, (48, 48), np.uint8))
        lines.append(f"{name},<h1>xmarkx person {n},<h1>xmarkx subset," + ",".join("10,12" for _ in points))
    (pictures / "labels.csv").write_text("\n".join(lines) + "\n")
    path = tmp_path / "<h1>xmarkx & project.fkp"
    import_source(pictures, path)
    with Project.open(path) as project:
        run = create_run(project, recipe_config("cnn-6"))
    marked = run.path.with_name("0001-<h1>xmarkx")
    run.path.rename(marked)
    (marked / "log.txt").write_text("<h1>xmarkx of the log\n")
    (marked / "events.jsonl").write_text(
        json.dumps({"event": "RunFailed", "time": 1, "message": "<h1>xmarkx went wrong", "hint": "", "traceback": ""})
        + "\n"
    )
    return path


def rendered(text: str) -> bool:
    """Whether Qt would render a name in this text."""
    return "xmarkx" in text and any(tag in text for tag in ("<h1", "<b>", "<img")) and Guess.mightBeRichText(text)


def look(root: QWidget, where: str) -> list[tuple[str, str, str]]:
    """What renders a name, in this widget and all in it."""
    found = []
    for widget in (root, *root.findChildren(QWidget)):
        texts = [widget.toolTip(), widget.statusTip(), widget.whatsThis()]
        if isinstance(widget, QLabel | QMessageBox) and widget.textFormat() != Qt.TextFormat.PlainText:
            texts.append(widget.text())
        if isinstance(widget, QAbstractItemView) and widget.model() is not None:
            texts += tips(widget)
        texts += [action.toolTip() for action in widget.actions()]
        found += [(where, type(widget).__name__, text) for text in texts if rendered(text)]
    return found


def tips(view: QAbstractItemView) -> list[str]:
    model = view.model()
    columns = 1 if isinstance(model, QAbstractListModel) else min(model.columnCount(), 12)
    cells = [model.index(row, column) for row in range(min(model.rowCount(), 30)) for column in range(columns)]
    return [tip for cell in cells if isinstance(tip := cell.data(Qt.ItemDataRole.ToolTipRole), str)]


def seen(root: QWidget) -> bool:
    """Whether a name is shown anywhere at all: else the look proves nothing."""
    labels = [w.text() for w in root.findChildren(QLabel)]
    return any("xmarkx" in text for text in labels)


def test_no_widget_renders_a_name(qtbot: QtBot, marked: Path) -> None:
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.resize(1366, 768)
    window.show()
    window.open_at_start(marked)
    qtbot.waitUntil(lambda: bool(window.jobs.book.names()) and window.panels.training is not None)
    window.session.set_keypoint(0)
    window.session.store.place(1, 0, (5.0, 5.0))
    window.session.set_run(window.jobs.book.names()[-1])
    window.status.show_hint(f"{MARK} is a hint")
    found = look(window, "window")
    assert seen(window)
    for action in (name for name in DIALOGS if name not in SILENT):
        before = set(QApplication.topLevelWidgets())
        window.menus.actions[action].trigger()
        QApplication.processEvents()
        for widget in set(QApplication.topLevelWidgets()) - before:
            found += look(widget, action)
            widget.close()
    found += look(window, "window, later")
    window.session.close_project()
    window.welcome.show_recent([marked])
    found += look(window.welcome, "start page")
    window._fill_recent()
    assert "&&" in window._recent_menu.actions()[0].text()
    assert found == []


def test_the_import_dialog_renders_no_name(qtbot: QtBot, marked: Path) -> None:
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    dialog = ImportDialog(window.session, marked.parent / "<b>xmarkx source", window)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: dialog.pages.currentWidget() is dialog.preview and seen(dialog))
    assert look(dialog, "import") == []


def test_an_error_renders_no_name(qtbot: QtBot) -> None:
    box = show_error(None, UserError(f"The image /data/{MARK}.png is damaged."))
    qtbot.addWidget(box)
    assert look(box, "error") == []
    assert MARK in box.text()
