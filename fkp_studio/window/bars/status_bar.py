"""The status bar: last save and next undo step on the left, background work on the right."""

from __future__ import annotations

import time

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLabel, QProgressBar, QStatusBar, QToolButton, QWidget

from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.jobs.training_words import clock, stage_text
from fkp_studio.look.style import theme
from training.storage.runs.events import Event, Progress, RunFailed, RunFinished, RunStarted

HINT_MS = 6000
PATIENCE_MS = 400  # large changes that take longer are shown


class StatusBar(QStatusBar):
    """Shows the store's saves and writes, the events of runs, and the progress of predictions."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self._session = session
        self._started: dict[str, RunStarted] = {}
        self.saved = QLabel()
        self.saved.setContentsMargins(8, 0, 0, 0)
        self.training = QLabel()
        self.bar = QProgressBar(maximum=1000)
        self.bar.setFixedWidth(96)
        self.bar.setAccessibleName("Progress")
        self.predicting, self.writing = QLabel(), QLabel()
        self.stop_writing = QToolButton()
        self.stop_writing.setText("Stop")
        self.stop_writing.setFont(theme.font(pixels=11))
        self.stop_writing.setAccessibleName("Stop writing the large change")
        self.stop_writing.setToolTip("Stop and discard the change")
        self.stop_writing.clicked.connect(self._on_stop)
        self.addWidget(self.saved)
        for widget in (self.writing, self.stop_writing, self.predicting, self.training, self.bar):
            widget.setContentsMargins(0, 0, 8, 0)
            widget.hide()
            self.addPermanentWidget(widget)
        self.addPermanentWidget(QWidget())  # keeps the bar off the window's edge
        self._slow = QTimer(self, singleShot=True, interval=PATIENCE_MS)
        self._slow.timeout.connect(lambda: self._show_writing(True))
        session.project_changed.connect(self._on_project_changed)

    def follow(self, jobs: Jobs) -> None:
        """Show the progress of these jobs."""
        jobs.book.happened.connect(self._on_run_event)
        jobs.predictions.progress.connect(self._on_prediction_progress)
        for reporter in (jobs, jobs.predictions, jobs.fills):
            reporter.message.connect(self.show_hint)
        jobs.runs_changed.connect(lambda: self._on_runs_changed(jobs))

    def show_hint(self, sentence: str) -> None:
        """Show a short sentence for HINT_MS."""
        self.showMessage(sentence, HINT_MS)

    def _on_project_changed(self) -> None:
        self._slow.stop()
        for widget in (self.writing, self.stop_writing, self.predicting, self.training, self.bar):
            widget.hide()
        store = self._session.store
        if store is None:
            self.saved.setText("")
            return
        store.saved.connect(self._on_saved)
        store.failed.connect(self.show_hint)
        store.busy_changed.connect(self._on_busy)
        store.whereabouts.changed.connect(self._on_place_changed)
        store.progress.connect(self._on_progress)
        store.undo_stack.indexChanged.connect(lambda _index: self._tell(""))
        self._tell("everything is saved")

    def _on_busy(self, busy: bool) -> None:
        """Show the progress and the Stop button of a large change, if it takes longer than PATIENCE_MS."""
        self.writing.setText("writing")
        self.stop_writing.setEnabled(True)
        if busy:
            self._slow.start()
        else:
            self._slow.stop()
            self._show_writing(False)

    def _show_writing(self, shown: bool) -> None:
        for widget in (self.writing, self.stop_writing):
            widget.setVisible(shown)

    def _on_progress(self, share: float) -> None:
        if self.stop_writing.isEnabled():
            self.writing.setText(f"writing {share:.0%}")

    def _on_stop(self) -> None:
        if self._session.store is not None:
            self.stop_writing.setEnabled(False)
            self.writing.setText("stopping")
            self._session.store.large.stop()

    def _on_saved(self, text: str) -> None:
        self.clearMessage()
        if text == "nothing to change":
            self.show_hint("Nothing to change: no missing point has a confident enough prediction.")
        else:
            self._tell(self._saved())

    def _saved(self) -> str:
        """What became of the last edit: it is on the disk, unless the project's files are gone."""
        lost = self._session.store.whereabouts.look() if self._session.store is not None else None
        if lost is None or lost.is_kept:
            return f"saved {time.strftime('%H:%M:%S')}"
        return "not on the disk: only in this window"

    def _on_place_changed(self) -> None:
        store = self._session.store
        if store is not None and store.whereabouts.lost is not None:
            self._tell(self._saved())

    def _tell(self, head: str) -> None:
        store = self._session.store
        head = head or self.saved.text().split(" · ")[0]
        undo = store.undo_stack.undoText() if store is not None else ""
        self.saved.setText(f"{head} · undo: {undo}" if undo else head)

    def _on_run_event(self, name: str, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._started[name] = event
        elif isinstance(event, Progress):
            self._show_progress(name, event)
        elif isinstance(event, RunFinished | RunFailed):
            self.training.hide()
            self.bar.hide()

    def _show_progress(self, name: str, event: Progress) -> None:
        started = self._started.get(name)
        epochs = f"/{started.epochs}" if started is not None and started.epochs else ""
        device = started.device if started is not None else ""
        recipe = name.split("-", 1)[-1]
        parts = (
            f"{recipe} epoch {event.epoch}{epochs}",
            stage_text(event),
            f"{clock(event.seconds_left)} left",
            f"{event.images_per_second:,.0f} img/s",
            device,
        )
        self.training.setText("   ".join(part for part in parts if part))
        self.bar.setValue(round(event.done * 1000))
        self.training.show()
        self.bar.show()

    def _on_runs_changed(self, jobs: Jobs) -> None:
        training = jobs.queue.training()
        if not training:
            self.training.hide()
            self.bar.hide()
        elif jobs.status(training[0]) == "starting":
            self.training.setText(f"{training[0].split('-', 1)[-1]} is starting…")
            self.training.show()

    def _on_prediction_progress(self, done: int, total: int) -> None:
        self.predicting.setText(f"predicting {done:,} of {total:,}")
        self.predicting.setVisible(done < total)
