"""The dialog that queues several recipes on the same labels, split and seed."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.look.style import theme
from fkp_studio.look.widgets.plain_text import PlainLabel
from fkp_studio.views.runs.can_train import Facts, why_not
from training.storage.runs.settings.config import RunConfig
from training.storage.runs.settings.recipes import RECIPES, recipe_config


class CompareDialog(QDialog):
    """The ticked recipes are trained one after another with the same time budget and seed."""

    def __init__(self, session: Session, jobs: Jobs, parent: QWidget | None = None, *, minutes: float = 5.0) -> None:
        super().__init__(parent)
        self.setWindowTitle("Compare recipes")
        self._jobs = jobs
        facts = Facts.of(session.store)
        self.ticks = {name: _tick(name, facts) for name in RECIPES}
        self.minutes = QDoubleSpinBox(minimum=0.1, maximum=10_000, value=minutes, suffix=" min", decimals=1)
        self.seed = QSpinBox(minimum=0, maximum=2**31 - 1)
        self.total = PlainLabel()
        self.total.setProperty("role", "dim")
        self.train_button = QPushButton()
        self.train_button.setProperty("role", "primary")
        self._lay_out(facts)
        for tick in self.ticks.values():
            tick.toggled.connect(self._tell)
        self.minutes.valueChanged.connect(self._tell)
        self._tell()

    def configs(self) -> list[RunConfig]:
        """The settings of the ticked recipes."""
        return [
            recipe_config(name).changed(minutes=self.minutes.value(), epochs=None, seed=self.seed.value())
            for name, tick in self.ticks.items()
            if tick.isChecked()
        ]

    def accept(self) -> None:
        """Queue the runs."""
        self._jobs.train(self.configs())
        super().accept()

    def _lay_out(self, facts: Facts) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        about = PlainLabel(
            "Trained one after another on the same labels and split, so their curves are comparable.", wordWrap=True
        )
        column.addWidget(about)
        for name, tick in self.ticks.items():
            choice = QVBoxLayout()
            choice.setSpacing(0)
            choice.addWidget(tick)
            more = PlainLabel(why_not(name, facts) or RECIPES[name].summary, wordWrap=True)
            more.setProperty("role", "dim")
            more.setFont(theme.font(pixels=12))
            more.setContentsMargins(24, 0, 0, 4)
            choice.addWidget(more)
            column.addLayout(choice)
        form = QFormLayout()
        form.addRow("Time per run", self.minutes)
        form.addRow("Seed", self.seed)
        column.addLayout(form)
        column.addStretch()
        column.addWidget(self.total)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.addButton(self.train_button, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)
        self.setMinimumWidth(440)

    def _tell(self) -> None:
        count = sum(tick.isChecked() for tick in self.ticks.values())
        self.train_button.setText(f"Train {count} runs" if count != 1 else "Train 1 run")
        self.train_button.setEnabled(count > 0)
        self.total.setText(
            f"{count * self.minutes.value():g} minutes in total." if count else "Tick at least one recipe."
        )


def _tick(name: str, facts: Facts) -> QCheckBox:
    tick = QCheckBox(RECIPES[name].title)
    refused = why_not(name, facts)
    tick.setEnabled(not refused)
    tick.setChecked(not refused and name in ("recommended", "fast"))
    return tick
