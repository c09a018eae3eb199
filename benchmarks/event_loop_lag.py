"""Lag of the main window's event loop, in 10 ms ticks, while a real training runs on all cores.

python benchmarks/event_loop_lag.py [--recipes ml-resnet cnn-6] [--seconds 30] [--faces 0] [--samples 2000] [--keep DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from window import project_folder, run_child, where

# Each tick is due 10 ms after the previous one was due; lag is how late it arrives. Meanwhile curves and numbers are
# redrawn as the run's events arrive. --faces: faces shown per second (for their own time see next_face.py).
TICKS = """
import json, sys, time
from dataclasses import replace
from pathlib import Path
from PySide6.QtCore import QEventLoop, Qt, QTimer
from fkp_studio.window.application import make_application
from fkp_studio.window.main_window import MainWindow
from fkp_studio.document.settings import Settings
from training.storage.runs.settings.recipes import recipe_config
project, recipe, seconds, faces = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
app = make_application()
window = MainWindow(Settings(app))
window.resize(1366, 768)
window.show()
window.open_at_start(project)
def wait(seconds):
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()
wait(6)
speeds = []
if recipe != "nothing":
    jobs = window.jobs
    jobs.book.happened.connect(lambda name, event: speeds.append(getattr(event, "images_per_second", 0.0)))
    jobs.train([replace(recipe_config(recipe), minutes=seconds / 60 + 5)])
    while not speeds:
        wait(0.2)
    wait(2)
lags, due = [], time.perf_counter()
def tick():
    global due
    now = time.perf_counter()
    lags.append(max(0.0, now - due))
    due = max(due + 0.01, now)
    due = due if due > now else now + 0.01
timer = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=10)
timer.timeout.connect(tick)
keys = QTimer(interval=round(1000 / max(faces, 0.001)))
keys.timeout.connect(lambda: window.session.next_sample())
due = time.perf_counter() + 0.01
timer.start()
keys.start()
wait(seconds)
timer.stop()
keys.stop()
window.jobs.stop_all()
while window.jobs.queue.training():
    wait(0.2)
window.hide()
window.jobs.close()
window.session.close_project()
print(json.dumps({"lags": lags, "speed": sorted(speeds)[len(speeds) // 2] if speeds else 0.0}))
"""


def main() -> None:
    """Print a line for the idle window and for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", nargs="+", default=["ml-resnet", "cnn-6"])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--faces", type=float, default=0, help="faces shown per second, as while browsing")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--keep", type=Path, help="keep the project here and reuse it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as homes, project_folder(arguments.keep) as folder:
        project = _demo(folder, arguments.samples)
        print(f"event-loop lag, ms, over {arguments.seconds:g} s of 10 ms ticks ({where()})")
        print(f"{'training':<12}{'p50':>8}{'p99':>8}{'max':>8}{'ticks':>8}{'img/s':>8}")
        for recipe in ("nothing", *arguments.recipes):  # an idle window is the reference
            found = run_child(
                TICKS, str(project), recipe, str(arguments.seconds), str(arguments.faces), home=Path(homes) / recipe
            )
            lags = np.array(found["lags"]) * 1000
            p50, p99 = np.percentile(lags, [50, 99])
            print(
                f"{recipe:<12}{p50:>8.2f}{p99:>8.2f}{lags.max():>8.2f}{len(lags):>8}{found['speed']:>8.0f}", flush=True
            )


def _demo(folder: Path, samples: int) -> Path:
    """A demo project of synthetic faces."""
    path = folder / f"demo-{samples}.fkp"
    if not path.exists():
        from training.synthetic.demo import make_demo_project

        make_demo_project(path, samples=samples)
    return path


if __name__ == "__main__":
    main()
