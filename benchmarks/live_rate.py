"""Frames/s of a video with faces in the live window, and how long its interface thread is busy at a time.

    python benchmarks/live_rate.py --pictures FOLDER [--seconds 15] [--rates 25 30] [--starters starter-15 starter-68] [--size 1280x720]

A video of two real faces (the first two images of FOLDER in which a face is found) drifting over a gray background is
written as MJPEG and played in a window of 1366x768, on the display or offscreen. Reference: the video's own rate. The
interface thread is busy from waking until it waits again, which covers one or a few events: measured in wall time,
which depends on the machine's load, and in its own processor time.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from window import ROOT, run_child, where

sys.path.insert(0, str(ROOT))
FACES = 2
_SIDE = 0.3  # of the frame's height, taken by a face's image: typical of people in front of a camera
_WARM_UP = 3.0  # seconds for loading the model and the first detection, not counted

# Without glib, Qt signals before and after it waits, which delimits the interface thread's work.
PLAY = """
import json, sys, time
from pathlib import Path
from PySide6.QtCore import QAbstractEventDispatcher, QEventLoop, QTimer
from fkp_studio.window.application import make_application
from fkp_studio.views.live.window import LiveWindow
from fkp_studio.document.session import Session
video, starter, seconds, warm = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
app = make_application()
window = LiveWindow(Session())
window.resize(1366, 768)
window.show()
at = [i for i in range(window.model.count()) if window.model.itemText(i).startswith(starter)]
window.model.setCurrentIndex(at[0])
def wait(seconds):
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()
busy, numbers, faces, start = [], [], [], []
def woke():
    start[:] = [time.perf_counter(), time.thread_time()]
def waits():
    if start:
        busy.append((time.perf_counter() - start[0], time.thread_time() - start[1]))
    start.clear()
def shown():
    if window.view.frame is not None:
        numbers.append(window.view.frame.number)
        faces.append(len(window.view.frame.points))
window.open_file(video)
window._feed.arrived.connect(shown)
while not numbers and window._feed is not None:
    wait(0.1)
wait(warm)
dispatcher = QAbstractEventDispatcher.instance()
dispatcher.awake.connect(woke)
dispatcher.aboutToBlock.connect(waits)
numbers.clear()
faces.clear()
began = time.perf_counter()
wait(seconds)
passed = time.perf_counter() - began
dispatcher.awake.disconnect(woke)
dispatcher.aboutToBlock.disconnect(waits)
problem = '' if window._feed is not None else window.view.sentence
window.close()
app.processEvents()
print(json.dumps({"problem": problem, "seconds": passed, "numbers": numbers, "faces": faces, "busy": busy}))
"""


def make_video(path: Path, images: Path, *, rate: float, frames: int, size: tuple[int, int]) -> None:
    """Write a video of FACES real faces that drift and sway."""
    faces = _faces(images, side=round(_SIDE * size[1]))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, size)
    for number in range(frames):
        frame = np.full((size[1], size[0], 3), (92, 101, 110), np.uint8)
        for i, face in enumerate(faces):
            turn = 2 * np.pi * number / rate / (5 + i)
            x = round(size[0] * (i + 0.5) / FACES + 0.08 * size[0] * np.sin(turn)) - face.shape[1] // 2
            y = round(size[1] * (0.5 + 0.08 * np.cos(turn))) - face.shape[0] // 2
            frame[y : y + face.shape[0], x : x + face.shape[1]] = face
        writer.write(frame)
    writer.release()


def _faces(folder: Path, *, side: int) -> list[np.ndarray]:
    from training.faces.images.face_detector import FaceDetector

    detector, found = FaceDetector(), []
    for path in sorted(p for p in folder.iterdir() if p.suffix in (".jpg", ".png")):
        image = cv2.imread(str(path))
        if image is None:
            continue
        image = cv2.resize(image, (side, round(side * image.shape[0] / image.shape[1])))
        if len(detector.find(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))):
            found.append(image)
        if len(found) == FACES:
            return found
    raise SystemExit(f"{folder}: no {FACES} images in which a face is detected.")


def main() -> None:
    """Print a line per starter and rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of images with one face each")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rates", type=float, nargs="+", default=[25, 30])
    parser.add_argument("--starters", nargs="+", default=["starter-15", "starter-68"])
    parser.add_argument("--size", default="1280x720", help="of the video, px")
    arguments = parser.parse_args()
    width, height = (int(n) for n in arguments.size.split("x"))
    os.environ["QT_NO_GLIB"] = "1"
    print(
        f"a video of {width}x{height} with {FACES} faces in a window of 1366x768, {arguments.seconds:g} s ({where()})"
    )
    print(f"{'':30}{'':>18}{'busy at a time, ms':>22}{'of its CPU':>16}")
    print(
        f"{'starter':<12}{'video':>8}{'shown/s':>9}{'share':>8}{'faces':>7}{'p99':>11}{'longest':>9}{'p99':>9}{'longest':>9}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for rate in arguments.rates:
            path = Path(folder) / f"{rate:g}.avi"
            frames = round(rate * (arguments.seconds + _WARM_UP + 3))
            make_video(path, arguments.images, rate=rate, frames=frames, size=(width, height))
            for starter in arguments.starters:
                _line(starter, rate, path, arguments.seconds, Path(folder) / f"{starter}-{rate:g}")


def _line(starter: str, rate: float, video: Path, seconds: float, home: Path) -> None:
    found = run_child(PLAY, str(video), starter, str(seconds), str(_WARM_UP), home=home)
    if found["problem"]:
        raise SystemExit(str(found["problem"]))
    shown = len(np.unique(found["numbers"])) / float(np.asarray(found["seconds"]))
    busy = 1000 * np.asarray(found["busy"])  # [N, 2]: wall, CPU
    figures = [f(busy[:, i]) for i in (0, 1) for f in (lambda b: np.percentile(b, 99), np.max)]
    print(
        f"{starter:<12}{rate:>6g}/s{shown:>9.1f}{shown / rate:>8.0%}{np.mean(found['faces']):>7.2f}"
        f"{figures[0]:>11.2f}{figures[1]:>9.2f}{figures[2]:>9.2f}{figures[3]:>9.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
