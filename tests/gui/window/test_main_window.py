"""The window as a user meets it: start page, docks, workspaces, keys, search, closing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QImage
from PySide6.QtWidgets import QDialog, QLabel, QLineEdit, QMessageBox
from pytestqt.qtbot import QtBot

from fkp_studio import app
from fkp_studio.actions import ACTIONS
from fkp_studio.dialogs.exchange.import_dialog import ImportDialog
from fkp_studio.dialogs.poses.dialog import PosesDialog
from fkp_studio.dialogs.search.dialog import RandomSearchDialog
from fkp_studio.document.settings import Settings
from fkp_studio.look.style import theme
from fkp_studio.look.widgets.desktop import BORDER, TITLE_BAR, keep_on_screen
from fkp_studio.views.live.window import LiveWindow
from fkp_studio.window import later_panels, main_window
from fkp_studio.window.arrangement.workspaces import WORKSPACES
from fkp_studio.window.dialogs import DIALOGS
from fkp_studio.window.handlers import handlers
from fkp_studio.window.main_window import MainWindow
from fkp_studio.window.pages.command_palette import SearchDialog
from fkp_studio.window.pages.shortcuts import ShortcutsOverlay
from tests.conftest import make_project
from training.faces.labels.labels import PointState

SMALL = (1366, 768)


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    """The window on its start page, as at a later start."""
    settings = Settings()
    settings.set_last_project(None)
    made = MainWindow(settings)
    qtbot.addWidget(made)
    made.resize(*SMALL)
    with qtbot.waitExposed(made):
        made.show()
    with qtbot.waitSignal(made.complete):
        made.open_at_start(None)
    yield made
    made.close()


@pytest.fixture
def opened(window: MainWindow, project_path: Path, qtbot: QtBot) -> MainWindow:
    """The window with the small project."""
    assert window.opener.open(project_path)
    qtbot.waitUntil(lambda: window.docks["gallery"].isVisible())
    return window


def dialog_of(window: MainWindow, kind: type[QDialog]) -> QDialog | None:
    return next((d for d in window.findChildren(kind) if d.isVisible()), None)


def test_every_action_of_the_table_is_wired(window: MainWindow) -> None:
    assert set(handlers(window)) >= {a.id for a in ACTIONS if a.scope == "window"}
    assert set(handlers(window)) <= {a.id for a in ACTIONS}


def test_every_dialog_belongs_to_an_action() -> None:
    assert set(DIALOGS) <= {action.id for action in ACTIONS}


def test_the_search_button_opens_a_search_of_the_chosen_recipe(opened: MainWindow) -> None:
    panel = opened.panels.training
    assert panel is not None
    panel.recipe.setCurrentIndex(panel.recipe.findData("cnn-6"))
    panel.search_button.click()
    search = dialog_of(opened, RandomSearchDialog)
    assert isinstance(search, RandomSearchDialog) and search.recipe.currentData() == "cnn-6"
    search.close()


def test_an_action_on_a_panel_that_is_not_made_yet_does_nothing(qtbot: QtBot) -> None:
    settings = Settings()
    settings.set_last_project(None)
    window = MainWindow(settings)
    qtbot.addWidget(window)
    for action in ("train", "augmentation", "compare", "random_search"):
        handlers(window)[action]()
    assert not [dialog for dialog in window.findChildren(QDialog) if dialog.isVisible()]


def test_the_start_page_has_three_ways_in_and_no_panels(window: MainWindow) -> None:
    assert window.welcome.isVisible()
    assert all(card.isVisible() for card in (window.welcome.demo, window.welcome.data, window.welcome.photos))
    assert not any(dock.isVisible() for dock in window.docks.values())
    assert not window.menus.actions["export"].isEnabled()
    assert window.menus.actions["open"].isEnabled()


def test_a_project_opened_before_is_on_the_start_page_with_its_count(opened: MainWindow, qtbot: QtBot) -> None:
    opened.opener.close_project()
    qtbot.waitUntil(lambda: any("24 faces" in label.text() for label in opened.welcome.findChildren(QLabel)))


def test_opening_shows_the_project_and_remembers_it(opened: MainWindow, project_path: Path) -> None:
    assert opened.windowTitle().startswith("small.fkp")
    assert opened.canvas.isVisible() and not opened.welcome.isVisible()
    assert opened.settings.last_project() == project_path.resolve()
    assert opened.settings.recent() == [project_path.resolve()]


def test_a_folder_dropped_on_the_window_opens(window: MainWindow, project_path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(project_path))])
    keys = (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    window.dropEvent(QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, data, *keys))
    assert window.session.store is not None


def test_a_image_that_is_opened_leads_to_the_import_of_its_folder(window: MainWindow, project_path: Path) -> None:
    folder = project_path.parent / "photos"
    folder.mkdir()
    QImage(8, 8, QImage.Format.Format_Grayscale8).save(str(folder / "one.png"))
    assert window.opener.open(folder / "one.png")
    dialog = dialog_of(window, ImportDialog)
    assert isinstance(dialog, ImportDialog) and dialog.preview.title.text() == "photos"
    dialog.reject()


def test_a_demo_that_gets_ready_leaves_the_project_that_was_opened_meanwhile(
    opened: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(path: Path, **_hooks: object) -> None:
        make_project(path)

    monkeypatch.setattr("training.synthetic.demo.make_demo_project", make)
    before = opened.session.store
    with qtbot.waitSignal(opened.opener.demo_ended):
        opened.opener.open_demo()
    assert opened.session.store is before


def test_a_face_opened_in_the_gallery_takes_the_keys_to_the_image(opened: MainWindow, qtbot: QtBot) -> None:
    opened.canvas.toggle_contact_sheet()
    opened.gallery.setFocus()
    qtbot.keyClick(opened.gallery.view, Qt.Key.Key_Return)
    assert not opened.canvas.shows_sheet
    assert opened.focusWidget() is opened.canvas.view


def test_a_layout_comes_back_though_the_window_grows_after_it_is_shown(
    opened: MainWindow, project_path: Path, qtbot: QtBot
) -> None:
    loss = opened.docks["loss"]
    opened.resize(SMALL[0], 900)
    opened.workspaces.switch("compare_runs")
    qtbot.waitUntil(lambda: loss.height() > 450)
    qtbot.wait(50)  # until it has been measured for the second time
    before = loss.height()
    opened.opener.close_project()
    opened.resize(SMALL[0], 620)
    assert opened.opener.open(project_path)
    qtbot.waitUntil(lambda: loss.isVisible() and loss.height() < before)
    opened.resize(SMALL[0], 900)
    qtbot.waitUntil(lambda: loss.height() == before)


def test_the_training_part_gives_its_room_back(opened: MainWindow, qtbot: QtBot) -> None:
    dock = opened.docks["training"]
    opened.resize(SMALL[0], 1000)
    qtbot.waitUntil(lambda: not opened.workspaces.arriving)
    opened.workspaces.settle("training", 300)
    qtbot.waitUntil(lambda: dock.height() > 260)
    opened.workspaces.settle("training", 0)
    qtbot.waitUntil(lambda: dock.height() < 240)


def test_what_is_not_there_is_told_and_nothing_changes(opened: MainWindow, tmp_path: Path) -> None:
    before = opened.session.store
    assert not opened.opener.open(tmp_path / "gone.fkp")
    box = dialog_of(opened, QMessageBox)
    assert isinstance(box, QMessageBox) and "gone.fkp" in box.text()
    assert opened.session.store is before
    box.close()


@pytest.mark.parametrize("workspace", WORKSPACES, ids=lambda w: w.id)
def test_a_workspace_shows_its_parts_and_all_fits_a_small_screen(opened: MainWindow, qtbot: QtBot, workspace) -> None:
    qtbot.keyClick(opened, opened.menus.actions[workspace.id].shortcut()[0].key())
    opened.workspaces.switch(workspace.id)
    expected = {*workspace.tall, *workspace.plots, *(["gallery"] if workspace.left else [])}
    qtbot.waitUntil(lambda: {n for n, d in opened.docks.items() if d.isVisible()} == expected)
    assert (opened.width(), opened.height()) == SMALL
    inside = opened.rect()
    for name in expected:
        dock = opened.docks[name]
        assert inside.contains(dock.geometry()), name
        assert dock.width() >= dock.minimumSizeHint().width() and dock.height() >= dock.minimumSizeHint().height()
    assert opened.top_bar.workspaces.buttons[workspace.id].isChecked()


def test_what_the_user_moved_in_a_workspace_stays_until_it_is_reset(opened: MainWindow, qtbot: QtBot) -> None:
    opened.workspaces.switch("look")
    opened.docks["ced"].hide()
    opened.workspaces.switch("label")
    opened.workspaces.switch("look")
    qtbot.waitUntil(lambda: opened.docks["loss"].isVisible())
    assert not opened.docks["ced"].isVisible()
    opened.workspaces.reset()
    qtbot.waitUntil(lambda: opened.docks["ced"].isVisible())


def test_the_layout_is_there_again_in_the_next_window(opened: MainWindow, project_path: Path, qtbot: QtBot) -> None:
    opened.workspaces.switch("review")
    opened.docks["points"].hide()
    opened.close()
    again = MainWindow(Settings())
    qtbot.addWidget(again)
    again.show()
    again.opener.open(project_path)
    assert again.workspaces.current == "review"
    assert not again.docks["points"].isVisible() and again.docks["gallery"].isVisible()
    again.close()


def test_letters_walk_through_faces_but_type_in_a_field(opened: MainWindow, qtbot: QtBot) -> None:
    opened.activateWindow()
    opened.canvas.setFocus()
    qtbot.keyClick(opened.canvas.view, Qt.Key.Key_D)
    assert opened.session.sample_id == 2
    field = QLineEdit(opened)
    field.show()
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)
    qtbot.keyClicks(field, "daz ?")
    assert field.text() == "daz ?"
    assert opened.session.sample_id == 2
    opened.canvas.setFocus()
    qtbot.keyClick(opened.canvas.view, Qt.Key.Key_A)
    assert opened.session.sample_id == 1


def test_undo_and_redo_by_keys_and_the_status_line_names_the_step(opened: MainWindow, qtbot: QtBot) -> None:
    store = opened.session.store
    assert store is not None
    store.set_state(1, 10, PointState.ABSENT)
    assert "undo: mark nose tip absent" in opened.status.saved.text()
    assert opened.status.saved.text().startswith("saved ")
    opened.canvas.setFocus()
    qtbot.keyClick(opened.canvas.view, Qt.Key.Key_Z)
    assert store.labels([1]).states[0, 10] == PointState.VISIBLE
    assert "undo:" not in opened.status.saved.text()
    qtbot.keyClick(opened.canvas.view, Qt.Key.Key_Y)
    assert store.labels([1]).states[0, 10] == PointState.ABSENT


def test_the_heading_of_the_points_counts_them(opened: MainWindow) -> None:
    opened.session.set_sample(3)
    title = opened.docks["points"].titleBarWidget()
    assert title.note.text() == "4/15"


def test_the_overlay_lists_all_keys_and_escape_closes_it(opened: MainWindow, qtbot: QtBot) -> None:
    opened.menus.actions["keys"].trigger()
    overlay = dialog_of(opened, ShortcutsOverlay)
    assert overlay is not None
    texts = {label.text() for label in overlay.findChildren(QLabel)}
    assert {"Undo", "Next face with missing points", "Accept this point", "← → ↑ ↓"} <= texts
    assert overlay.width() <= SMALL[0] and overlay.height() <= SMALL[1]
    qtbot.keyClick(overlay, Qt.Key.Key_Escape)
    assert dialog_of(opened, ShortcutsOverlay) is None


def test_search_finds_an_action_and_a_face(opened: MainWindow, qtbot: QtBot) -> None:
    opened.menus.actions["search"].trigger()
    search = dialog_of(opened, SearchDialog)
    assert isinstance(search, SearchDialog)
    qtbot.keyClicks(search.field, "work")
    assert search.list.item(0).text() == "Reset this workspace"
    search.field.setText("live")  # not in its name, but in its tip
    assert search.list.item(0).text() == "Webcam or video"
    search.field.setText("confidences are")
    assert search._entries[0].remark == "choose a run first"
    qtbot.keyClick(search.field, Qt.Key.Key_Return)
    assert search.isVisible()  # it is unavailable now
    search.field.setText("face-017")
    qtbot.waitUntil(lambda: search.list.count() == 1)
    qtbot.keyClick(search.field, Qt.Key.Key_Return)
    assert opened.session.sample_id == 18


def test_search_says_when_there_is_nothing(opened: MainWindow, qtbot: QtBot) -> None:
    opened.menus.actions["search"].trigger()
    search = dialog_of(opened, SearchDialog)
    assert isinstance(search, SearchDialog)
    search.field.setText("no such thing")
    qtbot.waitUntil(lambda: search.list.count() == 0)
    assert any("No matches" in label.text() for label in search.findChildren(QLabel) if label.isVisible())
    search.close()


def test_the_theme_button_changes_the_colours_and_they_stay(opened: MainWindow, qtbot: QtBot) -> None:
    theme.current().set_mode("light")
    opened.top_bar.theme_button.click()
    assert theme.colours().dark and Settings().get("theme") == "dark"
    opened.top_bar.theme_button.click()
    assert not theme.colours().dark


def test_everything_one_can_press_has_a_name_for_screen_readers(opened: MainWindow) -> None:
    from PySide6.QtWidgets import QAbstractButton, QComboBox

    nameless = [
        f"{type(w).__name__} in {type(w.parent()).__name__}"
        for kind in (QAbstractButton, QComboBox, QLineEdit)
        for w in opened.findChildren(kind)
        if w.isVisible()
        and not (w.accessibleName() or getattr(w, "text", str)() or w.toolTip())
        and not w.objectName().startswith("qt_")
    ]
    assert nameless == []


def test_a_bin_of_the_window_of_poses_shows_its_faces_in_the_gallery(opened: MainWindow, qtbot: QtBot) -> None:
    opened.docks["gallery"].hide()
    opened.menus.actions["poses"].trigger()
    poses = dialog_of(opened, PosesDialog)
    assert isinstance(poses, PosesDialog)
    with qtbot.waitSignal(opened.session.order_changed):
        poses.faces_wanted.emit(np.array([5, 2]), "pose +1.0 to +2.0")
    assert opened.session.order.tolist() == [2, 5]
    assert opened.docks["gallery"].isVisible()
    poses.close()


def test_a_window_beside_that_is_asked_for_again_is_the_same_one(window: MainWindow, qtbot: QtBot) -> None:
    window.menus.actions["live"].trigger()
    window.menus.actions["live"].trigger()
    live = [w for w in window.findChildren(LiveWindow) if w.isVisible()]
    assert len(live) == 1
    with qtbot.waitSignal(live[0].destroyed):
        live[0].close()
    window.menus.actions["live"].trigger()
    assert dialog_of(window, LiveWindow) is not None


def test_the_start_and_all_dialogs_load_neither_torch_nor_pandas() -> None:
    modules = [module.__name__ for module in (app, main_window, later_panels)]
    program = f"""
import sys, {", ".join(modules)}
{modules[-1]}.import_modules()
{modules[-1]}.import_windows()
assert not {{"torch", "pandas"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_dialog_too_large_for_the_screen_is_fitted_to_it(window: MainWindow, qtbot: QtBot) -> None:
    dialog = QDialog(window)
    room = window.screen().availableGeometry()
    dialog.resize(5000, 5000)
    keep_on_screen(dialog)
    assert (dialog.width(), dialog.height()) == (max(room.width(), 1024) - BORDER, room.height() - TITLE_BAR)
    dialog.resize(300, 200)
    keep_on_screen(dialog)
    assert (dialog.width(), dialog.height()) == (300, 200)
