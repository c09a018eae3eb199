"""The training panel: choice of recipe and budget, the Train button, and the progress of the training."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.jobs.training_words import live_line
from fkp_studio.look.style import assets, theme
from fkp_studio.look.widgets.desktop import keep_on_screen
from fkp_studio.look.widgets.plain_text import PlainLabel, own_markup, plain_tip
from fkp_studio.views.runs.augmentation_dialog import AugmentationDialog
from fkp_studio.views.runs.can_train import Facts, warning, why_not
from fkp_studio.views.runs.compare_dialog import CompareDialog
from fkp_studio.views.runs.config_form import ConfigDialog
from training.storage.runs.settings.config import RunConfig
from training.storage.runs.settings.recipes import RECIPES, recipe_config
from training.words import counted

MINUTES, EPOCHS = "min", "epochs"
TRAIN_TIP = "Train this recipe on the current labels (Ctrl+T)"
QUEUE_TIP = "Train this recipe on the current labels when the current run has ended (Ctrl+T)"
KILL_AFTER_MS = 20_000  # a training that has not stopped by then can be killed


class TrainingPanel(QWidget):
    """Starts trainings; while one runs, shows its numbers, warnings and the Stop button."""

    height_wanted = Signal(int)  # px, when the content grows or shrinks
    search_wanted = Signal()  # a random search of the chosen recipe

    def __init__(self, session: Session, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._jobs = session, jobs
        self._custom: dict[str, RunConfig] = {}
        self._device = "auto"
        self._stopping = ""  # the run that is being stopped
        self._facts = Facts.of(None)
        self._fitting = QTimer(self, singleShot=True, interval=0)
        self._fitting.timeout.connect(self._fit_height)
        self._make_choice()
        self._make_live()
        self._lay_out()
        self._soon = QTimer(self, singleShot=True, interval=300)
        self._soon.timeout.connect(self._look_again)
        self._impatient = QTimer(self, singleShot=True, interval=KILL_AFTER_MS)
        self._impatient.timeout.connect(self._show_live)
        self._connect()
        self._on_project_changed()

    # ---- for the window

    def train(self) -> None:
        """Train the chosen recipe, now or after the runs in the queue."""
        if self.train_button.isEnabled():
            self._say("")
            self._jobs.train([self.config()])

    @property
    def chosen(self) -> str:
        """The name of the chosen recipe."""
        return str(self.recipe.currentData())

    def config(self) -> RunConfig:
        """The configuration that Train uses."""
        recipe = self.chosen
        config = self._custom.get(recipe) or recipe_config(recipe).changed(device=self._device)
        if self.unit.currentText() == EPOCHS:
            return config.changed(epochs=round(self.budget.value()), minutes=None)
        return config.changed(minutes=self.budget.value(), epochs=None)

    def set_default(self, *, minutes: float | None = None, device: str | None = None) -> None:
        """Apply a changed default of the settings dialog."""
        if minutes is not None:
            self.unit.setCurrentText(MINUTES)
            self.budget.setValue(minutes)
        self._device = device or self._device

    def show_settings(self) -> None:
        """Show the form with all settings of the recipe."""
        dialog = ConfigDialog(self.config(), self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(lambda: self._take(dialog.config(), train=dialog.train_now))
        dialog.open()

    def balance_by_pose(self, bins: int) -> None:
        """Turn on balancing by pose in the chosen recipe, with this many bins."""
        self._take(self.config().changed(balance="pose", balance_bins=bins), train=False)

    def show_augmentation(self) -> None:
        """Show the augmentation preview."""
        if self._session.store is None:
            return
        dialog = AugmentationDialog(self._session, self._jobs, self.config(), self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(lambda: self._take(dialog.config(), train=False))
        keep_on_screen(dialog)
        dialog.open()

    def show_compare(self) -> None:
        """Show the dialog that trains several recipes."""
        minutes = self.budget.value() if self.unit.currentText() == MINUTES else 5.0
        dialog = CompareDialog(self._session, self._jobs, self, minutes=minutes)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    # ---- parts

    def _make_choice(self) -> None:
        self.recipe = QComboBox()
        self.recipe.setAccessibleName("Recipe")
        for place, (name, recipe) in enumerate(RECIPES.items()):
            self.recipe.addItem(recipe.title, name)
            tip = own_markup(f"<p><b>{name}</b><br>{recipe.summary}</p><p>{recipe.source}</p>")
            self.recipe.setItemData(place, tip, Qt.ItemDataRole.ToolTipRole)
        self.recipe.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.budget = QDoubleSpinBox(minimum=0.1, maximum=100_000, value=5, decimals=1)
        self.budget.setAccessibleName("Budget")
        self.budget.setFixedWidth(76)
        self.unit = QComboBox()
        self.unit.addItems([MINUTES, EPOCHS])
        self.unit.setAccessibleName("Budget unit")
        self.train_button = QPushButton("Train")
        self.train_button.setProperty("role", "primary")
        self.more_button = QPushButton("More…")
        self.compare_button = QPushButton("Compare…")
        self.look_button = QPushButton(assets.icon("contrast"), "")
        self.look_button.setToolTip("Preview augmentation: faces as the network sees them in training")
        self.look_button.setAccessibleName("Preview augmentation")
        self.search_button = QPushButton(assets.icon("dice"), "")
        self.search_button.setToolTip("Random search: try random settings and keep the best")
        self.search_button.setAccessibleName("Random search")
        for button in (self.look_button, self.search_button):
            button.setFixedWidth(32)
        for button in (self.look_button, self.search_button, self.more_button, self.compare_button):
            button.setProperty("role", "flat")
        self.about = PlainLabel(wordWrap=True)
        self.about.setProperty("role", "dim")
        self.fault = PlainLabel(wordWrap=True)
        self.fault.setProperty("role", "danger")

    def _make_live(self) -> None:
        self.live = QWidget()
        self.name = PlainLabel()
        self.name.setFont(theme.font(bold=True))
        self.numbers = PlainLabel(wordWrap=True)
        self.numbers.setFont(theme.table_font())
        self.bar = QProgressBar(maximum=1000, textVisible=False)
        self.bar.setAccessibleName("Training progress")
        self.trouble = PlainLabel(wordWrap=True)
        self.trouble.setProperty("role", "danger")
        self.stop_button = QPushButton("Stop")
        self.stop_button.setToolTip("Finish the current batch and keep the best model")

    def _lay_out(self) -> None:
        first, second, third = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.recipe, 1)
        first.addWidget(self.look_button)
        first.addWidget(self.search_button)
        first.addWidget(self.train_button)
        second.addWidget(self.budget)
        second.addWidget(self.unit)
        second.addStretch()
        second.addWidget(self.more_button)
        second.addWidget(self.compare_button)
        for row in (first, second, third):
            row.setSpacing(8)
        third.addWidget(self.name, 1)
        third.addWidget(self.stop_button)
        live = QVBoxLayout(self.live)
        live.setContentsMargins(0, 4, 0, 0)
        live.setSpacing(4)
        live.addLayout(third)
        live.addWidget(self.bar)
        live.addWidget(self.numbers)
        live.addWidget(self.trouble)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        column.addLayout(first)
        column.addLayout(second)
        column.addWidget(self.about)
        column.addWidget(self.fault)
        column.addWidget(self.live)
        column.addStretch()

    def _connect(self) -> None:
        self.train_button.clicked.connect(self.train)
        self.more_button.clicked.connect(self.show_settings)
        self.compare_button.clicked.connect(self.show_compare)
        self.look_button.clicked.connect(self.show_augmentation)
        self.search_button.clicked.connect(self.search_wanted)
        self.stop_button.clicked.connect(self._stop)
        self.recipe.currentIndexChanged.connect(self._show_choice)
        self.unit.currentTextChanged.connect(self._on_unit_changed)
        self._jobs.book.happened.connect(lambda name, _event: self._show_live() if name == self._current() else None)
        self._jobs.runs_changed.connect(self._show_live)
        self._jobs.refused.connect(self._say)
        self._session.project_changed.connect(self._on_project_changed)

    # ---- what can be trained

    def _on_project_changed(self) -> None:
        self._say("")
        if self._session.store is not None:
            self._session.store.changed.connect(self._soon.start)
        self._look_again()
        self._show_live()

    def _look_again(self) -> None:
        self._facts = Facts.of(self._session.store)
        self._show_choice()

    def _show_choice(self) -> None:
        name = self.chosen
        refused = why_not(name, self._facts)
        self.train_button.setEnabled(not refused)
        self.train_button.setToolTip(plain_tip(refused or (QUEUE_TIP if self._current() else TRAIN_TIP)))
        self.compare_button.setEnabled(self._facts.labelled > 0)
        self.more_button.setEnabled(self._facts.opened)
        self.look_button.setEnabled(self._facts.opened)
        self.search_button.setEnabled(self._facts.opened)
        recipe, custom = RECIPES[name], self._custom.get(name)
        self.recipe.setToolTip(own_markup(self.recipe.currentData(Qt.ItemDataRole.ToolTipRole)))
        changed = _changes(custom) if custom else 0
        words = f"{counted(changed, 'setting')} changed. " if changed else ""
        words = "The paper's values. " + words if custom and custom.variant == "paper" else words
        self.about.setText(refused or warning(self._facts) or words + recipe.summary)
        self._fitting.start()
        self.about.setToolTip(plain_tip(f"{words}{recipe.summary}\n{recipe.source}"))

    def _take(self, config: RunConfig, *, train: bool) -> None:
        self._custom[config.recipe] = config
        self.unit.setCurrentText(
            EPOCHS if config.budget.epochs is not None and config.budget.minutes is None else MINUTES
        )
        self.budget.setValue(
            config.budget.epochs or 0 if self.unit.currentText() == EPOCHS else config.budget.minutes or 5
        )
        self._show_choice()
        if train:
            self.train()

    def _on_unit_changed(self, unit: str) -> None:
        self.budget.setDecimals(0 if unit == EPOCHS else 1)
        self.budget.setValue(40 if unit == EPOCHS else 5)

    def _say(self, sentence: str) -> None:
        self.fault.setText(sentence)
        self.fault.setVisible(bool(sentence))
        self._fitting.start()

    # ---- what trains

    def _current(self) -> str:
        training = self._jobs.queue.training()
        return training[0] if training else ""

    def _show_live(self) -> None:
        name = self._current()
        self.live.setVisible(bool(name))
        self._fitting.start()
        self.train_button.setText("Queue" if name else "Train")
        if self.train_button.isEnabled():
            self.train_button.setToolTip(QUEUE_TIP if name else TRAIN_TIP)
        if not name:
            self._impatient.stop()
            return
        history, status = self._jobs.book.history(name), self._jobs.status(name)
        waiting = len(self._jobs.queue.waiting())
        more = f"  +{waiting} queued" if waiting else ""
        self.name.setText(f"{name.partition('-')[2]}{more}")
        starting = "Starting: reading images…"
        self.numbers.setText(starting if status == "starting" else live_line(history))
        done = history.progress.done if history.progress else 0.0
        self.bar.setMaximum(0 if status == "starting" else 1000)
        self.bar.setValue(round(done * 1000) if math.isfinite(done) else 0)
        self.trouble.setText("\n".join(trouble.sentence for trouble in history.troubles[-2:]))
        self.trouble.setVisible(bool(history.troubles))
        self._show_stop(name, status)

    def _fit_height(self) -> None:
        """Keep the minimum height at the content's: Qt knows the height of wrapped text only at its preferred width."""
        layout = self.layout()
        height = layout.totalHeightForWidth(self.width()) if layout is not None else 0
        if height != self.minimumHeight():
            self.setMinimumHeight(height)
            self.height_wanted.emit(height)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fitting.start()

    def _show_stop(self, name: str, status: str) -> None:
        if status != "stopping":
            self._stopping = ""
        elif self._stopping != name:
            self._stopping = name
            self._impatient.start()
        late = status == "stopping" and not self._impatient.isActive() and self._jobs.queue.is_own(name)
        self.stop_button.setText("Force stop" if late else "Stopping…" if status == "stopping" else "Stop")
        self.stop_button.setEnabled(late or status != "stopping")

    def _stop(self) -> None:
        name = self._current()
        if self.stop_button.text() == "Force stop":
            self._jobs.queue.kill(name)
        elif name:
            self._jobs.queue.stop(name)


def _changes(config: RunConfig) -> int:
    """The number of settings that differ from the recipe, apart from the budget."""
    base, values = recipe_config(config.recipe, config.variant).to_json(), config.to_json()
    return sum(values[name] != base[name] for name in values if name not in ("epochs", "minutes"))
