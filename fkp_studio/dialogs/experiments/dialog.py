"""The dialog that reproduces tables of papers on this project: choose an experiment, watch it run, read the results."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QDialog,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from fkp_studio.dialogs.experiments.tables import ProgressTable, ResultTable
from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.look.style import theme
from fkp_studio.look.widgets.plain_text import PlainLabel, plain_tip
from training.errors import UserError
from training.experiments.experiment_events import (
    ExperimentDone,
    ExperimentEnded,
    ExperimentEvent,
    ExperimentStarted,
    Measuring,
    RunProgress,
)
from training.experiments.options import Options, default_jobs, report_folder
from training.experiments.papers.catalogue import EXPERIMENTS
from training.experiments.papers.definition import Budget, Experiment, missing_recipes
from training.experiments.plan import plan_sentence
from training.experiments.report.saved_table import PAGE, read_table

_LIST_WIDTH = 250  # px
_TRAINING_SHARE = 0.97  # of the bar; the rest is measuring


class ExperimentsDialog(QDialog):
    """Not modal; a running experiment continues when the dialog is closed."""

    def __init__(self, session: Session, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Experiments")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session, self._jobs = session, jobs
        self._page: Path | None = None
        self._make()
        self._lay_out()
        self._connect()
        running = jobs.experiments.running
        self.choice.setCurrentRow(list(EXPERIMENTS).index(running) if running in EXPERIMENTS else 0)
        self.resize(1080, 640)

    # ---- what is shown

    @property
    def experiment(self) -> Experiment:
        """The chosen experiment."""
        return EXPERIMENTS[self.choice.currentItem().data(Qt.ItemDataRole.UserRole)]

    @property
    def options(self) -> Options:
        """The options set in the form."""
        budget = Budget(minutes=self.minutes.value(), seeds=self.seeds.value())
        return Options(budget, self.jobs.value(), hide=self.hidden.value() / 100)

    def _make(self) -> None:
        self.choice = QListWidget()
        self.choice.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.choice.setSpacing(3)
        for name, experiment in EXPERIMENTS.items():
            item = QListWidgetItem(experiment.title)
            item.setData(Qt.ItemDataRole.UserRole, name)
            item.setToolTip(plain_tip(f"{experiment.source}\nfkp experiment {name}"))
            self.choice.addItem(item)
        self.title, self.about = PlainLabel(wordWrap=True), PlainLabel(wordWrap=True)
        self.title.setFont(theme.font(pixels=16, bold=True))
        self.source = _dim()
        self.minutes = QDoubleSpinBox(minimum=0.1, maximum=10_000, value=3, suffix=" min", decimals=1)
        self.seeds = QSpinBox(minimum=1, maximum=100, value=2)
        self.jobs = QSpinBox(minimum=1, maximum=256, value=default_jobs())
        self.hidden = QSpinBox(minimum=0, maximum=95, singleStep=5, suffix=" %")
        self.hidden.setSpecialValueText("none")
        self.hidden.setToolTip(
            "In this share of the completely labelled train faces, all labels but four are hidden from training,\n"
            "as in Kaggle's data: masked losses only matter where labels are missing. The project is not changed."
        )
        self.plan = PlainLabel(wordWrap=True)
        self.bar = QProgressBar(minimum=0, maximum=1000, textVisible=False)
        self.progress = ProgressTable()
        self.table = ResultTable()
        self.said = PlainLabel(wordWrap=True, textInteractionFlags=Qt.TextInteractionFlag.TextSelectableByMouse)
        self.start_button = QPushButton("Start")
        self.start_button.setProperty("role", "primary")
        self.stop_button, self.report_button = QPushButton("Stop"), QPushButton("Open report")
        self.close_button = QPushButton("Close")

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 16, 16, 16)
        row.setSpacing(16)
        self.choice.setFixedWidth(_LIST_WIDTH)
        self.choice.setWordWrap(True)
        row.addWidget(self.choice)
        column = QVBoxLayout()
        column.setSpacing(8)
        row.addLayout(column, 1)
        for widget in (self.title, self.about, self.source):
            column.addWidget(widget)
        self.form = QWidget()
        form = QFormLayout(self.form)
        form.setContentsMargins(0, 8, 0, 0)
        for text, field in (
            ("Time per training", self.minutes),
            ("Seeds", self.seeds),
            ("In parallel", self.jobs),
            ("Hide labels in", self.hidden),
        ):
            field.setFixedWidth(120)
            form.addRow(text, field)
        column.addWidget(self.form)
        column.addWidget(self.plan)
        column.addWidget(self.bar)
        column.addWidget(self.progress, 1)
        column.addWidget(self.table, 1)
        column.addWidget(self.said)
        column.addStretch()
        buttons = QHBoxLayout()
        buttons.addStretch()
        for button in (self.report_button, self.stop_button, self.close_button, self.start_button):
            buttons.addWidget(button)
        column.addLayout(buttons)

    def _connect(self) -> None:
        self.choice.currentRowChanged.connect(lambda _row: self._show_chosen())
        for field in (self.minutes, self.seeds, self.jobs):
            field.valueChanged.connect(lambda _value: self._tell_plan())
        self.hidden.valueChanged.connect(lambda _value: self._show_chosen())
        self.start_button.clicked.connect(self.start)
        self.stop_button.clicked.connect(self.stop)
        self.report_button.clicked.connect(self.open_report)
        self.close_button.clicked.connect(self.close)
        experiments = self._jobs.experiments
        experiments.events.connect(self._take)
        experiments.over.connect(self._on_over)
        self._session.project_changed.connect(self.close)

    # ---- what is asked for

    def start(self) -> None:
        """Start the chosen experiment on the open project."""
        store = self._session.store
        if store is not None and not self._jobs.experiments.running:
            self._clear()
            try:
                store.project.address.check()
            except UserError as error:
                self.plan.setText(str(error))
                return
            self.plan.setText("Starting…")
            self._jobs.experiments.start(self.experiment.name, store.project.path, self.options)
            self._enable()

    def stop(self) -> None:
        """Stop the experiment; finished work is kept, and the next start continues from it."""
        self.stop_button.setEnabled(False)
        self.plan.setText("Stopping after the current batch; finished work is kept.")
        self._jobs.experiments.stop()

    def open_report(self) -> None:
        """Open the report in the browser."""
        if self._page is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._page)))

    # ---- inside

    def _show_chosen(self) -> None:
        experiment = self.experiment
        self.title.setText(experiment.title)
        self.about.setText(experiment.about)
        self.source.setText(f"{experiment.source}. The paper's figures: {experiment.paper_setting}.")
        self._clear()
        self.form.setVisible(experiment.kind == "training")
        self._tell_plan()
        self._show_written()
        self._enable()

    def _clear(self) -> None:
        for widget in (self.bar, self.progress, self.table, self.said):
            widget.hide()
        self._page = None

    def _show_written(self) -> None:
        """Show the results of an earlier run, if there are any."""
        store = self._session.store
        if store is None or self._is_running():
            return
        folder = report_folder(store.project.path, self.experiment.name, self.options.hide)
        written = read_table(folder)
        if written is not None:
            self._page = folder / PAGE
            self._show_table(*written)

    def _show_table(self, head: tuple[str, ...], rows: tuple[tuple[str, ...], ...], sentences: tuple[str, ...]) -> None:
        self.table.show_table(head, rows)
        self.table.show()
        self.said.setText("\n".join(sentences[:1] + tuple(f"• {s}" for s in sentences[1:])))
        self.said.setVisible(bool(sentences))

    def _is_running(self) -> bool:
        return self._jobs.experiments.running == self.experiment.name

    def _tell_plan(self) -> None:
        lacking = missing_recipes(self.experiment)
        if lacking:
            self.plan.setText(f"This needs the recipes {', '.join(lacking)}, which this version lacks.")
        elif not self._is_running():
            self.plan.setText(plan_sentence(self.experiment, self.options))

    def _enable(self) -> None:
        running = self._jobs.experiments.running
        self.start_button.setEnabled(not running and not missing_recipes(self.experiment))
        self.start_button.setToolTip(plain_tip(f"{running} is running." if running else ""))
        self.stop_button.setVisible(self._is_running())
        self.stop_button.setEnabled(True)
        self.report_button.setVisible(self._page is not None)
        self.form.setEnabled(not running)

    def _take(self, events: tuple[ExperimentEvent, ...]) -> None:
        if self._is_running():
            for event in events:
                self._show_event(event)

    def _show_event(self, event: ExperimentEvent) -> None:
        if isinstance(event, ExperimentStarted):
            self.plan.setText(event.sentence)
            self.progress.show_plan(event.runs)
            self.progress.setVisible(bool(event.runs))
            self.bar.show()
        elif isinstance(event, RunProgress):
            self.progress.show_run(event)
            self.bar.setValue(round(1000 * _TRAINING_SHARE * self.progress.done))
        elif isinstance(event, Measuring):
            self.plan.setText("Measuring…")
            trained = _TRAINING_SHARE if self.experiment.kind == "training" else 0.0
            self.bar.setValue(round(1000 * (trained + (1 - trained) * event.done)))
        elif isinstance(event, ExperimentDone):
            self._show_done(event)
        elif isinstance(event, ExperimentEnded):
            self.plan.setText(event.sentence)

    def _show_done(self, event: ExperimentDone) -> None:
        self._clear()
        self._page = Path(event.report)
        self.plan.setText("Done.")
        self._show_table(event.head, event.rows, event.sentences)

    def _on_over(self, sentence: str) -> None:
        if sentence:
            self.plan.setText(sentence)
        self.bar.hide()
        self._enable()


def _dim() -> QLabel:
    label = PlainLabel(wordWrap=True)
    label.setProperty("role", "dim")
    label.setFont(theme.font(pixels=12))
    return label
