"""Time from process start to the first face painted, with 7,049 samples; for comparison an empty Qt window.

python benchmarks/start_to_first_face.py [--times N] [--keep DIR]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from window import make_project, project_folder, run_child, where

# The reference: the least that any program with this Qt needs
EMPTY = """
import json, os, time
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget
class Window(QWidget):
    def paintEvent(self, event):
        QTimer.singleShot(0, app.quit)
app = QApplication([])
window = Window()
window.show()
app.exec()
print(json.dumps({"seconds": time.time() - float(os.environ["BENCH_START"])}))
"""

FACE = """
import json, os, sys, time
from fkp_studio import app
from fkp_studio.views.canvas.view import CanvasView
paint = CanvasView.paintEvent
shown = {}
def paintEvent(self, event):
    paint(self, event)
    shown.setdefault("window", time.time())
    if self.shown_face is not None and "face" not in shown:
        shown["face"] = time.time()
        self.window().close()
CanvasView.paintEvent = paintEvent
app.main([sys.argv[1]])
print(json.dumps({"seconds": shown["face"] - float(os.environ["BENCH_START"])}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--keep", type=Path, help="keep the projects here and reuse them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, project_folder(arguments.keep) as folder:
        project = make_project(folder, 7049)
        run_child(FACE, str(project), home=Path(home))  # fills the disk cache and writes the files of a first start
        faces, empties = [], []
        for _ in range(arguments.times):
            empties.append(float(run_child(EMPTY, home=Path(home))["seconds"]))
            faces.append(float(run_child(FACE, str(project), home=Path(home))["seconds"]))
    print(f"start to first face, {arguments.times} starts, {where()}")
    print(
        f"  first face         median {statistics.median(faces):.2f} s   best {min(faces):.2f}   worst {max(faces):.2f}"
    )
    print(f"  an empty Qt window median {statistics.median(empties):.2f} s   (reference)")


if __name__ == "__main__":
    main()
