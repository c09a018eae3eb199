"""What the window does when the open project is moved, deleted or replaced: says so, and offers the way back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QDialog, QFileDialog, QMainWindow, QVBoxLayout, QWidget

from fkp_studio.background.tasks import run_task
from fkp_studio.document.session import Session
from fkp_studio.document.store import ProjectStore
from fkp_studio.look.widgets.dialog_parts import Working
from fkp_studio.look.widgets.error_handling import show_error
from fkp_studio.window.bars.lost_banner import LostBanner
from training.errors import UserError
from training.progress import Cancelled, Progress
from training.storage.project.identity import identity
from training.storage.project.save_copy import HalfCopy, begin_copy, finish_copy

SUFFIX = ".fkp"


class LostProject(QObject):
    """Shows the banner while the project is lost, and performs what its buttons offer."""

    def __init__(
        self, session: Session, banner: LostBanner, window: QMainWindow, *, close: Callable[[], object]
    ) -> None:
        """close: closes the project, after asking where something would be lost."""
        super().__init__(window)
        self._session, self._banner, self._window = session, banner, window
        banner.go_on_wanted.connect(self.open_at)
        banner.find_wanted.connect(self.find)
        banner.copy_wanted.connect(self.save_copy)
        banner.close_wanted.connect(lambda: close())
        session.project_changed.connect(self._on_project_changed)

    def _on_project_changed(self) -> None:
        store = self._session.store
        if store is not None:
            store.whereabouts.changed.connect(self._show)
            store.whereabouts.copy_wanted.connect(self.save_copy)
        self._show()

    def _show(self) -> None:
        store = self._session.store
        if store is None:
            self._banner.hide()
        else:
            self._banner.show_lost(store.path, store.whereabouts.lost)

    def find(self) -> None:
        """Ask where the project is now, and open it there."""
        store = self._session.store
        chosen = QFileDialog.getExistingDirectory(self._window, "Where is the project now?", str(Path.home()))
        if store is None or not chosen:
            return
        if identity(Path(chosen)) == store.project.address.identity:
            self.open_at(Path(chosen))
        else:
            show_error(self._window, UserError(f"{chosen} is not the project that is open. Choose another folder."))

    def open_at(self, path: Path) -> None:
        """Open the project, or its copy, in its new place, at the same face and keypoint."""
        session = self._session
        sample, keypoint = session.sample_id, session.keypoint
        try:
            session.open_project(path)
        except UserError as error:
            show_error(self._window, error)
            return
        session.set_sample(sample)
        session.set_keypoint(keypoint)

    def save_copy(self) -> None:
        """Ask where, write the whole project there out of the open database, and go on in the copy."""
        store = self._session.store
        if store is None:
            return
        chosen, _ = QFileDialog.getSaveFileName(
            self._window, "Save a copy of the project", str(free_path(store.path)), f"Projects (*{SUFFIX})"
        )
        if chosen:
            path = Path(chosen)
            self.copy_to(path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX))

    def copy_to(self, path: Path) -> None:
        """Write the copy and go on in it. While the images are copied a dialog keeps the window from edits."""
        store = self._session.store
        if store is None:
            return
        try:
            half = begin_copy(store.project, path)
        except UserError as error:
            show_error(self._window, error)
            return
        dialog = CopyDialog(store, half, self._window)
        dialog.finished.connect(lambda _: self.open_at(dialog.made) if dialog.made is not None else None)
        dialog.open()


class CopyDialog(QDialog):
    """Copies the images; `made` is the copy's path once it is complete."""

    def __init__(self, store: ProjectStore, half: HalfCopy, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Save a copy")
        self.resize(420, 160)
        self.made: Path | None = None
        self._working = Working(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.addWidget(self._working)
        self._working.begin(f"Saving {half.path.name}…")
        pixels = dict(store.whereabouts.pixels)
        self._task = run_task(
            lambda *, progress, cancelled: _finish(half, pixels, Progress(progress, cancelled)),
            done=self._on_made,
            failed=self._on_failed,
            progress=self._working.show_progress,
            cancellable=True,
            owner=self,
        )
        self._working.cancel_wanted.connect(self.reject)

    def reject(self) -> None:
        """Cancel the copy; nothing of it remains."""
        self._task.cancel()
        super().reject()

    def _on_made(self, path: Path) -> None:
        self.made = path
        self.accept()

    def _on_failed(self, error: Exception) -> None:
        super().reject()
        if isinstance(error, UserError):
            show_error(self.parentWidget(), error)


def _finish(half: HalfCopy, pixels: dict, progress: Progress) -> Path | None:
    try:
        return finish_copy(half, pixels, progress)
    except Cancelled:
        return None


def free_path(path: Path) -> Path:
    """A path for a copy where nothing is yet: the old one, else with "copy" after its name."""
    folder = path.parent if path.parent.is_dir() else Path.home()
    names = (f"{path.stem}{more}{SUFFIX}" for more in ("", " copy", *(f" copy {n}" for n in range(2, 1000))))
    return next((folder / name for name in names if not (folder / name).exists()), folder / f"{path.stem}{SUFFIX}")
