"""The import dialog: choose a source, preview it, import it in the background, see the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QDialog, QStackedWidget, QVBoxLayout, QWidget

from fkp_studio.background.tasks import Task, run_task
from fkp_studio.dialogs.exchange.import_pages import ChoosePage, PreviewPage, ReportPage
from fkp_studio.dialogs.exchange.source_preview import Choices, Seen, look, suggested_project
from fkp_studio.document.session import Session
from fkp_studio.look.widgets.dialog_parts import Working
from fkp_studio.look.widgets.error_handling import show_error
from training.errors import UserError
from training.faces.images.crops import CropOptions
from training.faces.labels.schema import KeypointSchema
from training.sources.exchange.import_source import Cancelled, ColumnMapping, ImportReport, import_source


def import_quietly(
    source: Path,
    project: Path,
    choices: Choices,
    *,
    progress: Callable[[float, str], None],
    cancelled: Callable[[], bool],
) -> ImportReport | None:
    """`import_source`, but None if the user cancelled."""
    try:
        return import_source(
            source,
            project,
            mapping=choices.mapping,
            crop=choices.crop,
            faces=choices.faces,
            schema=choices.schema,
            progress=progress,
            cancelled=cancelled,
        )
    except Cancelled:
        return None


class ImportDialog(QDialog):
    """Imports a source into a new or existing project and opens it. Cancelling leaves nothing behind."""

    def __init__(self, session: Session, source: Path | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAcceptDrops(True)
        self._session = session
        self._source, self._project = source, Path()
        self._choices = Choices()
        self._seen = False  # the preview of this source was shown
        self._looking: Task | None = None
        self._importing: Task | None = None
        self.choose, self.working, self.preview, self.report = ChoosePage(), Working(), PreviewPage(), ReportPage()
        self.pages = QStackedWidget()
        for page in (self.choose, self.working, self.preview, self.report):
            self.pages.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.addWidget(self.pages)
        self.resize(880, 620)
        self._connect()
        self.choose.show_problem("")
        if source is not None:
            self.look_at(source)

    def _connect(self) -> None:
        self.choose.chosen.connect(self.look_at)
        self.choose.close_wanted.connect(self.reject)
        self.working.cancel_wanted.connect(self._on_cancel)
        self.preview.mapping_changed.connect(self._on_mapping_changed)
        self.preview.crop_changed.connect(self._on_crop_changed)
        self.preview.photos_changed.connect(self._on_photos_changed)
        self.preview.import_wanted.connect(self.start)
        self.preview.back_wanted.connect(self._go_back)
        self.preview.close_wanted.connect(self.reject)
        self.report.open_wanted.connect(self._open_project)
        self.report.close_wanted.connect(self.reject)

    def look_at(self, source: Path) -> None:
        """Preview this source."""
        self._source, self._choices, self._seen = source, Choices(), False
        store = self._session.store
        self.preview.show_source(source, suggested_project(source), store.path if store is not None else None)
        self.working.begin(f"Reading {source.name}…")
        self.pages.setCurrentWidget(self.working)
        self._look()

    def start(self, project: Path) -> None:
        """Import into this project."""
        if self._source is None or self._importing is not None:
            return
        store = self._session.store
        try:
            if store is not None and store.path == project:
                store.project.address.check()
        except UserError as error:
            show_error(self, error)
            return
        self._project = project
        self.working.begin(f"Importing {self._source.name}…")
        self.pages.setCurrentWidget(self.working)
        self._importing = run_task(
            import_quietly,
            self._source,
            project,
            self._choices,
            done=self._on_imported,
            failed=self._on_import_failed,
            progress=self.working.show_progress,
            ended=self._on_import_ended,
            cancellable=True,
        )

    def reject(self) -> None:
        """Close on Esc or the close button; a running import is cancelled and its files removed first."""
        self._stop_looking()
        if self._importing is not None:
            self._importing.cancel()
            self.working.end("Cancelling and removing what was written…")
            return
        super().reject()

    def _look(self) -> None:
        self._stop_looking()
        assert self._source is not None  # noqa: S101 - for the type checker: look_at has set it
        self._looking = run_task(
            partial(look, side=self.preview.faces.pixels, decide=not self._seen),
            self._source,
            self._choices,
            done=self._on_seen,
            failed=self._on_look_failed,
            owner=self,
        )

    def _stop_looking(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _on_seen(self, seen: Seen) -> None:
        self._looking, self._seen, self._choices = None, True, seen.choices
        self.preview.show_seen(seen)
        if self.pages.currentWidget() is self.working:
            self.pages.setCurrentWidget(self.preview)
            self.preview.go.setFocus()

    def _on_look_failed(self, error: Exception) -> None:
        self._looking = None
        if self._seen:
            self.preview.show_problem(str(error))
        else:
            self.choose.show_problem(str(error))
            self.pages.setCurrentWidget(self.choose)

    def _on_mapping_changed(self, mapping: ColumnMapping) -> None:
        self._choices = replace(self._choices, mapping=mapping)
        self._look()

    def _on_crop_changed(self, crop: CropOptions | None) -> None:
        self._choices = replace(self._choices, crop=crop)
        self._look()

    def _on_photos_changed(self, faces: str, schema: KeypointSchema) -> None:
        self._choices = replace(self._choices, faces=faces, schema=schema)
        self._look()

    def _on_imported(self, report: ImportReport | None) -> None:
        if report is not None:
            self.report.show_report(report, self._project)
            self.pages.setCurrentWidget(self.report)
            self.report.open.setFocus()

    def _on_import_failed(self, error: Exception) -> None:
        self.preview.show_failure(str(error))
        self.pages.setCurrentWidget(self.preview)

    def _on_import_ended(self) -> None:
        cancelled, self._importing = self._importing is not None and self._importing.is_cancelled(), None
        if cancelled:
            self.reject()

    def _on_cancel(self) -> None:
        if self._importing is None:
            self._go_back()
        else:
            self.reject()

    def _go_back(self) -> None:
        self._stop_looking()
        self.choose.show_problem("")
        self.pages.setCurrentWidget(self.choose)

    def _open_project(self) -> None:
        store = self._session.store
        try:
            if store is not None and store.whereabouts.look() is not None:
                raise UserError(
                    f"{self._project} is complete. Find the project that is open, or save it as a copy, before you open it."
                )
            if store is not None and store.path.resolve() == self._project.resolve():
                store.external.reload()
            else:
                self._session.open_project(self._project.resolve())
        except UserError as error:
            show_error(self, error)
            return
        self.accept()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls() and self.pages.currentWidget() in (self.choose, self.preview):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            self.look_at(paths[0])
