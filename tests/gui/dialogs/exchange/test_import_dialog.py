"""Importing from the window: preview, map columns, import, cancel."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from fkp_studio.dialogs.exchange import import_dialog
from fkp_studio.dialogs.exchange.column_roles import IGNORE, choices, mapping_of, roles_of, with_role
from fkp_studio.dialogs.exchange.import_dialog import ImportDialog
from fkp_studio.dialogs.exchange.import_pages import ProblemList
from fkp_studio.dialogs.exchange.source_preview import Choices, suggested_project
from fkp_studio.document.session import Session
from fkp_studio.look.style import theme
from training.errors import UserError
from training.sources.exchange.import_source import Cancelled, Problem
from training.sources.formats.tables.columns import ColumnMapping, KeypointColumns
from training.storage.project.project import Project

HEADER = "image,person,split,left_eye_x,left_eye_y,right_eye_x,right_eye_y,nose_x,nose_y"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Ten images and a CSV of three keypoints; every second nose is missing."""
    folder = tmp_path / "faces"
    folder.mkdir()
    random = np.random.default_rng(0)
    rows = [HEADER]
    for i in range(10):
        cv2.imwrite(str(folder / f"{i}.png"), random.integers(0, 255, (40, 40), np.uint8))
        nose = "20,25" if i % 2 else ","
        rows.append(f"{i}.png,p{i},{'val' if i > 7 else 'train'},30,15,10,15,{nose}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


def opened(qtbot: QtBot, session: Session, source: Path | None) -> ImportDialog:
    """The dialog, with its first preview of the source done."""
    dialog = ImportDialog(session, source)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)  # the test looks at it after it closed
    qtbot.addWidget(dialog)
    dialog.open()
    if source is not None:
        qtbot.waitUntil(lambda: dialog.pages.currentWidget() is not dialog.working)
    return dialog


def set_role(dialog: ImportDialog, column: str, role: str) -> None:
    model = dialog.preview.table.columns
    model.setData(model.index(model.columns.index(column), 1), role)


def test_from_a_folder_to_an_open_project(qtbot: QtBot, empty_session: Session, source: Path, tmp_path: Path) -> None:
    dialog = opened(qtbot, empty_session, source)
    page = dialog.preview
    assert dialog.pages.currentWidget() is page
    assert "10 faces · 3 keypoints" in page.about.text()
    assert len(page.faces.cards) == 9
    assert page.go.text() == "Import 10 faces"
    assert page.table.columns.roles[:4] == ["image", "group", "split", "x of left_eye"]
    page.path.setText(str(tmp_path / "made"))
    page.go.click()
    qtbot.waitUntil(lambda: dialog.pages.currentWidget() is dialog.report)
    assert dialog.report.title.text() == "made.fkp is ready"
    assert "10 faces imported" in dialog.report.sentence.text()
    dialog.report.open.click()
    store = empty_session.store
    assert store is not None
    assert (len(store), len(store.schema), store.path) == (10, 3, tmp_path / "made.fkp")
    empty_session.close_project()


def test_a_column_that_is_ignored_is_not_imported(
    qtbot: QtBot, empty_session: Session, source: Path, tmp_path: Path
) -> None:
    dialog = opened(qtbot, empty_session, source)
    page = dialog.preview
    set_role(dialog, "nose_y", IGNORE)
    assert not page.go.isEnabled()
    qtbot.waitUntil(lambda: "No column is read as y of nose" in page.problem.text())
    set_role(dialog, "nose_x", IGNORE)
    qtbot.waitUntil(lambda: "2 keypoints" in page.about.text())
    assert page.go.isEnabled()
    page.path.setText(str(tmp_path / "two.fkp"))
    page.go.click()
    qtbot.waitUntil(lambda: dialog.pages.currentWidget() is dialog.report)
    dialog.report.open.click()
    assert empty_session.store is not None
    assert empty_session.store.schema.keypoints == ("left_eye", "right_eye")
    empty_session.close_project()


def test_cancelling_leaves_nothing(
    qtbot: QtBot, empty_session: Session, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = opened(qtbot, empty_session, source)
    half, real = threading.Event(), import_dialog.import_source

    def slow(*args: Any, progress: Callable[[float, str], None], cancelled: Callable[[], bool], **more: Any) -> Any:
        """The import, pausing in the middle until it is cancelled."""

        def report(fraction: float, text: str) -> None:
            progress(fraction, text)
            if fraction > 0.3:
                half.set()
                while not cancelled():
                    threading.Event().wait(0.001)

        return real(*args, progress=report, cancelled=cancelled, **more)

    monkeypatch.setattr(import_dialog, "import_source", slow)
    dialog.preview.path.setText(str(tmp_path / "never.fkp"))
    dialog.preview.go.click()
    qtbot.waitUntil(half.is_set)
    with qtbot.waitSignal(dialog.finished):
        dialog.working.cancel.click()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["faces", "home"]
    assert empty_session.store is None


def test_a_cancel_is_not_an_error() -> None:
    def cancelled_import(*_: object, **__: object) -> None:
        raise Cancelled

    original = import_dialog.import_source
    import_dialog.import_source = cancelled_import  # type: ignore[assignment]
    try:
        result = import_dialog.import_quietly(
            Path("a"), Path("b"), Choices(), progress=lambda f, t: None, cancelled=lambda: True
        )
    finally:
        import_dialog.import_source = original
    assert result is None


def test_what_cannot_be_read_is_told_where_one_chooses_again(
    qtbot: QtBot, empty_session: Session, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    dialog = opened(qtbot, empty_session, tmp_path / "empty")
    assert dialog.pages.currentWidget() is dialog.choose
    assert "no images and no CSV" in dialog.choose.problem.text()


def test_a_failed_import_can_go_elsewhere(qtbot: QtBot, empty_session: Session, source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    dialog = opened(qtbot, empty_session, source)
    dialog.preview.path.setText(str(tmp_path / "file" / "new.fkp"))
    dialog.preview.go.click()
    qtbot.waitUntil(lambda: dialog.pages.currentWidget() is dialog.preview and bool(dialog.preview.problem.text()))
    dialog.preview.path.setText(str(tmp_path / "elsewhere.fkp"))
    assert dialog.preview.go.isEnabled()
    dialog.preview.go.click()
    qtbot.waitUntil(lambda: dialog.pages.currentWidget() is dialog.report)


def test_bad_rows_are_listed(qtbot: QtBot, empty_session: Session, source: Path, tmp_path: Path) -> None:
    (source / "3.png").write_bytes(b"not an image")
    dialog = opened(qtbot, empty_session, source)
    dialog.preview.path.setText(str(tmp_path / "most.fkp"))
    dialog.preview.go.click()
    qtbot.waitUntil(lambda: dialog.pages.currentWidget() is dialog.report)
    assert "9 faces imported" in dialog.report.sentence.text()
    assert dialog.report.left_out.isVisible()
    assert "3.png" in dialog.report.left_out.list.item(0).text()


def test_long_sentences_are_broken_within_the_list(qtbot: QtBot) -> None:
    theme.current().set_mode("light")
    problems = ProblemList()
    qtbot.addWidget(problems)
    problems.resize(500, 200)
    problems.show_problems([Problem("many words " * n + "." * n) for n in range(9, 60)], title="Left out")
    problems.show()
    qtbot.waitExposed(problems)
    widths = [problems.list.visualItemRect(problems.list.item(i)).width() for i in range(problems.list.count())]
    assert 0 < max(widths) <= problems.list.viewport().width()


def test_adding_to_the_open_project_is_said_and_shown(qtbot: QtBot, session: Session, source: Path) -> None:
    assert session.store is not None
    dialog = opened(qtbot, session, source)
    dialog.preview.path.setText(str(session.store.path))
    assert dialog.preview.note.text().startswith("This project exists")
    dialog.preview.go.click()
    qtbot.waitUntil(lambda: bool(dialog.preview.problem.text()))
    assert "15 keypoints" in dialog.preview.problem.text()
    assert len(session.store) == 24


def test_the_project_is_named_after_the_data(tmp_path: Path) -> None:
    folder = tmp_path / "smiles"
    folder.mkdir()
    (folder / "training.csv").touch()
    assert suggested_project(folder) == tmp_path / "smiles.fkp"
    assert suggested_project(folder / "training.csv") == tmp_path / "smiles.fkp"
    (tmp_path / "smiles.fkp").mkdir()
    assert suggested_project(folder) == tmp_path / "smiles-2.fkp"


def test_roles_and_mapping_say_the_same() -> None:
    columns = ("file", "who", "eye_x", "eye_y", "note", "eye_state")
    mapping = ColumnMapping("file", (KeypointColumns("eye", "eye_x", "eye_y", "eye_state"),), group="who")
    roles = roles_of(columns, mapping)
    assert roles == ["image", "group", "x of eye", "y of eye", IGNORE, "state of eye"]
    assert mapping_of(columns, roles) == mapping
    moved = with_role(roles, 4, "group")
    assert moved == ["image", IGNORE, "x of eye", "y of eye", "group", "state of eye"]
    assert "x of eye" in choices(roles, "note")
    assert choices(roles, "eye_state")[4:7] == ["x of eye", "y of eye", "state of eye"]
    assert mapping_of(columns, with_role(roles, 5, IGNORE)).keypoints == (KeypointColumns("eye", "eye_x", "eye_y"),)
    with pytest.raises(UserError, match="column with the image names"):
        mapping_of(columns, with_role(roles, 0, IGNORE))
    with pytest.raises(UserError, match="y of eye"):
        mapping_of(columns, with_role(roles, 3, IGNORE))
    with pytest.raises(UserError, match="Column note"):
        mapping_of(columns, with_role(roles, 4, "something"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two photos of two faces each, with boxes and three points per face."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    rows = ["image,box_x,box_y,box_w,box_h,left_eye_x,left_eye_y,right_eye_x,right_eye_y,nose_x,nose_y"]
    for i in range(2):
        cv2.imwrite(str(folder / f"{i}.png"), random.integers(0, 255, (60, 90, 3), np.uint8))
        for x in (5, 50):
            rows.append(f"{i}.png,{x},10,20,20,{x + 16},16,{x + 4},16,{x + 10},24")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_faces_of_photos_are_cut_out(qtbot: QtBot, empty_session: Session, photos: Path, tmp_path: Path) -> None:
    dialog = opened(qtbot, empty_session, photos)
    crop = dialog.preview.crop
    assert not crop.isHidden() and crop.by.currentData() == "box" and crop.padding.value() == 25
    assert len(dialog.preview.faces.cards) == 4
    crop.padding.setValue(50)
    qtbot.waitUntil(dialog.preview.go.isEnabled)
    dialog.preview.path.setText(str(tmp_path / "new.fkp"))
    dialog.preview.go.click()
    qtbot.waitUntil(lambda: dialog.pages.currentWidget() is dialog.report)
    with Project.open(tmp_path / "new.fkp") as project:
        assert len(project) == 4 and project.faces([1]).crops[0].tolist() == [-5, 0, 40]


def test_a_table_of_boxes_says_how_its_faces_are_cut_out(
    qtbot: QtBot, empty_session: Session, photos: Path, tmp_path: Path
) -> None:
    (photos / "labels.csv").write_text("image,box_x,box_y,box_w,box_h\n0.png,5,10,20,20\n0.png,50,10,20,20\n")
    dialog = opened(qtbot, empty_session, photos)
    crop = dialog.preview.crop
    assert crop.by.currentData() == "box" and crop.padding.value() == 15 and len(dialog.preview.faces.cards) == 2
    crop.by.setCurrentIndex(crop.by.findData("none"))
    qtbot.waitUntil(lambda: "--crop box" in dialog.preview.problem.text())
    crop.by.setCurrentIndex(crop.by.findData("box"))
    qtbot.waitUntil(dialog.preview.go.isEnabled)
    dialog.preview.path.setText(str(tmp_path / "new.fkp"))
    dialog.preview.go.click()
    qtbot.waitUntil(lambda: dialog.pages.currentWidget() is dialog.report)
    with Project.open(tmp_path / "new.fkp") as project:
        assert project.names() == ["0.png", "0#2.png"] and project.faces([1]).crops[0].tolist() == [2, 7, 26]


def test_the_first_page_can_be_left(qtbot: QtBot, empty_session: Session) -> None:
    dialog = opened(qtbot, empty_session, None)
    dialog.choose.cancel.click()
    qtbot.waitUntil(lambda: not dialog.isVisible())


def test_roles_of_boxes_crops_and_subsets_say_the_same_as_the_mapping() -> None:
    points = (KeypointColumns("nose", "nose_x", "nose_y"),)
    columns = ("file", "part", "a", "b", "c", "d", "crop_x", "crop_y", "crop_side", "nose_x", "nose_y")
    for corners in (False, True):
        mapping = ColumnMapping(
            "file",
            points,
            subset="part",
            box=("a", "b", "c", "d"),
            box_corners=corners,
            crop=("crop_x", "crop_y", "crop_side"),
        )
        assert mapping_of(columns, roles_of(columns, mapping)) == mapping
    with pytest.raises(UserError, match="No column is read as box height"):
        mapping_of(columns[:5] + columns[9:], ["image", "subset", "box x", "box y", "box width", "x of n", "y of n"])
