"""The confidence window: whether a run's confidences are calibrated on val."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QDialog, QDoubleSpinBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from fkp_studio.background.tasks import Task, run_task
from fkp_studio.dialogs.review.confidence_facts import ConfidenceFacts, Known, facts_for, read_known
from fkp_studio.dialogs.review.confidence_plots import ReliabilityPlot, RiskPlot
from fkp_studio.document.changes import Changes
from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.look.widgets.dialog_parts import button, row, text_label
from training.faces.labels.run_names import is_starter

ABOUT = "Measured on val: stored predictions against confirmed and imported labels. "
FITTED = "The confidence was fitted on these faces; new faces may deviate a little more."
OF_STARTER = "The confidence was fitted on the starter's own val faces."
BEYOND = 5.0  # percent of the inter-ocular distance
WAIT_MS = 1500  # after the last change of labels or predictions
LIMITS = (2.0, 50.0)  # below 2 %, confidences (defined at 10 %) say too little


def beyond_field() -> QDoubleSpinBox:
    """A field for the error above which a point is wrong, in percent of the inter-ocular distance."""
    made = QDoubleSpinBox()
    made.setRange(*LIMITS)
    made.setDecimals(1)
    made.setValue(BEYOND)
    made.setSuffix(" %")
    made.setAccessibleName("wrong above, in percent of the inter-ocular distance")
    return made


class KnownReader:
    """Reads a run's errors and confidences once, then computes the facts for the latest limit; all in the background.

    `fail` gets a sentence if reading fails. Changes of labels or predictions are read once they have paused for a
    while, since predicting a million faces takes half an hour.
    """

    def __init__(
        self,
        session: Session,
        run: str,
        owner: QWidget,
        tell: Callable[[ConfidenceFacts], None],
        fail: Callable[[str], object],
    ) -> None:
        self._session, self._run, self._owner, self._tell, self._fail = session, run, owner, tell, fail
        self.known: Known | None = None
        self._wanted = 0.0  # the limit to compute facts for
        self._task: Task | None = None
        self._later = QTimer(owner, singleShot=True, interval=WAIT_MS)
        self._later.timeout.connect(self._read_anew)

    def changed(self) -> None:
        """Labels or predictions have changed: read them again soon."""
        self._later.start()

    def _read_anew(self) -> None:
        if self._task is not None:
            self._later.start()
        else:
            self.known = None
            self.want(self._wanted)

    def want(self, beyond: float) -> None:
        """Request the facts for this limit."""
        self._wanted = beyond
        store = self._session.store
        if self._task is not None or store is None or not self._run:
            return
        known = self.known
        if known is None:
            self._start(
                lambda cancelled: read_known(store.project.address, self._run, cancelled=cancelled), self._on_known
            )
        else:
            self._start(lambda **_hooks: facts_for(known, beyond), lambda facts: self._on_facts(facts, beyond))

    def stop(self) -> None:
        """Cancel what is running."""
        self._later.stop()
        if self._task is not None:
            self._task.cancel()

    def _start(self, fn: Callable[..., object], done: Callable[..., None]) -> None:
        def deliver(found: object) -> None:
            self._task = None
            done(found)

        def failed(error: Exception) -> None:
            self._task = None
            self._fail(str(error))

        self._task = run_task(fn, done=deliver, failed=failed, owner=self._owner, cancellable=True)

    def _on_known(self, known: Known) -> None:
        self.known = known
        self.want(self._wanted)

    def _on_facts(self, facts: ConfidenceFacts, beyond: float) -> None:
        self._tell(facts)
        if self._wanted != beyond:
            self.want(self._wanted)


class ConfidenceDialog(QDialog):
    """Two plots of the chosen run: predicted against actual error rates, and the error rate among accepted points."""

    def __init__(self, session: Session, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Confidence")
        self._session, self._jobs, self.run = session, jobs, session.run
        self.beyond = beyond_field()
        self._about = ABOUT + (OF_STARTER if is_starter(self.run) else FITTED)
        self.reliability, self.risk = ReliabilityPlot(session, jobs), RiskPlot(session, jobs)
        self.predict, self.close_button = button("Predict all faces"), button("Close")
        self.about = text_label(self._about, "dim")
        self._reader = KnownReader(session, self.run, self, self._on_facts, self.about.setText)
        self._lay_out()
        self.beyond.valueChanged.connect(lambda value: self._reader.want(value / 100))
        self.predict.clicked.connect(lambda: jobs.predictions.predict(self.run))
        self.close_button.clicked.connect(self.reject)
        self.resize(860, 480)
        session.project_changed.connect(self.close)
        if session.store is not None:
            session.store.changed.connect(self._on_changed)
        self._reader.want(self.beyond.value() / 100)

    def done(self, result: int) -> None:
        """Cancel running tasks and close."""
        self._reader.stop()
        super().done(result)

    def _lay_out(self) -> None:
        plots = QHBoxLayout()
        plots.setSpacing(16)
        for name, plot in (("PREDICTED AND ACTUAL ERRORS", self.reliability), ("ERRORS AMONG ACCEPTED", self.risk)):
            column = QVBoxLayout()
            column.setSpacing(4)
            column.addWidget(text_label(name, "heading"))
            column.addWidget(plot, 1)
            plots.addLayout(column, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(8)
        column.addWidget(text_label(self.run, "title"))
        words = (QLabel("A point is wrong when its error is above"), QLabel("of the inter-ocular distance"))
        column.addLayout(row(words[0], self.beyond, words[1], None))
        column.addLayout(plots, 1)
        column.addWidget(self.about)
        column.addLayout(row(self.predict, None, self.close_button))

    def _on_facts(self, facts: ConfidenceFacts) -> None:
        for plot in (self.reliability, self.risk):
            plot.show_facts(self.run, facts)
        self.predict.setVisible(not facts.points)
        fit = f" Includes the calibration to {facts.fitted:,} labelled faces." if facts.fitted else ""
        self.about.setText(f"{self._about}{fit}")

    def _on_changed(self, changes: Changes) -> None:
        if changes.predictions or changes.labels:
            self._reader.changed()
