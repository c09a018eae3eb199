"""Time from key press to the next face painted, with 7,049 and 1,000,000 samples; for comparison a bare repaint.

python benchmarks/next_face.py [--keys N] [--samples 7049 1000000] [--keep DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from window import make_project, project_folder, run_child, where

# One key every 33 ms, as a held key repeats. The image of the next face has been prefetched, as in normal use.
KEYS = """
import json, os, sys, time
from pathlib import Path
from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtTest import QTest
from fkp_studio.window.application import make_application
from fkp_studio.views.canvas.view import CanvasView
from fkp_studio.window.main_window import MainWindow
from fkp_studio.document.settings import Settings
paint, painted = CanvasView.paintEvent, {}
def paintEvent(self, event):
    paint(self, event)
    if self.shown_face is not None:
        painted[self.shown_face.sample_id] = time.perf_counter()
CanvasView.paintEvent = paintEvent
app = make_application()
window = MainWindow(Settings(app))
window.resize(1366, 768)
window.show()
window.open_at_start(Path(sys.argv[1]))
def wait(seconds):
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()
wait(4)
view, session, took, bare = window.canvas.view, window.session, [], []
view.setFocus()
for _ in range(int(sys.argv[2])):
    painted.clear()
    before = session.sample_id
    start = time.perf_counter()
    QTest.keyClick(view, Qt.Key.Key_D)
    assert session.sample_id != before
    while session.sample_id not in painted and time.perf_counter() - start < 5:
        app.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 5)
    took.append(painted[session.sample_id] - start)
    painted.clear()
    start = time.perf_counter()
    view.viewport().update()
    while not painted:
        app.processEvents()
    bare.append(next(iter(painted.values())) - start)
    wait(0.033)
window.hide()
window.jobs.close()
session.close_project()
print(json.dumps({"took": took, "bare": bare}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=300)
    parser.add_argument("--samples", type=int, nargs="+", default=[7049, 1_000_000])
    parser.add_argument("--keep", type=Path, help="keep the projects here and reuse them")
    arguments = parser.parse_args()
    print(f"key press to painted face, {arguments.keys} keys, {where()}")
    with tempfile.TemporaryDirectory() as home, project_folder(arguments.keep) as folder:
        for count in arguments.samples:
            found = run_child(KEYS, str(make_project(folder, count)), str(arguments.keys), home=Path(home) / str(count))
            for name, text in (("took", "next face"), ("bare", "bare repaint (reference)")):
                ms = np.array(found[name]) * 1000
                p50, p99 = np.percentile(ms, [50, 99])
                print(
                    f"  {count:>9,} samples  {text:25} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   max {ms.max():6.2f} ms"
                )


if __name__ == "__main__":
    main()
