"""Preview augmentation: the faces as training would see them, with sliders for the settings."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtWidgets import QComboBox, QDialog, QHBoxLayout, QVBoxLayout, QWidget

from fkp_studio.background.tasks import run_task
from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.jobs.prediction.augmentation_preview import Sheet, plain_sheet
from fkp_studio.look.widgets.dialog_parts import button, row, text_label
from fkp_studio.views.runs.config_form import ConfigForm
from fkp_studio.views.runs.image_tiles import ImageTiles
from training.errors import UserError
from training.storage.runs.settings.config import SETTINGS, RunConfig
from training.storage.runs.settings.recipes import RECIPES, recipe_config

PAGE = "Augmentation"
TILES = 24
NAMES = tuple(f.name for f in SETTINGS.values() if f.metadata["page"] == PAGE)
SLIDERS = {  # upper end of each slider; larger values can be typed
    "flip": 1.0,
    "rotation": 45.0,
    "box_corners": 0.2,
    "scale": 0.5,
    "shift": 0.3,
    "brightness": 1.0,
    "contrast": 0.9,
    "blur": 1.0,
    "gamma": 2.0,
    "noise": 1.0,
    "erasing": 1.0,
}


class AugmentationDialog(QDialog):
    """Shows augmented faces with their points beside the settings; `config()` returns the accepted settings."""

    def __init__(self, session: Session, jobs: Jobs, config: RunConfig, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Preview augmentation")
        self._session, self._jobs = session, jobs
        self._result, self._seed = config, 0
        self.is_augmented = False  # whether the worker, which takes seconds to start, has drawn a sheet yet
        self.view = ImageTiles()
        self.form = ConfigForm(config, wanted=[PAGE], sliders=SLIDERS)
        self.which = QComboBox()
        self.which.addItem("Faces of the gallery", False)
        self.which.addItem("Current face only", True)
        self.which.setAccessibleName("Which faces")
        self.about, self.fault = text_label(role="dim"), text_label(role="danger")
        self.again, self.reset = button("Draw again"), button("Reset", "flat")
        self.use, self.close_button = button("Use these settings", "primary"), button("Cancel")
        self.again.setToolTip("The same faces with other random numbers")
        self.reset.setToolTip("The recipe's own augmentation")
        self._lay_out()
        self._connect()
        self._ids = self._faces()
        self.form.set_config(config, base=self._base())
        self.view.say("Reading the faces…")
        self.resize(1040, 600)
        self._show_plain_first()
        self._ask()

    def config(self) -> RunConfig:
        """The run's settings with the augmentation as set in the form."""
        return self._result

    def _base(self) -> RunConfig:
        """The run's settings with the recipe's own augmentation."""
        own = recipe_config(self._result.recipe, self._result.variant)
        changes: dict[str, Any] = {name: own.value(name) for name in NAMES}
        return self._result.changed(**changes)

    def _lay_out(self) -> None:
        recipe = RECIPES.get(self._result.recipe)
        size = self._result.network.input_size
        colour = "gray" if self._result.network.channels == 1 else "colour"
        right = QVBoxLayout()
        right.setSpacing(8)
        right.addWidget(text_label(recipe.title if recipe else self._result.recipe, "title"))
        right.addWidget(text_label(f"{size} x {size} px, {colour}, as the network sees them.", "dim"))
        right.addWidget(self.form, 1)
        right.addWidget(self.fault)
        middle = QHBoxLayout()
        middle.setSpacing(16)
        middle.addWidget(self.view, 1)
        panel = QWidget()
        panel.setLayout(right)
        right.setContentsMargins(0, 0, 0, 0)
        panel.setFixedWidth(348)
        middle.addWidget(panel)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addLayout(middle, 1)
        column.addWidget(self.about)
        column.addLayout(row(self.which, self.again, None, self.reset, self.close_button, self.use))

    def _connect(self) -> None:
        self.form.changed.connect(self._ask)
        self.which.currentIndexChanged.connect(self._choose_faces)
        self.again.clicked.connect(self._draw_again)
        self.reset.clicked.connect(self._reset)
        self.use.clicked.connect(self.accept)
        self.close_button.clicked.connect(self.reject)
        self._jobs.predictions.sheet_drawn.connect(self._show)
        self._jobs.predictions.sheet_failed.connect(self._fail)

    def _choose_faces(self) -> None:
        self._ids = self._faces()
        self._show_plain_first()
        self._ask()

    def _show_plain_first(self) -> None:
        """Show the faces without augmentation until the worker has started."""
        store = self._session.store
        if store is not None and self._ids and not self.is_augmented:
            run_task(
                plain_sheet,
                store.project.address,
                self._ids,
                self._result,
                done=self._show_plain,
                failed=self._no_plain,
            )

    def _show_plain(self, sheet: Sheet) -> None:
        if not self.is_augmented and sheet.ids == self._ids and not self.fault.text():
            self.view.show_sheet(sheet)
            self.about.setText("Without augmentation; augmented faces follow in a few seconds.")

    def _no_plain(self, _error: Exception) -> None:
        """Nothing to do: the worker, asked for the same faces, reports the error."""

    def _draw_again(self) -> None:
        self._seed += 1
        self._ask()

    def _reset(self) -> None:
        base = self._base()
        self.form.set_config(base, base=base)
        self._ask()

    def _ask(self) -> None:
        """Request a drawing with the current settings, unless one is invalid."""
        try:
            self._result = self.form.config()
        except UserError as error:
            self.fault.setText(str(error))
        else:
            self.fault.setText("")
            if self._ids:
                self._jobs.predictions.draw_sheet(self._ids, self._result, seed=self._seed)
            else:
                self.view.say("No face in the gallery has points yet. Place some by hand, or import labels.")
        self.use.setEnabled(not self.fault.text())

    def _faces(self) -> list[int]:
        """24 faces with points in gallery order, starting at the current one; or the current one 24 times."""
        store, order = self._session.store, self._session.order
        if store is None or not len(order):
            return []
        first = max(self._session.place(self._session.sample_id), 0)
        if self.which.currentData():
            return [int(order[first])] * TILES
        places = np.flatnonzero(store.index().missing[order - 1] < len(store.schema))  # a sample's row is its id - 1
        return [int(i) for i in order[np.roll(places, -int(np.searchsorted(places, first)))[:TILES]]]

    def _show(self, sheet: Sheet) -> None:
        self.is_augmented = True
        self.view.show_sheet(sheet)
        self.about.setText(_outside(sheet, self._result.augment.outside))

    def _fail(self, sentence: str) -> None:
        self.fault.setText(sentence)
        self.view.say("")
        if not self.is_augmented:
            self.about.setText("")


def _outside(sheet: Sheet, rule: str) -> str:
    """What happens to points outside their images, in a sentence."""
    if rule == "mask":
        return "Points outside their image are left out in that step."
    side = sheet.images.shape[2]
    inside = ((sheet.points >= -0.5) & (sheet.points <= side - 0.5)).all(axis=-1)
    count = int((sheet.mask & ~inside).sum())
    if not count:
        return "All points lie inside their images."
    one = count == 1
    return (
        f"{count} {'point lies outside its image' if one else 'points lie outside their images'} and still "
        f"{'counts' if one else 'count'}; the setting outside can leave them out."
    )
