"""The poses window: the distribution of head poses, the effect of balancing, and the faces of each bin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import QComboBox, QDialog, QLabel, QSpinBox, QVBoxLayout, QWidget

from fkp_studio.background.tasks import Task, run_task
from fkp_studio.dialogs.poses.facts import PoseFacts, Shown, balance_now, draw_typical, read_poses, read_run_balance
from fkp_studio.dialogs.poses.histogram import PoseHistogram
from fkp_studio.document.changes import Changes
from fkp_studio.document.session import Session
from fkp_studio.look.style import theme
from fkp_studio.look.widgets.dialog_parts import button, row, text_label
from training.words import counted

NOW = "current labels"
WAIT_MS = 150  # after the last change of the number of bins
LATER_MS = 1500  # after the last edit of labels
MOST_BINS = 41


class PosesDialog(QDialog):
    """A window beside the main window. It only reads; what the user wants done is emitted as signals."""

    faces_wanted = Signal(object, str)  # ids, and a description of them
    use_wanted = Signal(int)  # number of bins to balance by when training

    def __init__(self, session: Session, parent: QWidget | None = None, *, bins: int = 9) -> None:
        super().__init__(parent)
        self.setWindowTitle("Poses")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session = session
        self._facts: PoseFacts | None = None
        self.shown: Shown | None = None
        self._tasks: dict[str, Task] = {}
        self.title, self.about = text_label("Head poses", "title"), text_label(role="dim")
        self.which, self.spin = QComboBox(), QSpinBox(minimum=2, maximum=MOST_BINS, value=bins)
        self.histogram = PoseHistogram(project=None if session.store is None else session.store.path)
        self.legend, self.readout = QLabel(), QLabel()
        self.use, self.close_button = button("Balance when training", "primary"), button("Close")
        self._rebalance, self._reread, self._redraw = (QTimer(self, singleShot=True) for _ in range(3))
        self._set_up()
        self._lay_out()
        self.resize(780, 540)
        self._read()

    def _set_up(self) -> None:
        self.which.addItem(NOW, "")
        self.which.setAccessibleName("which balance")
        self.spin.setAccessibleName("number of bins")
        self.spin.setToolTip("The Wing loss paper uses 17 for AFLW and 9 for 300-W")
        self.legend.setProperty("role", "dim")
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.readout.setProperty("role", "dim")
        self.readout.setFont(theme.table_font())
        self.use.setToolTip("Set `balance` to pose, with these bins, for the recipe chosen in the training panel")
        self._rebalance.setInterval(WAIT_MS)
        self._rebalance.timeout.connect(self._show_now)
        self._redraw.setInterval(WAIT_MS)
        self._redraw.timeout.connect(self._draw)
        self._reread.setInterval(LATER_MS)
        self._reread.timeout.connect(self._read)
        self.which.activated.connect(self._on_which)
        self.spin.valueChanged.connect(lambda _value: self._rebalance.start())
        self.histogram.chosen.connect(self._on_bin)
        self.histogram.pointed.connect(self._tell)
        self.use.clicked.connect(lambda: self.use_wanted.emit(self.spin.value()))
        self.close_button.clicked.connect(self.close)
        self._session.project_changed.connect(self.close)
        theme.current().changed.connect(self._name_colours)
        if self._session.store is not None:
            self._session.store.changed.connect(self._on_changed)
        self._name_colours()
        self._tell("")

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(8)
        column.addWidget(self.title)
        column.addWidget(self.about)
        column.addSpacing(4)
        column.addLayout(row(QLabel("Show"), self.which, QLabel("Bins"), self.spin, None, self.legend))
        column.addWidget(self.histogram, 1)
        column.addWidget(self.readout)
        column.addLayout(row(None, self.close_button, self.use))

    # ---- reading

    def _read(self) -> None:
        store = self._session.store
        self.use.setEnabled(False)
        if store is None:
            self.about.setText("Open a project first.")
        elif self._facts is None:
            self.about.setText("Aligning the faces…")
        if store is not None:
            self._task("read", read_poses, store.project.address, done=self._on_read)

    def _on_read(self, facts: PoseFacts) -> None:
        self._facts = facts
        chosen = self.which.currentData()
        self.which.clear()
        self.which.addItem(NOW, "")
        for name in facts.runs:
            self.which.addItem(f"run {name}", name)
        self.which.setCurrentIndex(max(self.which.findData(chosen), 0))
        self.use.setEnabled(facts.poses is not None)
        self._on_which()

    def _on_which(self) -> None:
        run, store = self.which.currentData(), self._session.store
        self.spin.setEnabled(not run)
        if run and store is not None:
            self._task("shown", read_run_balance, store.path, run, done=self._show)
        else:
            self._show_now()

    def _show_now(self) -> None:
        if self._facts is None or self.which.currentData():
            return
        poses = self._facts.poses
        if poses is None:
            self._cancel("shown")
            self.shown = None
            self.histogram.set_balance(None)
            self.about.setText(self._facts.fault)
        else:
            self._task("shown", balance_now, poses, self.spin.value(), done=self._show)

    def _show(self, shown: Shown) -> None:
        self.shown = shown
        balance, lacking = shown.balance, int((shown.balance.bins < 0).sum())
        copies = int((balance.copies > 1).sum())
        words = f"{counted(len(shown.ids), 'face')} in the train split. Poses are computed from labelled points."
        if lacking:
            verb = "lacks" if lacking == 1 else "lack"
            words += f" {counted(lacking, 'face')} {verb} the points for a pose: counted once."
        if copies:
            words += f" Balancing draws {counted(copies, 'face')} more often, up to {int(balance.copies.max())} times."
        self.about.setText(words)
        self.histogram.set_balance(balance)
        self._tell("")
        self._draw()

    def _draw(self) -> None:
        store, shown, side = self._session.store, self.shown, self.histogram.face_pixels
        if store is None or shown is None or not side:
            return

        def drawn(images: list[QImage | None]) -> None:
            if shown is self.shown:
                self.histogram.set_images(images)

        def draw(cancelled: Callable[[], bool]) -> list[QImage | None]:
            return draw_typical(store.project.address, shown, side=side, cancelled=cancelled)

        self._task("draw", draw, done=drawn, cancellable=True)

    def _on_changed(self, changes: Changes) -> None:
        if changes.labels or changes.samples:
            self._reread.start()

    # ---- acts

    def _on_bin(self, place: int) -> None:
        if self.shown is not None:
            ids = self.shown.faces_of(place)
            if len(ids):
                edges = self.shown.balance.edges
                self.faces_wanted.emit(ids, f"pose {edges[place]:+.1f} to {edges[place + 1]:+.1f}")

    def _tell(self, words: str) -> None:
        self.readout.setText(words or "Click a bin to see its faces in the gallery.")

    def _name_colours(self) -> None:
        link = theme.colours().link
        self.legend.setText(
            f'<span style="color:{theme.LABEL}">■</span> faces&nbsp;&nbsp; '
            f'<span style="color:{link}">▯</span> when balanced'
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._redraw.start()

    def done(self, result: int) -> None:
        """Cancel running tasks and close."""
        for task in self._tasks.values():
            task.cancel()
        super().done(result)

    def _task(
        self, name: str, fn: Callable[..., Any], *args: Any, done: Callable[[Any], None], cancellable: bool = False
    ) -> None:
        """Run a task in the background; a running one of the same name is cancelled."""
        self._cancel(name)

        def ended() -> None:
            if self._tasks.get(name) is task:
                del self._tasks[name]

        def failed(error: Exception) -> None:
            self.about.setText(str(error))

        task = run_task(fn, *args, done=done, failed=failed, ended=ended, owner=self, cancellable=cancellable)
        self._tasks[name] = task

    def _cancel(self, name: str) -> None:
        before = self._tasks.pop(name, None)
        if before is not None:
            before.cancel()
