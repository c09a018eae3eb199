"""The dialog that shows a run's log."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QPlainTextEdit, QVBoxLayout, QWidget

from fkp_studio.background.tasks import run_task
from training.storage.runs.events import RunFailed
from training.storage.runs.folder import read_events
from training.storage.runs.run import Run

MOST_BYTES = 256 * 1024


class LogDialog(QDialog):
    """Shows the end of a run's log and the traceback of its last error."""

    def __init__(self, run: Run, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Log of {run.name}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.text = QPlainTextEdit(readOnly=True)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setPlaceholderText("Reading…")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.text)
        column.addWidget(buttons)
        self.resize(720, 420)
        run_task(read_log, run, done=self._show)

    def _show(self, text: str) -> None:
        self.text.setPlainText(text or "The log is empty.")
        bar = self.text.verticalScrollBar()
        bar.setValue(bar.maximum())


def read_log(run: Run) -> str:
    """The last MOST_BYTES of the log, then the traceback of the run's last error, if any."""
    try:
        with run.log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - MOST_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        text = ""
    failed = [event for event in read_events(run, progress=False)[0] if isinstance(event, RunFailed)]
    more = failed[-1].traceback.strip() if failed else ""
    return text if not more or more in text else f"{text}\n{more}\n"
