"""The scenes of interface_thread.py, played in a window in a separate process."""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gallery_scale import RUN
from PySide6.QtCore import QEvent, QEventLoop, QObject, QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog

from fkp_studio.document.changes import Changes
from fkp_studio.document.settings import Settings
from fkp_studio.views.gallery.filters import Query, Sort
from fkp_studio.window.application import make_application
from fkp_studio.window.main_window import MainWindow
from training.storage.project.edits.shift import shift_labels

LIMIT = 10.0  # ms
PATIENCE = 900.0  # s
MOVES = 100


class Recorder(QApplication):
    """Records the processor time of each event of the interface thread."""

    def __init__(self) -> None:
        super().__init__(sys.argv[:1])
        self.events: list[tuple[float, str]] = []  # ms, of what to whom
        self._thread, self._deep = threading.get_ident(), False

    def notify(self, receiver: QObject, event: QEvent) -> bool:
        if self._deep or threading.get_ident() != self._thread:
            return super().notify(receiver, event)
        name = f"{event.type().name} of {type(receiver).__name__}"
        self._deep, began = True, time.thread_time()
        try:
            return super().notify(receiver, event)
        finally:
            self._deep = False
            self.events.append((1000 * (time.thread_time() - began), name))


class Play:
    """A window and the scenes played in it."""

    def __init__(self, project: Path) -> None:
        self.app = Recorder()
        make_application()
        self.window = MainWindow(Settings(self.app))
        self.window.resize(1366, 768)
        self.window.show()
        self.session, self.project = self.window.session, project
        self.dialog: QDialog | None = None
        self.rows: dict[str, tuple[object, ...]] = {}
        self.wait(1)

    def scene(self, name: str, *acts: tuple[Callable[[], object], Callable[[], bool]]) -> None:
        """Play acts, each as a separate event, then wait until its condition holds."""
        _forget_peak()
        memory, main, every, begun = _memory("VmRSS"), time.thread_time(), time.process_time(), time.perf_counter()
        made = 0.0
        self.app.events.clear()
        for act, ended in acts:
            first, dialog = len(self.app.events), self.dialog
            QTimer.singleShot(0, act)
            self.wait(0.05)
            self.until(ended)
            if self.dialog is not dialog and self.dialog is not None:  # a window was made
                longest = max(range(first, len(self.app.events)), key=lambda n: self.app.events[n][0])
                made = max(made, self.app.events.pop(longest)[0])
        self.wait(0.3)
        took = sorted(self.app.events, reverse=True)
        main = time.thread_time() - main
        others = time.process_time() - every - main
        self.rows[name] = (
            f"{made:.1f}" if made else "",
            f"{took[0][0]:.1f}",
            sum(ms > LIMIT for ms, _ in took),
            len(took),
            f"{others:.1f}",
            f"{max(0.0, _memory('VmHWM') - memory):.0f}",
            f"{time.perf_counter() - begun:.1f}",
            ", ".join(f"{what} {ms:.0f}" for ms, what in took[:3]),
        )
        print(name, *self.rows[name], file=sys.stderr, flush=True)

    def wait(self, seconds: float) -> None:
        loop = QEventLoop()
        QTimer.singleShot(round(seconds * 1000), loop.quit)
        loop.exec()

    def until(self, ended: Callable[[], bool]) -> None:
        last = time.monotonic() + PATIENCE
        while not ended():
            if time.monotonic() > last:
                raise TimeoutError("a scene does not end")
            self.wait(0.05)

    def open_dialog(self, make: Callable[[], QDialog]) -> Callable[[], None]:
        def act() -> None:
            self.dialog = make()
            self.dialog.show()

        return act

    def close_dialog(self) -> None:
        if self.dialog is not None:
            self.dialog.reject()
        self.dialog = None

    @property
    def store(self) -> Any:
        return self.session.store

    def idle(self) -> bool:
        return not self.store.busy and not self.store._background.pending

    # ---- scenes

    def open(self) -> None:
        arranger, panels = self.window.gallery.arranger, _Once(self.window.complete)
        self.scene(
            "open the project",
            (lambda: self.window.open_at_start(self.project), lambda: arranger.lacking is not None and panels.came()),
        )
        self.wait(2)
        self.scene("the whole window painted (reference)", *[(self.window.repaint, lambda: True)] * 5)

    def run(self) -> None:
        jobs = self.window.jobs
        self.scene(
            "choose a run", (lambda: self.session.set_run(RUN), lambda: RUN in jobs.book.names() and self.idle())
        )

    def drag(self) -> None:
        view = self.window.canvas.view
        self.session.set_sample(self._fillable())
        self.until(lambda: view.shown_face is not None)
        start = QPoint(*(round(v) for v in view.to_screen()(view.shown_face.points[:1])[0].tolist()))
        pan = [QPoint(round(12 * np.cos(a)), round(12 * np.sin(a))) for a in np.linspace(0, 6.28, MOVES)]
        there = view.viewport()
        left = Qt.MouseButton.LeftButton
        acts: list[tuple[Callable[[], object], Callable[[], bool]]] = [
            (lambda: QTest.mousePress(there, left, pos=start), lambda: True)
        ]
        acts += [((lambda p=p: QTest.mouseMove(there, start + p)), lambda: True) for p in pan]
        acts.append((lambda: QTest.mouseRelease(there, left, pos=start + pan[-1]), self.idle))
        self.scene("drag a point, others follow", *acts)
        self.scene("undo of the drag", (self.store.undo_stack.undo, self.idle))

    def sort(self) -> None:
        order = _Once(self.session.order_changed)
        show = self.window.gallery.show_query
        self.scene("sort by least confident", (lambda: show(Query(sort=Sort.CONFIDENCE)), order.came))
        order = _Once(self.session.order_changed)
        self.scene("as imported again", (lambda: show(Query()), order.came))

    def accept(self) -> None:
        from fkp_studio.dialogs.review.accept_dialog import AcceptDialog

        dialog: list[AcceptDialog] = []

        def make() -> AcceptDialog:
            dialog[:] = [AcceptDialog(self.session, self.window.jobs, RUN, self.window)]
            return dialog[0]

        self.open_dialog(make)()  # its modules are loaded before
        self.close_dialog()
        self.scene("count what accepting would fill", (self.open_dialog(make), lambda: dialog[0].go.isEnabled()))
        at_most = dialog[0].at_most
        self.scene(
            "move the error budget",
            (lambda: dialog[0].by_budget.setChecked(True), lambda: not dialog[0]._tasks),
            *(((lambda v=v: at_most.setValue(v)), lambda: not dialog[0]._tasks) for v in (5.0, 20.0, 90.0)),
        )
        dialog[0].by_confidence.setChecked(True)
        dialog[0].spin.setValue(0)
        self.until(lambda: dialog[0].go.isEnabled())
        self.dialog = None
        self.scene("accept in all faces", (lambda: dialog[0].go.click(), self.idle))
        self.scene("undo of accepting", (self.store.undo_stack.undo, self.idle))

    def confidence(self) -> None:
        from fkp_studio.dialogs.review.confidence_dialog import ConfidenceDialog

        dialog: list[ConfidenceDialog] = []

        def make() -> ConfidenceDialog:
            dialog[:] = [ConfidenceDialog(self.session, self.window.jobs, self.window)]
            return dialog[0]

        self.scene("the confidence window", (self.open_dialog(make), lambda: dialog[0].reliability.facts is not None))
        moves = (((lambda v=v: dialog[0].beyond.setValue(v)), lambda: True) for v in np.linspace(4, 20, 20).tolist())
        self.scene("move its limit", *moves)
        self.close_dialog()

    def offsets(self) -> None:
        from fkp_studio.dialogs.review.offsets_dialog import OffsetsDialog

        dialog: list[OffsetsDialog] = []

        def make() -> OffsetsDialog:
            dialog[:] = [OffsetsDialog(self.session, self.window)]
            return dialog[0]

        self.scene(
            "check for a label offset",
            (self.open_dialog(make), lambda: not dialog[0].summary.text().startswith("Comparing")),
        )
        self.close_dialog()

    def correct(self) -> None:
        work: Callable[[Any], Any] = lambda project: shift_labels(project, 0.5)  # noqa: E731
        self.scene("correct all labels", (lambda: self.store.edit(work), self.idle))
        self.scene("undo of correcting", (self.store.undo_stack.undo, self.idle))

    def report(self) -> None:
        """The window's work after accepting, correcting or undoing in all faces, without the writing."""
        changes = Changes(self.store.ids().copy(), labels=True)
        self.scene("a change of all faces is reported", (lambda: self.store.changed.emit(changes), lambda: True))
        arranger = self.window.gallery.arranger
        self.until(lambda: "lacking" not in arranger._tasks)

    def adjust(self) -> None:
        from fkp_studio.dialogs.review.adjust_dialog import AdjustDialog

        dialog: list[AdjustDialog] = []

        def make() -> AdjustDialog:
            dialog[:] = [AdjustDialog(self.session, self.window.jobs, self.window)]
            return dialog[0]

        self.scene(
            "calibrate to my labels",
            (self.open_dialog(make), lambda: not dialog[0].summary.text().startswith("Calibrating")),
        )
        self.close_dialog()

    def runs(self) -> None:
        jobs, names = self.window.jobs, ("face-15", RUN, "", RUN)
        self.scene("list of runs read again", (jobs.book.refresh, lambda: not jobs.book._reading))
        self.scene("choose runs in turn", *(((lambda n=n: self.session.set_run(n)), self.idle) for n in names))

    def box(self) -> None:
        canvas = self.window.canvas
        page = canvas.box_page
        self.scene("the page of the face's box", (canvas.draw_box, lambda: page.photo.photo is not None))
        there, left = page.photo, Qt.MouseButton.LeftButton
        a, b = (
            QPoint(there.width() // 2 - 100, there.height() // 2 - 100),
            QPoint(there.width() // 2 + 90, there.height() // 2 + 80),
        )
        self.scene(
            "draw the box",
            (lambda: QTest.mousePress(there, left, pos=a), lambda: True),
            *(((lambda p=p: QTest.mouseMove(there, p)), lambda: True) for p in (a + (b - a) / 2, b)),
            (lambda: QTest.mouseRelease(there, left, pos=b), self.idle),
        )
        self.scene("undo of the box", (self.store.undo_stack.undo, self.idle))

    def predict(self) -> None:
        """The starter has no predictions in this project: all faces are predicted while the window is in use."""
        self.scene(
            "a starter predicts all, 20 s", (lambda: self.session.set_run("face-15"), lambda: True), *_seconds(20)
        )
        self.window.jobs.predictions.cancel()
        self.session.set_run(RUN)

    def _fillable(self) -> int:
        """A face with some labels and some missing."""
        ids = np.arange(1, 200)
        known = self.store.labels(ids).vouched.sum(axis=1)
        return int(ids[(known > 2) & (known < len(self.store.schema))][0])


class _Once:
    """Whether a signal has arrived since this was made."""

    def __init__(self, signal: Any) -> None:
        self._count = 0
        signal.connect(self._note)

    def _note(self, *_: object) -> None:
        self._count += 1

    def came(self) -> bool:
        return self._count > 0


def _seconds(count: int) -> list[tuple[Callable[[], object], Callable[[], bool]]]:
    """Acts that do nothing, for a second each."""

    def a_second() -> Callable[[], bool]:
        ends: list[float] = []

        def over() -> bool:
            ends[:] = ends or [time.monotonic() + 1]
            return time.monotonic() > ends[0]

        return over

    return [(lambda: None, a_second()) for _ in range(count)]


def _memory(what: str) -> float:
    """The current VmRSS or the peak VmHWM, MB."""
    if not Path("/proc/self/status").exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024


def _forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # then the peak is that of all scenes so far
        return


SCENES = (
    "open",
    "run",
    "drag",
    "sort",
    "accept",
    "confidence",
    "offsets",
    "correct",
    "report",
    "adjust",
    "runs",
    "box",
    "predict",
)


def main(arguments: list[str]) -> None:
    """arguments: the project, and a JSON list of scenes (empty: all)."""
    play, wanted = Play(Path(arguments[0])), json.loads(arguments[1]) or SCENES
    for name in ("open", "run", *(n for n in SCENES if n in wanted and n not in ("open", "run"))):
        getattr(play, name)()
    play.window.hide()
    play.window.jobs.close()
    play.session.close_project()
    print(json.dumps(play.rows))
