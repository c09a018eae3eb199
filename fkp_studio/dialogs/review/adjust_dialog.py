"""The dialog that calibrates the chosen run to the project's labels: errors before and after, use it, remove it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QVBoxLayout, QWidget

from fkp_studio.background.command import FKP, run_command
from fkp_studio.background.tasks import Task, run_task
from fkp_studio.document.session import Session
from fkp_studio.jobs.prediction.predictions import Predictions
from fkp_studio.look.widgets.dialog_parts import button, row, text_label
from fkp_studio.look.widgets.fact_table import FactTable, signed
from training.assist.offsets.calibrate_to_labels import Fit, fit_run, from_json, undo_fit, use_fit
from training.progress import Cancelled, Progress
from training.storage.project.identity import Place, address_of
from training.storage.project.project import Project
from training.storage.runs.model.adjustment import Adjustment, read_adjustment
from training.storage.runs.model.prediction_stamp import NotPredictedError
from training.storage.runs.run import Run

ADJUST = (*FKP, "adjust")
FITTING = "Calibrating… Labelled faces without predictions are predicted first, which takes a few seconds."
SAME = 0.01  # px of the input
HEAD = ("offset, px of the input", "x", "y", "RMSE before, px", "after, px")


class AdjustDialog(QDialog):
    """Computes the calibration when it opens; the run's predictions change only after the button is pressed."""

    def __init__(self, session: Session, predictions: Predictions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Calibrate to my labels")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session, self._predictions, self.run = session, predictions, session.run
        self._fit: Fit | None = None
        self._used: Adjustment | None = None
        self._tasks: list[Task] = []
        self.title = text_label(f"Calibrate {self.run} to my labels", "title")
        self.about = text_label(
            "Shifts each keypoint's predictions by their offset from your labels. "
            "The errors are measured on people left out of the calibration.",
            "dim",
        )
        self.summary, self.state = text_label(FITTING), text_label(role="dim")
        self.table = FactTable("offset and errors per keypoint", head=HEAD)
        self.go, self.close_button = button("Use this calibration", "primary"), button("Close")
        self.take_away = button("Remove calibration", "flat")
        self._set_up()
        self._lay_out()
        self.resize(680, 648)
        self._read()

    def _set_up(self) -> None:
        self.go.setEnabled(False)
        self.take_away.hide()
        self.go.clicked.connect(self._use)
        self.take_away.clicked.connect(self._take_away)
        self.close_button.clicked.connect(self.reject)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(8)
        for widget in (self.title, self.about, self.summary):
            column.addWidget(widget)
        column.addSpacing(8)
        column.addWidget(self.table, 1)
        column.addWidget(self.state)
        column.addLayout(row(self.take_away, None, self.close_button, self.go))
        self.close_button.setFocus()

    @property
    def _run(self) -> Run | None:
        store = self._session.store
        return Run(store.project.runs_dir / self.run) if store is not None and self.run else None

    def _read(self) -> None:
        run, store = self._run, self._session.store
        if run is None or store is None:
            self.summary.setText("Choose a run in the list of runs first.")
            return
        self._task(read_state, run, len(store.schema), done=self._on_state)
        self._task(read_fit, store.project.address, run, done=self._on_fit, cancellable=True)

    def _on_state(self, used: Adjustment | None) -> None:
        self._used = used
        self._offer()
        self.take_away.setVisible(used is not None)
        if used is not None:
            self.state.setText(f"In use: calibrated on {used.faces:,} faces, {used.before:.2f} → {used.after:.2f} px.")

    def _on_fit(self, fit: Fit) -> None:
        self._fit = fit
        self.summary.setText(fit.sentence)
        self._offer()
        store = self._session.store
        titles = store.schema.titles if store is not None else ()
        columns = (fit.adjustment.offset.tolist(), fit.before.tolist(), fit.after.tolist())
        self.table.show_rows(
            [
                (title, signed(x, 2), signed(y, 2), _number(before), _number(after))
                for title, (x, y), before, after in zip(titles, *columns, strict=True)
            ]
        )

    def _offer(self) -> None:
        """Enable the button only for a fit that helps and is not in use: using it predicts all faces again."""
        fit, used = self._fit, self._used
        same = fit is not None and used is not None and np.allclose(fit.adjustment.offset, used.offset, atol=SAME)
        self.go.setEnabled(fit is not None and fit.helps and not same)

    def _use(self) -> None:
        run, fit = self._run, self._fit
        if run is not None and fit is not None:
            self._task(lambda: use_fit(run, fit), done=lambda _none: self._changed())

    def _take_away(self) -> None:
        run = self._run
        if run is not None:
            self._task(lambda: undo_fit(run), done=lambda _there: self._changed())

    def _changed(self) -> None:
        """All predictions of the run are outdated: predict again, in the background."""
        self._predictions.predict(self.run)
        self.accept()

    def _task(self, fn: Callable[..., Any], *args: Any, done: Callable[[Any], None], cancellable: bool = False) -> None:
        self._tasks.append(run_task(fn, *args, done=done, failed=self._on_failed, owner=self, cancellable=cancellable))

    def _on_failed(self, error: Exception) -> None:
        self.summary.setText(str(error))

    def done(self, result: int) -> None:
        """Cancel running tasks and close."""
        for task in self._tasks:
            task.cancel()
        super().done(result)


def read_state(run: Run, keypoints: int) -> Adjustment | None:
    """The fit in use; None if there is none."""
    return read_adjustment(run, keypoints=keypoints)


def read_fit(project: Place, run: Run, *, cancelled: Callable[[], bool], command: Sequence[str] = ADJUST) -> Fit | None:
    """Fit to stored predictions, or else in a process that predicts the labelled faces; None if cancelled.

    Raises UserError.
    """
    try:
        with Project.open(project, read_only=True) as opened:
            opened.database.progress = Progress(None, cancelled)
            return fit_run(opened, run)
    except Cancelled:
        return None
    except NotPredictedError:
        address = address_of(project)
        words = [*command, str(address.path), "--run", run.name, "--try", "--json"]
        out = run_command(words, cancelled=cancelled)
        address.check()  # the command read whichever project was there
    return None if out is None else from_json(json.loads(out))


def _number(value: float) -> str:
    return f"{value:.2f}" if value == value else "–"
