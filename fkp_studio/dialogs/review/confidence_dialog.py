"""The window of confidence: whether what a run says of its errors comes true on val."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QDialog, QDoubleSpinBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from fkp_studio.background.tasks import Task, run_task
from fkp_studio.dialogs.review.confidence_facts import ConfidenceFacts, Known, facts_for, read_known
from fkp_studio.dialogs.review.confidence_plots import ReliabilityPlot, RiskPlot
from fkp_studio.document.session import Session
from fkp_studio.document.store import Changes
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.look.widgets.parts import button, row, text_label
from training.faces.labels.run_names import is_starter

ABOUT = "On val: points with a label that a person or the source vouches for, by the predictions the project keeps. "
FITTED = "The confidence was fitted on these faces; new ones may differ by a little more."
OF_STARTER = "The confidence was fitted on the faces of the starter's own val."
BEYOND = 5.0  # per cent of the interocular distance
WAIT_MS = 1500  # after the last change of labels or predictions
LIMITS = (2.0, 50.0)  # below, a confidence, which is about 10 %, says too little


def beyond_field() -> QDoubleSpinBox:
    """Which errors count as wrong, in per cent of the interocular distance."""
    made = QDoubleSpinBox()
    made.setRange(*LIMITS)
    made.setDecimals(1)
    made.setValue(BEYOND)
    made.setSuffix(" %")
    made.setAccessibleName("wrong beyond, in per cent of the inter-ocular distance")
    return made


class KnownReader:
    """Reads what is known of a run once, and makes the facts of the limit asked for last; all in the background.

    What cannot be read is told by `fail` in a sentence. After a change of labels or predictions it is read anew when no
    other has come for a while: predictions of a million faces come for half an hour.
    """

    def __init__(
        self, session: Session, run: str, owner: QWidget, tell: Callable[[ConfidenceFacts], None],
        fail: Callable[[str], object],
    ) -> None:  # fmt: skip
        self._session, self._run, self._owner, self._tell, self._fail = session, run, owner, tell, fail
        self.known: Known | None = None
        self._wanted = 0.0  # the limit to make facts of
        self._task: Task | None = None
        self._later = QTimer(owner, singleShot=True, interval=WAIT_MS)
        self._later.timeout.connect(self._read_anew)

    def changed(self) -> None:
        """Labels or predictions did: read anew, soon."""
        self._later.start()

    def _read_anew(self) -> None:
        if self._task is not None:
            self._later.start()
        else:
            self.known = None
            self.want(self._wanted)

    def want(self, beyond: float) -> None:
        """Tell the facts for this limit soon."""
        self._wanted = beyond
        store = self._session.store
        if self._task is not None or store is None or not self._run:
            return
        known = self.known
        if known is None:
            self._start(lambda cancelled: read_known(store.path, self._run, cancelled=cancelled), self._on_known)
        else:
            self._start(lambda **_hooks: facts_for(known, beyond), lambda facts: self._on_facts(facts, beyond))

    def stop(self) -> None:
        """Nobody waits any more."""
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
    """Two plots of the chosen run: predicted against real shares of wrong points, and the share wrong among those accepted."""

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
        self.predict.clicked.connect(lambda: jobs.predict(self.run))
        self.close_button.clicked.connect(self.reject)
        self.resize(860, 480)
        session.project_changed.connect(self.close)
        if session.store is not None:
            session.store.changed.connect(self._on_changed)
        self._reader.want(self.beyond.value() / 100)

    def done(self, result: int) -> None:
        """Closing: what is being read is not needed any more."""
        self._reader.stop()
        super().done(result)

    def _lay_out(self) -> None:
        plots = QHBoxLayout()
        plots.setSpacing(16)
        for name, plot in (("PREDICTED AND REAL ERRORS", self.reliability), ("WRONG AMONG ACCEPTED", self.risk)):
            column = QVBoxLayout()
            column.setSpacing(4)
            column.addWidget(text_label(name, "heading"))
            column.addWidget(plot, 1)
            plots.addLayout(column, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(8)
        column.addWidget(text_label(self.run, "title"))
        words = (QLabel("A point is wrong when its error is beyond"), QLabel("of the inter-ocular distance"))
        column.addLayout(row(words[0], self.beyond, words[1], None))
        column.addLayout(plots, 1)
        column.addWidget(self.about)
        column.addLayout(row(self.predict, None, self.close_button))

    def _on_facts(self, facts: ConfidenceFacts) -> None:
        for plot in (self.reliability, self.risk):
            plot.show_facts(self.run, facts)
        self.predict.setVisible(not facts.points)
        fit = f" With the fit to {facts.fitted:,} labelled faces that is in use." if facts.fitted else ""
        self.about.setText(f"{self._about}{fit}")

    def _on_changed(self, changes: Changes) -> None:
        if changes.predictions or changes.labels:
            self._reader.changed()
