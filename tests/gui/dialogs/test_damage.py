"""The confidence and label offset dialogs with damaged files or labels outside their images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from fkp_studio.dialogs.review.confidence_dialog import ConfidenceDialog
from fkp_studio.dialogs.review.offset_facts import draw_pairs, read_checks
from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from tests.unit.assist.offsets.test_label_offsets import make_project
from training.assist.offsets.project_check import Checked

RUN = "0001-ml-resnet"


def test_predictions_that_cannot_be_read_are_told(qtbot: QtBot, session: Session) -> None:
    assert session.store is not None
    ids = session.store.ids()
    session.store.project.write_predictions(RUN, ids, np.full((len(ids), 5, 2), 40.0), np.full((len(ids), 5), 0.9))
    jobs = Jobs(session)
    session.set_run(RUN)
    dialog = ConfidenceDialog(session, jobs)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: "do not have 15 keypoints" in dialog.about.text())
    session.close_project()  # another project may have a run of that name
    assert not dialog.isVisible()
    jobs.close()


def test_faces_whose_labels_lie_outside_their_images_are_not_drawn(tmp_path: Path) -> None:
    path = make_project(tmp_path, 500.0)
    checked = Checked("drawn", np.arange(1, 121), 600, None)
    assert draw_pairs(path, checked, -1.0, faces=3, side=64) == []
    near = make_project(tmp_path / "near", 0.0)
    assert len(draw_pairs(near, checked, -1.0, faces=3, side=64)) == 6


def test_a_damaged_run_does_not_keep_the_images_from_telling(tmp_path: Path) -> None:
    path = make_project(tmp_path, 1.2)
    run = path / "runs" / RUN
    run.mkdir(parents=True)
    (run / "config.json").write_text("{", encoding="utf-8")
    (checked,) = read_checks(path, RUN, cancelled=lambda: False)
    assert checked.by_run is None and checked.best is not None and checked.best.worth_telling
