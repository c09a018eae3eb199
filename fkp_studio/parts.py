"""The panels that are made after the first face is on the screen: training, runs, plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from fkp_studio.jobs.jobs import Jobs
from fkp_studio.session import Session

if TYPE_CHECKING:
    from fkp_studio.panels.training import TrainingPanel


class Panels(QObject):
    """Makes them when asked. Before `make`, acts on them do nothing."""

    def __init__(self, session: Session, jobs: Jobs) -> None:
        super().__init__(jobs)
        self._session, self._jobs = session, jobs
        self._training: TrainingPanel | None = None

    def make(self) -> dict[str, QWidget]:
        """The widget of each part that isn't there yet, by the part's id."""
        from fkp_studio.panels.ced_plot import CedPlot
        from fkp_studio.panels.keypoint_plot import KeypointPlot
        from fkp_studio.panels.loss_plot import LossPlot
        from fkp_studio.panels.runs import RunsPanel
        from fkp_studio.panels.training import TrainingPanel

        self._training = TrainingPanel(self._session, self._jobs)
        return {
            "training": self._training,
            "runs": RunsPanel(self._session, self._jobs),
            "loss": LossPlot(self._session, self._jobs),
            "ced": CedPlot(self._session, self._jobs),
            "per_keypoint": KeypointPlot(self._session, self._jobs),
        }

    def train(self) -> None:
        """Press the Train button."""
        if self._training is not None:
            self._training.train()

    def show_compare(self) -> None:
        """The dialog that trains several recipes."""
        if self._training is not None:
            self._training.show_compare()

    def set_default(self, key: str, value: Any) -> None:
        """Give the training panel a changed setting: "minutes" or "device"."""
        if self._training is not None:
            self._training.set_default(**{key: value})
