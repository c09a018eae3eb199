"""Memory of the app with 1,000,000 samples open, after browsing; for comparison 7,049 samples and an empty Qt window.

python benchmarks/app_memory.py [--samples 7049 1000000] [--times N] [--keep DIR]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from window import make_project, project_folder, run_child, where

RSS = """
def rss():
    lines = open("/proc/self/status").read().splitlines()
    return {k: int(next(l for l in lines if l.startswith(k)).split()[1]) / 1024 for k in ("VmRSS", "VmHWM")}
"""

EMPTY = (
    RSS
    + """
import json
from PySide6.QtWidgets import QApplication, QWidget
app = QApplication([])
window = QWidget()
window.show()
app.processEvents()
print(json.dumps(rss()))
"""
)

LOOK = (
    RSS
    + """
import json, sys
from pathlib import Path
from PySide6.QtCore import QEventLoop, QTimer
from fkp_studio.window.application import make_application
from fkp_studio.window.main_window import MainWindow
from fkp_studio.document.settings import Settings
app = make_application()
window = MainWindow(Settings(app))
window.resize(1366, 768)
window.show()
window.open_at_start(Path(sys.argv[1]))
def wait(seconds):
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()
wait(3)
count = len(window.session.store)
for part in range(20):  # across the project, so that the gallery draws new faces each time
    window.session.set_sample(1 + part * (count - 1) // 19)
    wait(0.2)
for _ in range(50):
    window.session.next_incomplete()
wait(1)
print(json.dumps(rss()))
window.hide()
window.jobs.close()
window.session.close_project()
"""
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[7049, 1_000_000])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="keep the projects here and reuse them")
    arguments = parser.parse_args()
    print(f"memory of the app, median of {arguments.times}, {where()}")
    with tempfile.TemporaryDirectory() as home, project_folder(arguments.keep) as folder:
        _print("an empty Qt window (reference)", [run_child(EMPTY, home=Path(home)) for _ in range(arguments.times)])
        for count in arguments.samples:
            project = make_project(folder, count)
            found = [run_child(LOOK, str(project), home=Path(home)) for _ in range(arguments.times)]
            _print(f"{count:,} samples", found)


def _print(text: str, found: list[dict]) -> None:
    now, most = (statistics.median(float(f[key]) for f in found) for key in ("VmRSS", "VmHWM"))
    print(f"  {text:32} {now:6.0f} MB   at most {most:6.0f} MB")


if __name__ == "__main__":
    main()
