"""Mirror pairs and eye points of a schema can be corrected in the window, and are stored."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from fkp_studio.document.store import ProjectStore
from fkp_studio.window.pages.keypoints_dialog import KeypointsDialog
from training.storage.project.project import Project


def opened(qtbot: QtBot, session: Session) -> tuple[KeypointsDialog, ProjectStore]:
    assert session.store is not None
    dialog = KeypointsDialog(session.store)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog, session.store


def choose(dialog: KeypointsDialog, keypoint: int, partner: int) -> None:
    """As a user: open the list, go to the partner, Enter."""
    box = dialog.partners[keypoint]
    box.setCurrentIndex(partner)
    box.activated.emit(partner)


def test_choosing_a_partner_sets_both_ends_and_frees_the_old_ones(qtbot: QtBot, session: Session) -> None:
    dialog, store = opened(qtbot, session)
    assert store.schema.flip[:2] == (1, 0)
    choose(dialog, 0, 4)
    flip = dialog.schema().flip
    assert (flip[0], flip[4]) == (4, 0)
    assert (flip[1], flip[2]) == (1, 2)  # the partners they had are left alone


def test_a_saved_pair_is_on_disk_and_told_to_all_views(qtbot: QtBot, session: Session) -> None:
    dialog, store = opened(qtbot, session)
    choose(dialog, 0, 0)
    with qtbot.waitSignal(store.changed):
        QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    assert store.schema.flip[:2] == (0, 1)
    with Project.open(store.path, read_only=True) as project:
        assert project.schema.flip[:2] == (0, 1)


def test_half_a_normaliser_is_refused_with_a_sentence(qtbot: QtBot, session: Session) -> None:
    dialog, store = opened(qtbot, session)
    before = store.schema
    dialog.eyes[0].setCurrentIndex(0)
    QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    assert "two different points" in dialog.fault.text()
    assert dialog.isVisible()
    assert store.schema == before


def test_nothing_changed_writes_nothing(qtbot: QtBot, session: Session) -> None:
    dialog, store = opened(qtbot, session)
    with qtbot.assertNotEmitted(store.changed):
        QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    assert not dialog.isVisible()
