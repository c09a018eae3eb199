"""Opens projects, imports and the demo, and closes the project.

Errors are shown in a dialog and leave the current project open.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QMainWindow

from fkp_studio.background.tasks import Task, run_task
from fkp_studio.document.session import Session
from fkp_studio.document.settings import Settings, data_folder
from fkp_studio.look.widgets.desktop import keep_on_screen
from fkp_studio.look.widgets.error_handling import show_error
from fkp_studio.window.closing import may_close
from fkp_studio.window.upgrading import upgrade_first
from training.errors import UserError
from training.faces.images.reading import IMAGE_SUFFIXES

DEMO = "demo.fkp"
DEMO_SAMPLES = 1000


class Opener(QObject):
    """Opens what the user names, and makes the demo at most once at a time."""

    demo_progress = Signal(float, str)  # 0..1 and a message
    demo_ended = Signal()  # made, cancelled, or failed

    def __init__(self, session: Session, settings: Settings, window: QMainWindow) -> None:
        super().__init__(window)
        self._session, self._settings, self._window = session, settings, window
        self._making: Task | None = None
        self._stopped = False
        session.project_changed.connect(self._remember)

    def open(self, path: Path) -> bool:
        """Open a project folder; pass anything else to the import dialog (for an image: its folder).

        False if the path does not exist or the project can't be opened.
        """
        if not path.exists():
            show_error(self._window, UserError(f"{path} does not exist."))
            return False
        if path.name == "project.db":
            path = path.parent
        if not (path / "project.db").is_file():
            self.import_data(path.parent if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() else path)
            return True
        if not may_close(self._session.store, self._window):
            return True
        if not upgrade_first(path.resolve(), self._window):
            return False
        return self._try(lambda: self._session.open_project(path.resolve()))

    def open_at_start(self, given: Path | None) -> None:
        """Open `given` (from the command line), else the last project, else (on the very first start) the demo."""
        last = self._settings.last_project()
        if given is not None:
            self.open(given)
        elif last is not None and (last / "project.db").is_file():
            self.open(last)
        elif self._settings.first_start():
            self.open_demo()

    def close_project(self) -> None:
        """Go back to the start page, once large changes are written."""
        if may_close(self._session.store, self._window):
            self._session.close_project()

    def choose_project(self) -> None:
        """Ask for a project folder."""
        chosen = QFileDialog.getExistingDirectory(self._window, "Open a project (a folder NAME.fkp)", self._start())
        if chosen:
            self.open(Path(chosen))

    def import_data(self, source: Path | None = None) -> None:
        """Show the import dialog, for `source` if given."""
        from fkp_studio.dialogs.exchange.import_dialog import ImportDialog

        dialog = ImportDialog(self._session, source, self._window)
        keep_on_screen(dialog)
        dialog.open()

    def choose_photos(self) -> None:
        """Ask for a folder of photos and import it."""
        chosen = QFileDialog.getExistingDirectory(self._window, "Open a folder of photos", self._start())
        if chosen:
            self.import_data(Path(chosen))

    def open_demo(self) -> None:
        """Open the demo project; make it first, in the background, if it does not exist."""
        path = data_folder() / DEMO
        if (path / "project.db").is_file():
            self.open(path)
        elif self._making is None:
            from training.synthetic.demo import make_demo_project

            self.demo_progress.emit(0.0, "Drawing the first faces…")
            self._making = run_task(
                lambda **hooks: make_demo_project(path, samples=DEMO_SAMPLES, **hooks),
                done=lambda _result: self._on_demo_made(path),
                failed=self._on_demo_failed,
                progress=self.demo_progress.emit,
                ended=self._on_demo_ended,
                cancellable=True,
                owner=self,
            )

    def stop(self) -> None:
        """Cancel making the demo and keep the open project for the next start. For when the window closes."""
        self._stopped = True
        if self._making is not None:
            self._making.cancel()

    def _on_demo_made(self, path: Path) -> None:
        if self._session.store is None:  # keep a project that the user opened meanwhile
            self.open(path)

    def _on_demo_failed(self, error: BaseException) -> None:
        if isinstance(error, UserError):
            show_error(self._window, error)

    def _on_demo_ended(self) -> None:
        self._making = None
        self.demo_ended.emit()

    def _try(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except UserError as error:
            show_error(self._window, error)
            return False
        return True

    def _start(self) -> str:
        recent = self._settings.recent()
        return str(recent[0].parent if recent else Path.home())

    def _remember(self) -> None:
        if self._stopped:
            return
        store = self._session.store
        path = store.project.path if store is not None else None
        self._settings.set_last_project(path)
        if path is not None:
            self._settings.add_recent(path)
