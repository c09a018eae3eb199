"""A closed window is deleted with all its data: people open them hundreds of times a day."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt, QThreadPool
from PySide6.QtWidgets import QDialog, QWidget
from pytestqt.qtbot import QtBot

from fkp_studio.dialogs.exchange.export_dialog import ExportDialog
from fkp_studio.dialogs.exchange.import_dialog import ImportDialog
from fkp_studio.dialogs.experiments.dialog import ExperimentsDialog
from fkp_studio.dialogs.poses.dialog import PosesDialog
from fkp_studio.dialogs.review.accept_dialog import AcceptDialog
from fkp_studio.dialogs.review.adjust_dialog import AdjustDialog
from fkp_studio.dialogs.review.confidence_dialog import ConfidenceDialog
from fkp_studio.dialogs.review.offsets_dialog import OffsetsDialog
from fkp_studio.dialogs.search.dialog import RandomSearchDialog
from fkp_studio.document.session import Session
from fkp_studio.document.settings import Settings
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.views.plots.base import PlotBase
from fkp_studio.views.runs.augmentation_dialog import AugmentationDialog
from fkp_studio.views.runs.compare_dialog import CompareDialog
from fkp_studio.window.pages.keypoints_dialog import KeypointsDialog
from fkp_studio.window.pages.settings_dialog import SettingsDialog
from training.storage.runs.events import RunFinished
from training.storage.runs.settings.recipes import recipe_config

Make = Callable[[Session, Jobs, QWidget], QDialog]

WINDOWS: dict[str, Make] = {
    "accept": lambda s, j, w: AcceptDialog(s, j, "0001-run", w),
    "adjust": lambda s, j, w: AdjustDialog(s, j.predictions, w),
    "augmentation": lambda s, j, w: AugmentationDialog(s, j, recipe_config("mlp"), w),
    "compare": CompareDialog,
    "confidence": ConfidenceDialog,
    "experiments": ExperimentsDialog,
    "export": lambda s, _, w: ExportDialog(s, w),
    "import": lambda s, _, w: ImportDialog(s, None, w),
    "keypoints": lambda s, _, w: KeypointsDialog(s.store, w),
    "offsets": lambda s, _, w: OffsetsDialog(s, w),
    "poses": lambda s, _, w: PosesDialog(s, w),
    "random search": RandomSearchDialog,
    "settings": lambda _s, _j, w: SettingsDialog(Settings(), w),
}


@pytest.fixture
def jobs(session: Session) -> Iterator[Jobs]:
    made = Jobs(session)
    yield made
    made.close()


@pytest.mark.parametrize("name", WINDOWS)
def test_a_closed_window_is_let_go_of(name: str, session: Session, jobs: Jobs, qtbot: QtBot) -> None:
    beside = QWidget()
    qtbot.addWidget(beside)
    window = WINDOWS[name](session, jobs, beside)
    window.setAttribute(
        Qt.WidgetAttribute.WA_DeleteOnClose
    )  # as their openers do, where windows do not do so themselves
    gone = [weakref.ref(one) for one in (window, *window.findChildren(PlotBase))]
    with qtbot.waitExposed(window):
        window.show()
    window.close()
    del window

    def collected() -> bool:
        QThreadPool.globalInstance().waitForDone(1000)
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
        return all(one() is None for one in gone)

    qtbot.waitUntil(collected)
    jobs.book.happened.emit("0001-run", RunFinished("done", 1, 1, 1.0, 0.1, 60.0))  # deleted windows are disconnected
