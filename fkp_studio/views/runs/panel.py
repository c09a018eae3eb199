"""The runs panel: choose a run to see its predictions, select runs for the plots, resume, stop or discard them."""

from __future__ import annotations

import json

from PySide6.QtCore import QItemSelection, QModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.look.style import theme
from fkp_studio.look.widgets.desktop import show_in_folder
from fkp_studio.look.widgets.plain_text import PlainLabel, plain_box, plain_tip, set_informative
from fkp_studio.views.runs.delegate import RunsDelegate, RunsView
from fkp_studio.views.runs.log import LogDialog
from fkp_studio.views.runs.model import RunsModel
from training.assist.offsets.label_offsets import KIND
from training.words import counted

CAN_RESUME = ("stopped", "interrupted", "failed", "waiting")
TRAINS = ("starting", "running", "stopping")
LOW = 240  # px: a lower panel shows one line of text only, to leave room for the list
EMPTY = "Trained models appear here. Press Train to make the first."


class RunsPanel(QWidget):
    """The list of runs, and below it warnings and errors of one run with the button that helps."""

    offsets_wanted = Signal()  # show the label offset that a training detected

    def __init__(self, session: Session, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._jobs = session, jobs
        self._said = ""
        self._attention = ""  # a run that has just failed while another is chosen
        self._make()
        self._lay_out()
        self._connect()
        self._select_shown()
        self._refresh()

    def _make(self) -> None:
        self.model = RunsModel(self._jobs, self)
        self.list = RunsView()
        self.list.setModel(self.model)
        self.list.setItemDelegate(RunsDelegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setAccessibleName("Runs")
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.setVerticalScrollMode(RunsView.ScrollMode.ScrollPerPixel)
        self.trials_button = QPushButton()
        self.trials_button.setCheckable(True)
        self.trials_button.setProperty("role", "flat")
        self.empty = PlainLabel(EMPTY, wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self.empty.setProperty("role", "dim")
        self.words = PlainLabel(wordWrap=True)
        self.words.setFont(theme.font(pixels=12))
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.resume_button, self.log_button = QPushButton("Resume"), QPushButton("Show log")
        self.offsets_button = QPushButton("Label offset…")
        self.predicting = PlainLabel("Predicting")  # the status bar shows the progress
        self.predicting.setProperty("role", "dim")
        self.prediction_bar = QProgressBar(textVisible=False)
        self.prediction_bar.setAccessibleName("Progress of the predictions")
        self.cancel_button = QPushButton("Cancel")

    def _lay_out(self) -> None:
        self.strip, self.prediction = QWidget(), QWidget()
        acts = QHBoxLayout()
        acts.setSpacing(8)
        acts.addWidget(self.resume_button)
        acts.addWidget(self.log_button)
        acts.addWidget(self.offsets_button)
        acts.addStretch()
        strip = QVBoxLayout(self.strip)
        strip.setContentsMargins(8, 6, 8, 8)
        strip.setSpacing(6)
        strip.addWidget(self.words)
        strip.addLayout(acts)
        row = QHBoxLayout(self.prediction)
        row.setContentsMargins(8, 4, 8, 6)
        row.setSpacing(8)
        row.addWidget(self.predicting)
        row.addWidget(self.prediction_bar, 1)
        row.addWidget(self.cancel_button)
        self.prediction.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.list, 1)
        column.addWidget(self.empty, 1)
        column.addWidget(self.trials_button)
        column.addWidget(self.strip)
        column.addWidget(self.prediction)
        self.setFocusProxy(self.list)

    def _connect(self) -> None:
        self.list.selectionModel().selectionChanged.connect(self._on_selected)
        self.list.customContextMenuRequested.connect(self._on_menu)
        self.resume_button.clicked.connect(lambda: self._jobs.resume(self._in_question()))
        self.log_button.clicked.connect(lambda: self.show_log(self._in_question()))
        self.offsets_button.clicked.connect(self.offsets_wanted)
        self.trials_button.toggled.connect(self._show_trials)
        self.cancel_button.clicked.connect(self._jobs.predictions.cancel)
        self.model.modelReset.connect(self._select_shown)
        self._session.run_changed.connect(self._on_run_changed)
        self._jobs.runs_changed.connect(self._refresh)
        self._jobs.book.happened.connect(lambda name, _event: self.model.touch(name))
        self._jobs.queue.ended.connect(self._on_ended)
        self._jobs.predictions.progress.connect(self._on_progress)

    # ---- acts

    def discard(self, name: str) -> None:
        """Ask for confirmation, then delete the run."""
        box = plain_box(self, f"Discard the run {name}?", title="Discard run")
        set_informative(box, "Its model, curves and predictions are permanently deleted. Points accepted from it stay.")
        discard = box.addButton("Discard run", QMessageBox.ButtonRole.DestructiveRole)
        keep = box.addButton("Keep it", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        discard.clicked.connect(lambda: self._jobs.discard(name))
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def show_log(self, name: str) -> None:
        """Show the log of a run's training process."""
        info = self._jobs.book.info(name)
        if info is not None:
            LogDialog(info.run, self).open()

    def menu(self, name: str) -> QMenu:
        """The context menu of a run, with unavailable actions disabled."""
        info, status = self._jobs.book.info(name), self._jobs.status(name)
        menu = QMenu(self)
        if info is None:
            return menu
        busy = status in TRAINS
        folder = info.run.model.parent if info.is_starter else info.run.path
        acts = (
            ("Show predictions", info.has_model, lambda: self._session.set_run(name)),
            ("Predict all faces", info.has_model, lambda: self._jobs.predictions.predict(name)),
            None,
            ("Start" if status == "waiting" else "Resume", status in CAN_RESUME, lambda: self._jobs.resume(name)),
            (
                "Stop" if busy else "Remove from the queue",
                busy or status == "queued",
                lambda: self._jobs.queue.stop(name),
            ),
            ("Discard…", not busy and not info.is_starter, lambda: self.discard(name)),
            None,
            ("Show log", not info.is_starter, lambda: self.show_log(name)),
            ("Open folder", True, lambda: show_in_folder(folder)),
            ("Copy settings", True, lambda: self._copy(json.dumps(info.config.to_json(), indent=1))),
        )
        for act in acts:
            if act is None:
                menu.addSeparator()
            else:
                text, enabled, call = act
                menu.addAction(text, call).setEnabled(enabled)
        return menu

    def _copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self._jobs.message.emit("Copied the run's settings as JSON.")

    # ---- reactions

    def _on_menu(self, at: QPoint) -> None:
        index = self.list.indexAt(at)
        if index.isValid():
            menu = self.menu(index.data())
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self.list.viewport().mapToGlobal(at))

    def _on_selected(self, chosen: QItemSelection, _before: QItemSelection) -> None:
        if chosen.indexes():
            self._attention = ""
            self._session.set_run(chosen.indexes()[0].data())
            self._refresh()

    def _on_run_changed(self, _name: str) -> None:
        self._attention = ""
        self._select_shown()
        self._refresh()

    def _select_shown(self) -> None:
        names = self.model.names()
        if self._session.run in names:
            self.list.setCurrentIndex(self.model.index(names.index(self._session.run)))
        else:
            self.list.clearSelection()
            self.list.setCurrentIndex(QModelIndex())

    def _on_ended(self, name: str) -> None:
        if self._jobs.status(name) in ("failed", "interrupted"):
            self._attention = name
        self._refresh()

    def _on_progress(self, done: int, total: int) -> None:
        if self.prediction.isHidden() == (done < total):
            self.prediction.setVisible(done < total)
            self._keep_in_view()
        self.prediction_bar.setMaximum(max(total, 1))
        self.prediction_bar.setValue(done)

    def _keep_in_view(self) -> None:
        """Keep the chosen row visible when the widgets below the list grow."""
        QTimer.singleShot(0, self, lambda: self.list.scrollTo(self.list.currentIndex()))

    def _in_question(self) -> str:
        return self._attention or self._session.run

    def _show_trials(self, shown: bool) -> None:
        self.model.show_trials(shown)
        self._refresh()

    def _refresh(self) -> None:
        self.list.setVisible(bool(self.model.names()))
        self.empty.setVisible(not self.model.names())
        trials, act = self.model.trials(), "Hide" if self.trials_button.isChecked() else "Show"
        self.trials_button.setText(f"{act} {counted(trials, 'trial')} of searches")
        self.trials_button.setVisible(trials > 0)
        name = self._in_question()
        info, status = self._jobs.book.info(name), self._jobs.status(name)
        if info is None:
            self.strip.hide()
            return
        fault = "" if status in (*TRAINS, "queued") else self._jobs.book.note(name)
        troubles = [trouble.sentence for trouble in self._jobs.book.history(name).troubles[-1:]]
        stale = (
            "Labels or splits changed since this run was made; train again to use them."
            if self._jobs.is_stale(name)
            else ""
        )
        words = [f"{name}: {fault}" if fault else "", *troubles, stale]
        self._say("\n".join(word for word in words if word))
        self._colour_words("danger" if fault or troubles else "dim")
        self.resume_button.setText("Start" if status == "waiting" else "Resume")
        self.resume_button.setVisible(status in CAN_RESUME)
        self.log_button.setVisible(bool(fault))
        self.offsets_button.setVisible(any(t.kind == KIND for t in self._jobs.book.history(name).troubles))
        wanted = bool(self._said) or not self.resume_button.isHidden()
        if self.strip.isHidden() == wanted:
            self.strip.setVisible(wanted)
            self._keep_in_view()

    def _say(self, text: str) -> None:
        """Show the text, elided to one line in a low panel; the tooltip has the full text."""
        self._said = text
        low = self.height() < LOW
        self.words.setWordWrap(not low)
        line = text.replace("\n", " ")
        room = max(0, self.width() - 24)
        self.words.setText(
            self.words.fontMetrics().elidedText(line, Qt.TextElideMode.ElideRight, room) if low else text
        )
        self.words.setToolTip(plain_tip(text))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._say(self._said)

    def _colour_words(self, role: str) -> None:
        if self.words.property("role") != role:
            self.words.setProperty("role", role)
            self.words.style().polish(self.words)
