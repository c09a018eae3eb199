"""The protocol dialog: evaluates a run as papers do, in a separate process, and shows the protocol's table."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QDialog, QStackedWidget, QVBoxLayout, QWidget

from fkp_studio.background.command import FKP, run_command
from fkp_studio.background.tasks import Task, run_task
from fkp_studio.document.store import ProjectStore
from fkp_studio.look.widgets.dialog_parts import Working, button, row, text_label
from fkp_studio.look.widgets.fact_table import FactTable
from fkp_studio.look.widgets.plain_text import PlainLabel
from training.faces.labels.schema import KeypointSchema
from training.faces.measures.protocols import PROTOCOLS, ProtocolRow, remarks, shown
from training.storage.project.identity import Place, address_of

EVALUATE = (*FKP, "evaluate")


def fitting(schema: KeypointSchema) -> list[str]:
    """The protocols for these keypoints, the ones specific to them first."""
    fit = [p for p in PROTOCOLS.values() if not p.schemas or schema.name in p.schemas]
    return [p.name for p in sorted(fit, key=lambda p: not p.schemas)]


def evaluate_by(
    project: Place, run: str, protocol: str, *, cancelled: Callable[[], bool], command: Sequence[str] = EVALUATE
) -> tuple[ProtocolRow, ...]:
    """The protocol's table; () if cancelled. Raises UserError with the message of the process."""
    address = address_of(project)
    words = [*command, str(address.path), "--run", run, "--protocol", protocol, "--json"]
    out = run_command(words, cancelled=cancelled)
    address.check()  # the command read whichever project was there
    return () if out is None else tuple(_row(facts) for facts in json.loads(out)["rows"])


def _row(facts: dict[str, Any]) -> ProtocolRow:
    values = {k: math.nan if v is None else float(v) for k, v in facts.items() if k not in ("subset", "n", "left_out")}
    return ProtocolRow(facts["subset"], facts["n"], values, facts["left_out"])


class ProtocolDialog(QDialog):
    """Evaluates a run by a protocol and shows the table beside the figures of papers.

    run: the initial choice. runs: all choices, newest last.
    """

    def __init__(
        self, store: ProjectStore, run: str, parent: QWidget | None = None, *, runs: Sequence[str] = ()
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Evaluate by protocol")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._place = store.project.address
        self._task: Task | None = None
        self.runs = QComboBox()
        self.runs.setAccessibleName("run")
        self.runs.addItems([*runs] if run in runs else [run, *runs])
        self.runs.setCurrentText(run)
        self.protocols = QComboBox()
        self.protocols.setAccessibleName("protocol")
        for name in fitting(store.schema):
            self.protocols.addItem(PROTOCOLS[name].title, name)
        self.table = FactTable("the protocol's table", stretch=False)
        self.notes, self.papers = text_label(role="dim"), text_label(role="dim")
        self.problem, self.working = text_label(role="danger"), Working()
        self.go, self.copy, self.end = button("Evaluate", "primary"), button("Copy table"), button("Close")
        self.pages = QStackedWidget()
        self._lay_out()
        self.go.clicked.connect(self.evaluate)
        self.copy.clicked.connect(self._copy)
        self.end.clicked.connect(self.reject)
        self.working.cancel_wanted.connect(self._stop)
        self.protocols.currentIndexChanged.connect(self._on_chosen)
        self.runs.currentIndexChanged.connect(self._on_chosen)
        self._on_chosen()

    def _lay_out(self) -> None:
        result = QWidget()
        inside = QVBoxLayout(result)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(8)
        inside.addWidget(self.table, 1)
        inside.addWidget(self.notes)
        for page in (result, self.working):
            self.pages.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(8)
        column.addLayout(row(PlainLabel("Run"), self.runs, PlainLabel("Protocol"), self.protocols, None))
        column.addWidget(self.problem)
        column.addWidget(self.pages, 1)
        column.addWidget(text_label("REPORTED IN PAPERS", "heading"))
        column.addWidget(self.papers)
        column.addLayout(row(None, self.copy, self.end, self.go))
        self.resize(860, 440)

    @property
    def run(self) -> str:
        """The name of the chosen run."""
        return self.runs.currentText()

    def evaluate(self) -> None:
        """Start the evaluation in the background."""
        self._say("")
        self.working.begin(f"Evaluating {self.run}…")
        self.pages.setCurrentWidget(self.working)
        for field in (self.go, self.runs, self.protocols):
            field.setEnabled(False)
        self._task = run_task(
            evaluate_by,
            self._place,
            self.run,
            self.protocols.currentData(),
            done=self._on_done,
            failed=self._on_failed,
            ended=self._on_ended,
            cancellable=True,
        )

    def reject(self) -> None:
        """Close and end a running evaluation."""
        self._stop()
        super().reject()

    def show_rows(self, rows: Sequence[ProtocolRow]) -> None:
        """Fill the table; () empties it."""
        columns = PROTOCOLS[self.protocols.currentData()].columns
        self.table.set_head(["subset", "faces", *(_title(name) for name in columns)])
        self.table.show_rows(
            [(row.subset, f"{row.n:,}", *(shown(name, row.values[name]) for name in columns)) for row in rows]
        )
        self.notes.setText("\n".join(["Errors and rates in percent.", *remarks(rows)]) if rows else "")
        self.copy.setEnabled(bool(rows))

    def _on_chosen(self) -> None:
        self.show_rows(())
        self.papers.setText("\n".join(PROTOCOLS[self.protocols.currentData()].reports))
        self._say("")

    def _on_done(self, rows: tuple[ProtocolRow, ...]) -> None:
        self.show_rows(rows)

    def _on_failed(self, error: Exception) -> None:
        self._say(str(error))

    def _on_ended(self) -> None:
        self._task = None
        for field in (self.go, self.runs, self.protocols):
            field.setEnabled(True)
        self.pages.setCurrentIndex(0)

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self.working.end("Stopping…")

    def _say(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))

    def _copy(self) -> None:
        """Copy as tab-separated text, for spreadsheets."""
        head = [self.table.horizontalHeaderItem(c) for c in range(self.table.columnCount())]
        lines = [[item.text().replace("\n", " ") if item else "" for item in head]]
        for at in range(self.table.rowCount()):
            cells = [self.table.item(at, c) for c in range(self.table.columnCount())]
            lines.append([item.text() if item else "" for item in cells])
        QGuiApplication.clipboard().setText("\n".join("\t".join(line) for line in lines))


def _title(name: str) -> str:
    """`auc_interocular@0.08` -> `AUC to 0.08`, `interocular` on two lines."""
    kind, _, rest = name.partition("_")
    word = {"nme": "NME", "auc": "AUC", "fr": "failures", "rmse": "RMSE", "detection": "detection"}[kind]
    by, mark, limit = rest.replace("_", " ").partition("@")
    at = {"auc": f" to {limit}", "fr": f" over {limit}"}[kind] if mark else ""
    return f"{word}{at}\n{by}".strip()
