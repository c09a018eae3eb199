"""Brings a project of an older version to this one before it is opened, in the background: a large one takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, Qt
from PySide6.QtWidgets import QProgressDialog, QWidget

from fkp_studio.background.tasks import run_task
from fkp_studio.look.widgets.error_handling import show_error
from training.errors import UserError
from training.progress import Progress
from training.storage.project.database import needs_upgrade, upgrade

_STEPS = 100
_SHOWN_AFTER = 400  # ms


def upgrade_first(path: Path, window: QWidget) -> bool:
    """Whether the project may be opened now; returns when it was upgraded, if that was needed.

    False if the user cancelled it, which leaves the project as it was, or if it failed, which is shown.
    """
    if not needs_upgrade(path):
        return True
    words = f"{path.stem} was made by an earlier version of FKP Studio and is being updated."
    shown = QProgressDialog(words, "Cancel", 0, _STEPS, window)
    shown.setObjectName("upgrading")
    shown.setWindowTitle("Update the project")
    shown.setWindowModality(Qt.WindowModality.WindowModal)
    shown.setMinimumDuration(_SHOWN_AFTER)
    shown.setAutoClose(False)
    loop, failed = QEventLoop(), list[BaseException]()

    def work(*, progress: Callable[..., None], cancelled: Callable[[], bool]) -> None:
        upgrade(path, Progress(progress, cancelled))

    task = run_task(
        work,
        done=lambda _: None,
        failed=failed.append,
        progress=lambda share, _words: shown.setValue(round(share * _STEPS)),
        ended=loop.quit,
        cancellable=True,
        owner=window,
    )
    shown.canceled.connect(task.cancel)
    loop.exec()
    stopped = shown.wasCanceled()
    shown.deleteLater()
    if failed and isinstance(failed[0], UserError):
        show_error(window, failed[0])
    return not stopped and not failed
