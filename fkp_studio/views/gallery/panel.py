"""The gallery panel: filter, sort, thumbnail grid and labelling progress."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QPoint, QTimer, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from fkp_studio.document.changes import Changes
from fkp_studio.document.session import Session
from fkp_studio.document.store import ProjectStore
from fkp_studio.look.style import theme
from fkp_studio.views.gallery.arranger import EDIT, Arranger, with_only
from fkp_studio.views.gallery.bars import FilterBar, Notice, ProgressRow
from fkp_studio.views.gallery.delegate import BAR, MARGIN, ThumbnailDelegate
from fkp_studio.views.gallery.filters import Filter, Query, Sort
from fkp_studio.views.gallery.grid import GridView
from fkp_studio.views.gallery.menu import face_menu
from fkp_studio.views.gallery.thumbnails import Look, Thumbnails
from training.words import counted

REFRESH_MS = 50  # changes within this time are shown together
PATIENCE_MS = 300  # orders that take longer are indicated
SIZES = {"S": 56, "M": 80, "L": 128}  # px of a thumbnail's longer side


class GalleryPanel(QWidget):
    """Shows the faces of the project. It sets the session's order (filter and sort) and its current sample."""

    hint = Signal(str)  # a sentence for the status bar
    opened = Signal(int)  # a face was double-clicked or Return pressed on it
    open_wanted = Signal()  # from the empty state without a project

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._store: ProjectStore | None = None
        self._only_title = ""
        self._former = Query()  # the query before `show_ids`
        self._size = "M"
        self.arranger = Arranger(self)
        self.thumbnails = Thumbnails(self)
        self.view = GridView()
        self._delegate = ThumbnailDelegate(self.view.grid, self.thumbnails, self)
        self.view.setItemDelegate(self._delegate)
        self.bar, self.progress, self.notice = FilterBar(), ProgressRow(), Notice()
        self._pages = QStackedWidget()
        self._lay_out()
        self._connect()
        self.set_thumbnail_size("M")
        self._on_project_changed()

    def _lay_out(self) -> None:
        self._pages.addWidget(self.view)
        self._pages.addWidget(self.notice)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget in (self.bar, self._pages, self.progress):
            column.addWidget(widget)
        column.setStretchFactor(self._pages, 1)
        self.setFocusProxy(self.view)
        self.setMinimumWidth(200)

    def _connect(self) -> None:
        session, view, arranger = self._session, self.view, self.arranger
        session.project_changed.connect(self._on_project_changed)
        session.sample_changed.connect(self._on_sample_changed)
        session.run_changed.connect(self._on_run_changed)
        session.order_changed.connect(self._on_order_changed)
        view.chosen.connect(session.set_sample)
        view.opened.connect(self.opened)
        view.in_sight.connect(self.thumbnails.want)
        view.customContextMenuRequested.connect(self._show_menu)
        self.thumbnails.ready.connect(self._on_thumbnails_ready)
        arranger.arranged.connect(self._on_arranged)
        arranger.lacking_changed.connect(self._show_progress)
        arranger.left_changed.connect(self._on_left_changed)
        arranger.failed.connect(self.hint)
        self.bar.query_changed.connect(self._on_query_changed)
        self.bar.size_changed.connect(self.set_thumbnail_size)
        self.bar.refresh_wanted.connect(self.refresh)
        self.bar.back_wanted.connect(self.go_back)
        self.progress.show_wanted.connect(lambda points: self.show_query(Query(Filter.MISSING, keypoints=points)))
        self.notice.acted.connect(self._on_notice)
        theme.current().changed.connect(self._on_theme_changed)
        self._later = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._later.timeout.connect(self._show_changes)
        self._slow = QTimer(self, singleShot=True, interval=PATIENCE_MS)
        self._slow.timeout.connect(self._show_slow)

    # Requests of other parts

    def show_filter(self, chosen: Filter) -> None:
        """Show the faces of this filter, in the current order."""
        self.show_query(replace(self.arranger.query, filter=chosen, keypoints=(), only=None))

    def show_ids(self, ids: np.ndarray, title: str, *, in_order: bool = False) -> None:
        """Show only these faces. title: their name ('error above 5 %'). in_order: in the order of `ids`."""
        if self.arranger.query.only is None:
            self._former = self.arranger.query
        self._only_title = title
        self.show_query(with_only(Query(), ids, in_order=in_order))

    def go_back(self) -> None:
        """Show the faces shown before `show_ids`."""
        self.show_query(self._former)

    def show_all(self) -> None:
        self.show_filter(Filter.ALL)

    def show_query(self, query: Query) -> None:
        """Show the faces that match this query."""
        self.bar.set_query(query, title=self._only_title if query.only is not None else "")
        self.arranger.ask(query)
        self._slow.start()

    def refresh(self) -> None:
        """Filter and sort again: completed faces leave the list."""
        self.arranger.ask(self.arranger.query)
        self._slow.start()

    def set_thumbnail_size(self, size: str) -> None:
        """Set the size: "S", "M" or "L"."""
        self._size = size
        self._delegate.side = SIZES[size]
        self.bar.set_size(size)
        self._set_look()
        self.view.set_cell(SIZES[size] + 2 * MARGIN + BAR)

    def close_project(self) -> None:
        """Close the project's files; waits for reads in progress."""
        self.thumbnails.set_project(None)
        self.arranger.close()

    # Events

    def _on_project_changed(self) -> None:
        if self._store is not None:
            self._store.changed.disconnect(self._on_changed)
        self._store = store = self._session.store
        if store is not None:
            store.changed.connect(self._on_changed)
            self._delegate.keypoints = len(store.schema)
        self._only_title, self._former = "", Query()
        self.thumbnails.set_project(store.project.address if store else None)
        self.arranger.set_store(store)
        self.arranger.set_run(self._session.run)
        self.bar.set_schema(store.schema if store else None)
        self._set_look()
        self._on_order_changed()
        self._show_progress()

    def _on_changed(self, changes: Changes) -> None:
        self.arranger.on_changed(changes)
        if changes.labels or changes.samples or (changes.predictions and self._session.run):
            ids = changes.ids
            self.thumbnails.forget(ids.tolist() if ids is not None and len(ids) <= EDIT else None)
        self._later.start()

    def _show_changes(self) -> None:
        self._take_index()
        self.view.refresh()
        self.view.look_again()
        self._show_progress()

    def _on_sample_changed(self, sample_id: int) -> None:
        self.view.set_current(self._session.place(sample_id) if sample_id >= 0 else -1)

    def _on_run_changed(self, run: str) -> None:
        self.arranger.set_run(run)
        self._set_look()
        self._show_state()

    def _on_order_changed(self) -> None:
        self._take_index()
        session = self._session
        self.view.set_order(session.order, current=session.place(session.sample_id))
        self._show_state()

    def _on_arranged(self, ids: np.ndarray) -> None:
        """Apply the order; if the current face was just removed, select its neighbour."""
        session, index = self._session, self._store.index() if self._store else None
        at, now = session.place(session.sample_id), session.sample_id
        session.set_order(ids)
        if index is not None and now >= 0 and not index.kept[now - 1] and session.place(now) < 0:
            session.set_sample(int(ids[min(max(at, 0), len(ids) - 1)]) if len(ids) else -1)

    def _on_query_changed(self, query: Query) -> None:
        if query.only is None:
            self._only_title = ""
        if query.needs_run and not self._session.run:
            self.hint.emit("Choose a run first: errors and confidences belong to a run.")
        self.show_query(query)

    def _on_left_changed(self) -> None:
        self._delegate.left = self.arranger.left
        self.bar.set_left(len(self.arranger.left), outdated=self.arranger.outdated)
        self.view.refresh()

    def _on_thumbnails_ready(self, ids: list[int]) -> None:
        self.view.refresh(ids)
        self.view.look_again()

    def _on_theme_changed(self) -> None:
        self._delegate.set_colours()
        self.view.refresh()

    def _on_notice(self, act: str) -> None:
        if act == "open":
            self.open_wanted.emit()
        else:
            self.show_all()

    # Display

    def _take_index(self) -> None:
        self._delegate.index = self._store.index() if self._store else None
        by_confidence = self.arranger.query.sort is Sort.CONFIDENCE and bool(self._session.run)
        shown = self._store if by_confidence else None
        self._delegate.confidences = shown.columns.of(self._session.run)[1] if shown else None

    def _set_look(self) -> None:
        pixels = round(SIZES[self._size] * self.devicePixelRatioF())
        self.thumbnails.set_look(Look(pixels, self._session.run, self.devicePixelRatioF()))
        self.view.refresh()
        self.view.look_again()

    def _show_state(self) -> None:
        """Show the counts, and the notice if the grid is empty."""
        shown, query = len(self._session.order), self.arranger.query
        total = int(self._store.index().kept.sum()) if self._store else 0
        self.bar.set_count(shown, shown if query.filter is Filter.REMOVED else total)
        self.bar.setEnabled(self._store is not None)
        self.progress.setVisible(total > 0)
        if self._store is None:
            self.notice.show_text("No project is open.", "Open or import faces to see them here.", "Open…", act="open")
        elif not total:
            self.notice.show_text("This project has no faces yet.", "Import a data set to see its faces here.", "")
        elif query.needs_run and not self._session.run and query.filter in (Filter.PREDICTED, Filter.WORST):
            self.notice.show_text(
                "No run is chosen.",
                "Choose a run in the list of runs to see its errors and predictions.",
                "Show all faces",
            )
        else:
            self.notice.show_text(
                "No face matches this filter.", _why_empty(query), f"Show all {counted(total, 'face')}"
            )
        self._pages.setCurrentWidget(self.view if shown else self.notice)

    def _show_slow(self) -> None:
        if self.arranger.busy:
            self.bar.count.setText("searching all faces…")

    def _show_progress(self) -> None:
        if self._store is None:
            return
        index, keypoints = self._store.index(), len(self._store.schema)
        kept = index.kept
        points = max(int(kept.sum()) * keypoints, 1)
        missing = int(index.missing[kept].sum(dtype=np.int64))
        self.progress.show_state(1 - missing / points, self.arranger.lacking)

    def _show_menu(self, at: QPoint) -> None:
        sample_id = self.view.grid.sample_id(self.view.indexAt(at))
        if self._store is not None and sample_id >= 0:
            menu = face_menu(
                self._store, sample_id, open_face=self.opened.emit, parent=self, selected=self.view.selected_ids()
            )
            menu.popup(self.view.viewport().mapToGlobal(at))

    def closeEvent(self, event: QCloseEvent) -> None:
        self.close_project()
        super().closeEvent(event)


def _why_empty(query: Query) -> str:
    if query.filter is Filter.MISSING:
        return "Every face has all its labels."
    if query.filter is Filter.REVIEW:
        return "Every point placed by a model has been reviewed."
    if query.filter is Filter.REMOVED:
        return "No face has been removed."
    if query.filter in (Filter.PREDICTED, Filter.WORST) or query.sort is Sort.ERROR:
        return "The chosen run has not predicted these faces yet."
    return ""
