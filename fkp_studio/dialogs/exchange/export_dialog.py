"""The export dialog: writes labels, a run's predictions or its model in the background, in common formats."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from fkp_studio.background.tasks import Task, run_task
from fkp_studio.dialogs.exchange.export_order import FORMATS, Order, export, export_model
from fkp_studio.document.session import Session
from fkp_studio.look.widgets.desktop import show_in_folder
from fkp_studio.look.widgets.dialog_parts import Working, button, row, text_label
from training.errors import UserError
from training.sources.exchange.export_project import ExportReport, check_export
from training.storage.destination import Result, check_destination
from training.storage.project.tables.predictions import prediction_runs

LABELS = "labels"


class ExportDialog(QDialog):
    """Asks what to write and where, writes it, and offers to show the result."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session = session
        self._task: Task | None = None
        self.format, self.what, self.help = QComboBox(), QComboBox(), text_label(role="dim")
        self.states = QCheckBox("include which points are occluded or absent")
        self.escape = QCheckBox("for spreadsheets: show cells that look like formulas as text")
        self.int8 = QCheckBox("8-bit convolutions: smaller and faster, slightly less accurate")
        self.lookup, self.out = (
            _PathRow("IdLookupTable.csv", self._choose_lookup),
            _PathRow("destination", self._choose_out),
        )
        self.problem = text_label(role="danger")
        self.go, self.close_button = button("Export", "primary"), button("Cancel")
        self.working, self.title, self.outcome = Working(), text_label(role="title"), text_label()
        self.show_button, self.end = button("Show in folder"), button("Close", "primary")
        self.pages = QStackedWidget()
        self._form = QFormLayout()
        self._fill()
        self._lay_out()
        self._connect()
        self._on_format_changed()
        self.resize(600, 380)

    def _fill(self) -> None:
        for name, entry in FORMATS.items():
            self.format.addItem(entry.title, name)
        self.what.addItem(LABELS, "")
        store = self._session.store
        for run in prediction_runs(store.project.database) if store is not None else ():
            self.what.addItem(f"predictions of {run}", run)

    def _lay_out(self) -> None:
        form = self._form
        form.setHorizontalSpacing(24)
        form.setVerticalSpacing(8)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Format", self.format)
        form.addRow("", self.help)
        form.addRow("Write", self.what)
        form.addRow("", self.states)
        form.addRow("", self.escape)
        form.addRow("", self.int8)
        form.addRow("IdLookupTable.csv", self.lookup)
        form.addRow("To", self.out)
        ask, done = QWidget(), QWidget()
        column = QVBoxLayout(ask)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(16)
        column.addWidget(text_label("Export", "title"))
        column.addLayout(form)
        column.addWidget(self.problem)
        column.addStretch(1)
        column.addLayout(row(None, self.close_button, self.go))
        column = QVBoxLayout(done)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.title)
        column.addWidget(self.outcome)
        column.addStretch(1)
        column.addLayout(row(self.show_button, None, self.end))
        for page in (ask, self.working, done):
            self.pages.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.addWidget(self.pages)

    def _connect(self) -> None:
        self.format.currentIndexChanged.connect(self._on_format_changed)
        self.what.currentIndexChanged.connect(self._check)
        self.lookup.edit.textChanged.connect(self._check)
        self.out.edit.textChanged.connect(self._check)
        self.go.clicked.connect(self.start)
        self.close_button.clicked.connect(self.reject)
        self.working.cancel_wanted.connect(self.reject)
        self.end.clicked.connect(self.accept)
        self.show_button.clicked.connect(lambda: show_in_folder(self.out.path()))

    @property
    def chosen(self) -> str:
        """The format's name."""
        return str(self.format.currentData())

    def start(self) -> None:
        """Start the export."""
        store = self._session.store
        if store is None or self._task is not None:
            return
        order = Order(
            store.path,
            self.out.path(),
            self.chosen,
            self.what.currentData() or None,
            self.lookup.path() if self.chosen == "submission" else None,
            self.chosen == "csv" and self.states.isChecked(),
            self.chosen == "onnx" and self.int8.isChecked(),
            self.chosen == "csv" and self.escape.isChecked(),
        )
        self.working.begin(f"Writing {order.out.name}…")
        self.pages.setCurrentIndex(1)
        if order.format == "onnx":
            model = partial(export_model, run=order.run or "", int8=order.int8)
            self._task = run_task(
                model,
                order.project,
                order.out,
                done=self._on_model_done,
                failed=self._on_failed,
                ended=self._on_ended,
                cancellable=True,
            )
            return
        self._task = run_task(
            export,
            order,
            done=self._on_done,
            failed=self._on_failed,
            progress=self.working.show_progress,
            ended=self._on_ended,
            cancellable=True,
        )

    def reject(self) -> None:
        """Close; a running export is cancelled first and leaves no files."""
        if self._task is not None:
            self._task.cancel()
            self.working.end("Cancelling…")
            return
        super().reject()

    def _on_done(self, report: ExportReport | None) -> None:
        if report is not None:
            what = "rows" if self.chosen == "submission" else "faces"
            self.title.setText(report.out.name)
            self.outcome.setText("\n".join([f"{report.count:,} {what} written to {report.out}.", *report.notes]))
            self.pages.setCurrentIndex(2)
            self.end.setFocus()

    def _on_model_done(self, sentence: str | None) -> None:
        if sentence is not None:
            self.title.setText(self.out.path().name)
            self.outcome.setText(sentence)
            self.pages.setCurrentIndex(2)
            self.end.setFocus()

    def _on_failed(self, error: Exception) -> None:
        self.pages.setCurrentIndex(0)
        self._say(str(error))

    def _on_ended(self) -> None:
        cancelled, self._task = self._task is not None and self._task.is_cancelled(), None
        if cancelled:
            self.reject()

    def _on_format_changed(self) -> None:
        entry, store = FORMATS[self.chosen], self._session.store
        self.help.setText(entry.help)
        self._form.setRowVisible(self.lookup, self.chosen == "submission")
        self._form.setRowVisible(self.states, self.chosen == "csv")
        self._form.setRowVisible(self.escape, self.chosen == "csv")
        self._form.setRowVisible(self.int8, self.chosen == "onnx")
        for place in range(1, self.what.count()):
            run = str(self.what.itemData(place))
            self.what.setItemText(place, f"the model of {run}" if self.chosen == "onnx" else f"predictions of {run}")
        if self.chosen in ("submission", "onnx") and not self.what.currentData():
            current = self.what.findData(self._session.run) if self._session.run else self.what.count() - 1
            self.what.setCurrentIndex(max(current, 0))
        if store is not None:
            self.out.edit.setText(str(_free(store.path.parent, f"{store.path.stem}-{entry.name}", entry.ending)))
        self._check()

    def _check(self) -> None:
        """Say what still has to be chosen."""
        if not self.out.edit.text().strip():
            self._say("Choose where to write the export.")
        elif self.chosen == "onnx" and not self.what.currentData():
            self._say("Choose a run to export; runs are listed once they have predictions.")
        elif self.chosen == "submission" and not self.lookup.edit.text().strip():
            self._say("Choose Kaggle's IdLookupTable.csv: it lists the rows to submit.", quiet=True)
        elif refused := self._refusal():
            self._say(refused)
        elif self.out.path().is_file():
            self._say(f"{self.out.path().name} exists and will be replaced.", block=False)
        else:
            self._say("", block=False)

    def _refusal(self) -> str:
        """Why the export cannot be written there; "" if it can."""
        store, lookup = self._session.store, self.lookup.edit.text().strip()
        if store is None:
            return ""
        out, read = self.out.path(), self.lookup.path() if lookup and self.chosen == "submission" else None
        try:
            if self.chosen == "onnx":
                check_destination(out, Result.MODEL, project=store.project)
            else:
                check_export(store.project, out, format=self.chosen, lookup=read)
        except UserError as error:
            return str(error)
        return ""

    def _say(self, sentence: str, *, block: bool = True, quiet: bool = False) -> None:
        self.problem.setText("" if quiet else sentence)
        self.problem.setVisible(bool(sentence) and not quiet)
        self.go.setToolTip(sentence if block else "")
        self.go.setEnabled(not block)

    def _choose_lookup(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Kaggle's IdLookupTable.csv", "", "Tables (*.csv);;All files (*)")
        if path:
            self.lookup.edit.setText(path)

    def _choose_out(self) -> None:
        if FORMATS[self.chosen].ending:
            path, _ = QFileDialog.getSaveFileName(
                self,
                "Export to",
                self.out.edit.text(),
                "Models (*.onnx)" if self.chosen == "onnx" else "Tables (*.csv)",
                options=QFileDialog.Option.DontConfirmOverwrite,
            )
        else:
            path = QFileDialog.getExistingDirectory(self, "Export to", str(self.out.path().parent))
        if path:
            self.out.edit.setText(path)


class _PathRow(QWidget):
    """A path that can be typed or chosen."""

    def __init__(self, name: str, choose: Callable[[], None]) -> None:
        super().__init__()
        self.edit, browse = QLineEdit(), button("Choose…")
        self.edit.setAccessibleName(name)
        browse.clicked.connect(choose)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        line.addWidget(self.edit, 1)
        line.addWidget(browse)

    def path(self) -> Path:
        """What was typed."""
        return Path(self.edit.text().strip()).expanduser()


def _free(folder: Path, name: str, ending: str) -> Path:
    """A path in the folder that does not exist yet."""
    path, n = folder / f"{name}{ending}", 2
    while path.exists():
        path, n = folder / f"{name}-{n}{ending}", n + 1
    return path
