"""Error handling of the window: the log, the dialog for a UserError, and the crash dialog for internal errors."""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import sys
import threading
import traceback
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import IO

from PySide6.QtCore import QMessageLogContext, QObject, Qt, QtMsgType, Signal, qInstallMessageHandler
from PySide6.QtWidgets import QApplication, QDialog, QMessageBox, QWidget

from training.errors import UserError
from training.files.private import make_private

log = logging.getLogger("fkp_studio")

_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


def start_log(folder: Path) -> AbstractContextManager[object]:
    """Log to log.txt (1 MB, three backups) and, if the process dies, to crash.txt, in a folder that only the user reads.

    Returns the open crash file. If the folder cannot be written, no log is kept, and a line on stderr says so.
    """
    qInstallMessageHandler(_on_qt_message)
    try:
        make_private(folder)
        return _start_files(folder)
    except OSError as error:
        sentence = f"No log is kept: {folder} cannot be written ({error.strerror})."
        log.warning("%s", sentence)
        if sys.stderr is not None:
            print(sentence, file=sys.stderr)
        return nullcontext()


def _start_files(folder: Path) -> IO[str]:
    handler = logging.handlers.RotatingFileHandler(
        folder / "log.txt", maxBytes=1_000_000, backupCount=3, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    crash = (folder / "crash.txt").open("a", encoding="utf-8")
    faulthandler.enable(crash)
    return crash


def _on_qt_message(kind: QtMsgType, _context: QMessageLogContext, text: str) -> None:
    logging.getLogger("qt").log(_LEVELS.get(kind, logging.WARNING), "%s", text)
    if kind != QtMsgType.QtDebugMsg and sys.stderr is not None:
        print(f"Qt: {text}", file=sys.stderr)


def show_error(parent: QWidget | None, error: UserError) -> QMessageBox:
    """Show the error in a non-blocking dialog. Without a parent the caller must keep the returned box alive."""
    box = QMessageBox(QMessageBox.Icon.NoIcon, "FKP Studio", str(error), QMessageBox.StandardButton.Ok, parent)
    box.setObjectName("user_error")
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.open()
    return box


class CrashReporter(QObject):
    """Handles uncaught exceptions of all threads: a UserError is shown in a dialog with its message, anything else is
    logged and shown in the crash dialog. While one crash dialog is open, further errors are only logged."""

    _raised = Signal(object)

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self._app = app
        self._dialogs: list[QDialog] = []  # open dialogs: without a parent nothing else keeps them alive
        self._raised.connect(self._show)
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread_exception

    def _on_exception(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._app.quit()
            return
        if not isinstance(error, UserError):
            log.critical("uncaught exception", exc_info=(kind, error, trace))
            traceback.print_exception(kind, error, trace)
        self._raised.emit(error)

    def _on_thread_exception(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self._on_exception(args.exc_type, args.exc_value, args.exc_traceback)

    def _show(self, error: BaseException) -> None:
        window = self._app.activeWindow()
        if isinstance(error, UserError):
            self._keep(show_error(window, error))
            return
        from fkp_studio.look.widgets.crash import CrashDialog

        if not any(isinstance(dialog, CrashDialog) for dialog in self._dialogs):
            dialog = CrashDialog(error, window)
            self._keep(dialog)
            dialog.open()

    def _keep(self, dialog: QDialog) -> None:
        self._dialogs.append(dialog)
        dialog.finished.connect(lambda _result: self._dialogs.remove(dialog))
