"""Videos: frames, face tracking, points as a CSV, and frames in a project."""

from __future__ import annotations

import csv
import errno
import io
import json
import shutil
import threading
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from training.errors import UserError
from training.faces.labels.schema import KAGGLE_15
from training.storage.project.new_project import new_project
from training.storage.project.project import Project
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig
from training.video.kept_frames import is_saved, save_frame
from training.video.live import Live
from training.video.points_csv import video_table
from training.video.screen_image import screen_image
from training.video.source import Frame, Video
from training.video.tracking import Face, FaceTracker

K = len(KAGGLE_15)
OVAL = np.stack([np.cos(np.arange(K)), np.sin(np.arange(K))], axis=-1)  # points on a circle


class Finder:
    """Stands in for the cascades: a bright disc is a face. looked: the number of calls."""

    def __init__(self) -> None:
        self.looked = 0

    def find(self, image: np.ndarray) -> np.ndarray:
        self.looked += 1
        ys, xs = np.nonzero(image > 128)
        return np.array([[xs.min(), ys.min(), np.ptp(xs), np.ptp(xs)]], float) if len(xs) else np.zeros((0, 4))


class SlowFinder(Finder):
    """Ends when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = threading.Event()

    def find(self, image: np.ndarray) -> np.ndarray:
        assert self.may_end.wait(10)
        return super().find(image)


def on_disc(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stands in for a model: points on the rim of the bright disc; confident if there is one."""
    points, sure = np.zeros((len(images), K, 2)), np.zeros((len(images), K), np.float32)
    for i, image in enumerate(images):
        ys, xs = np.nonzero(image[..., 0] > 128)
        if len(xs):
            points[i] = (xs.mean(), ys.mean()) + OVAL * np.ptp(xs) / 2
            sure[i] = 0.9
    return points, sure


def disc(x: float, y: float) -> np.ndarray:
    image = np.zeros((120, 160, 3), np.uint8)
    if x >= 0:
        cv2.circle(image, (round(x), round(y)), 20, (255, 255, 255), -1)
    return image


def tracker() -> tuple[FaceTracker, Finder]:
    made, finder = FaceTracker(on_disc, side=48, every=10), Finder()
    made._detector = finder  # type: ignore[assignment]
    return made, finder


def write_video(path: Path, frames: int, code: str = "MJPG") -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 25, (160, 120))
    for n in range(frames):
        writer.write(disc(40 + 5 * (n % 12), 60))
    writer.release()
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "v.avi", 12)


class Model:
    """The parts of a predictor that the live worker uses."""

    predict, schema = staticmethod(on_disc), KAGGLE_15

    class info:  # noqa: N801  - as a predictor has it
        config = RunConfig.of(input_size=48)


def live_of(opened: Video, out: io.BytesIO) -> Live:
    shown = Live(opened, Model(), out)  # type: ignore[arg-type]
    shown.tracker._detector = Finder()  # type: ignore[assignment]
    return shown


def told_by(out: io.BytesIO) -> list[dict[str, Any]]:
    """The messages in a live worker's output."""
    out.seek(0)
    told = []
    while line := out.readline():
        told.append(json.loads(line))
        assert len(out.read(told[-1].get("bytes", 0))) == told[-1].get("bytes", 0)
    return told


def test_the_frames_of_a_file_with_their_times(video: Path) -> None:
    with Video(video) as opened:
        assert (opened.size, opened.rate, opened.count, opened.is_camera) == ((160, 120), 25, 12, False)
        first = opened.next()
        assert first is not None
        opened.skip(3)
        rest = list(opened.frames())
    assert [f.number for f in rest] == list(range(4, 12))
    assert rest[0].seconds == pytest.approx(0.16)
    ys, xs = np.nonzero(rest[0].image[..., 0] > 128)
    assert (xs.mean(), ys.mean()) == pytest.approx((60, 60), abs=1)


@pytest.mark.parametrize(("name", "code"), [("v.avi", "MJPG"), ("v.mp4", "mp4v")])
def test_going_to_a_frame_gives_that_frame(tmp_path: Path, name: str, code: str) -> None:
    with Video(write_video(tmp_path / name, 40, code)) as opened:
        one_by_one = list(opened.frames())
        assert len(one_by_one) == 40
        for number in (7, 31, 0, 39, 12):
            opened.seek(number)
            frame = opened.next()
            assert frame is not None
            assert (frame.number, frame.seconds) == (number, one_by_one[number].seconds)
            assert np.array_equal(frame.image, one_by_one[number].image)
        assert next(opened.frames()).number == 13


def test_no_video_no_file_and_no_camera_are_told(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    for source, words in (
        (tmp_path / "text.mp4", "not a video"),
        (tmp_path / "gone.avi", "no such file"),
        (97, "no camera 97"),
    ):
        with pytest.raises(UserError, match=words):
            Video(source)


def test_a_face_is_found_once_and_followed_by_its_points() -> None:
    follower, finder = tracker()
    for n in range(10):
        (face,) = follower.follow(disc(40 + 6 * n, 60 + n))
        assert face.number == 1
        assert face.points.mean(axis=0) == pytest.approx(np.array([40 + 6 * n, 60 + n]) + 20 * OVAL.mean(axis=0), abs=2)
    assert finder.looked == 1
    follower.follow(disc(100, 70))
    assert finder.looked == 2


def test_a_face_that_is_gone_is_let_go_and_looked_for_again() -> None:
    follower, _ = tracker()
    assert len(follower.follow(disc(50, 60))) == 1
    assert follower.follow(disc(-1, 0)) == []
    found = [follower.follow(disc(90, 60)) for _ in range(10)]
    assert found[-1][0].number == 2


def test_frames_go_on_while_faces_are_searched_and_what_was_found_is_met_where_it_is_now() -> None:
    follower, _ = tracker()
    follower._detector = finder = SlowFinder()  # type: ignore[assignment]
    assert [follower.follow(disc(40 + 2 * n, 60), wait=False) for n in range(4)] == [[]] * 4
    finder.may_end.set()
    assert follower._search is not None
    follower._search.found.result(10)
    for n in range(4, 9):
        (face,) = follower.follow(disc(40 + 2 * n, 60), wait=False)
        assert face.number == 1
        assert face.points.mean(axis=0) == pytest.approx((40 + 2 * n, 60) + 20 * OVAL.mean(axis=0), abs=2)
    assert face.box[:2] + face.box[2:] / 2 == pytest.approx((54, 60), abs=3)  # around the points of the previous frame
    assert finder.looked == 1


def test_a_search_that_ended_too_late_is_made_again_in_the_frame_that_is_shown() -> None:
    follower, _ = tracker()
    follower._detector = finder = SlowFinder()  # type: ignore[assignment]
    assert [follower.follow(disc(20, 60), wait=False) for _ in range(8)] == [[]] * 8
    finder.may_end.set()
    assert follower._search is not None
    follower._search.found.result(10)
    assert follower.follow(disc(100, 60), wait=False) == []  # no search where the face was long ago
    (face,) = follower.follow(disc(105, 60), wait=False)
    assert face.box[0] == pytest.approx(85, abs=1)


def test_a_face_lost_while_frames_go_on_is_looked_for_at_once() -> None:
    follower, finder = tracker()
    assert len(follower.follow(disc(30, 60))) == 1
    assert follower.follow(disc(120, 60), wait=False) == []
    assert follower.follow(disc(120, 60), wait=False) == []
    assert follower._search is not None
    follower._search.found.result(10)
    (face,) = follower.follow(disc(120, 60), wait=False)
    assert (face.number, finder.looked) == (2, 2)


def test_the_table_has_a_row_a_face(tmp_path: Path) -> None:
    face = Face(3, np.zeros(4), 10 + OVAL, np.full(K, 0.5))
    with video_table(tmp_path / "p.csv", KAGGLE_15) as write:
        write(Frame(7, 0.28, disc(50, 60)), [face, face])
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 2
    assert (rows[0]["frame"], rows[0]["time"], rows[0]["face"]) == ("7", "0.280", "3")
    assert (rows[0]["left_eye_center_x"], rows[0]["left_eye_center_y"]) == ("11.000", "10.000")
    assert rows[0]["nose_tip_confidence"] == "0.500"


def test_a_frame_in_a_project_has_images_groups_and_predictions(tmp_path: Path) -> None:
    path = tmp_path / "p.fkp"
    with new_project(path, KAGGLE_15):
        pass
    points = (50, 60) + 20 * OVAL
    face = Face(1, np.array([30.0, 40, 41, 41]), points, np.full(K, 0.5, np.float32))
    frame = Frame(5, 0.2, disc(50, 60))
    with Project.open(path) as project:
        ids = save_frame(project, frame, [face], video="my video.avi", run=Run(project.runs_dir / "starter-15"))
        assert project.names(ids) == ["my_video-000005-1"]
        assert project.groups(ids) == ["video my video.avi"]
        corner = project.faces(ids).corners[0]
        assert project.predictions("starter-15", ids).points[0] + corner == pytest.approx(points, abs=1e-3)
        assert np.array_equal(project.image(1, channels=3)[..., 0].max(), 255)
        with pytest.raises(UserError, match="already"):
            save_frame(project, frame, [face], video="my video.avi")
        assert len(project) == 1


def test_frames_that_a_killed_process_left_can_be_saved(tmp_path: Path) -> None:
    with new_project(tmp_path / "p.fkp", KAGGLE_15):
        pass
    face = Face(1, np.array([30.0, 40, 41, 41]), (50, 60) + 20 * OVAL, np.full(K, 0.5, np.float32))
    frame = Frame(5, 0.2, disc(50, 60))
    place = tmp_path / "p.fkp" / "frames" / "v-000005.png"

    class KilledError(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    with Project.open(tmp_path / "p.fkp") as project:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
            patch.setattr(Project, "add_samples", killed)
            patch.setattr(Path, "unlink", killed)
            save_frame(project, frame, [face], video="v.avi")
        assert place.exists() and not is_saved(project, frame, video="v.avi")
        save_frame(project, frame, [face], video="v.avi")
        assert is_saved(project, frame, video="v.avi") and len(project) == 1
        place.with_name("v-000006.png").write_bytes(b"somebody's")
        with pytest.raises(UserError, match=r"v-000006\.png: another image has this name"):
            save_frame(project, Frame(6, 0.3, disc(50, 60)), [face], video="v.avi")
        assert place.with_name("v-000006.png").read_bytes() == b"somebody's"


def test_frames_go_through_no_link_and_no_name_of_a_video(tmp_path: Path) -> None:
    with new_project(tmp_path / "p.fkp", KAGGLE_15):
        pass
    face = Face(1, np.array([30.0, 40, 41, 41]), (50, 60) + 20 * OVAL, np.full(K, 0.5, np.float32))
    with Project.open(tmp_path / "p.fkp") as project:
        for number, video in enumerate(("../../x.avi", "..", "/etc/y", "C:\\z", "é" * 5000, "")):
            save_frame(project, Frame(number, 0.2, disc(50, 60)), [face], video=video)
        assert len(list((tmp_path / "p.fkp" / "frames").iterdir())) == 6
        shutil.rmtree(tmp_path / "p.fkp" / "frames")
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "p.fkp" / "frames").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(UserError, match="a link leads from here out of the folder"):
            save_frame(project, Frame(9, 0.2, disc(50, 60)), [face], video="v.avi")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_recording_replaces_earlier_recordings_only(video: Path, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("old")
    Project.create(tmp_path / "p.fkp", KAGGLE_15).close()
    out = io.BytesIO()
    with Video(video) as opened:
        shown = live_of(opened, out)
        for path in (video, tmp_path / "p.fkp" / "project.db", tmp_path / "p.fkp" / "new.csv"):
            shown.take({"cmd": "record", "path": str(path), "project": str(tmp_path / "p.fkp")})
        shown.take({"cmd": "record", "path": str(tmp_path / "r.csv"), "project": ""})
        shown.take({"cmd": "stop"})
    told = told_by(out)
    assert [message["event"] for message in told] == ["problem"] * 3 + ["recording", "lost"]
    assert "input of the same command" in told[0]["text"] and "inside the project" in told[1]["text"]
    assert "No face was in the recorded frames" in told[4]["text"] and "is lost" not in told[4]["text"]
    assert (tmp_path / "r.csv").read_text() == "old"


def test_the_live_worker_sends_frames_records_and_ends(video: Path, tmp_path: Path) -> None:
    out = io.BytesIO()
    with Video(video) as opened:
        shown = live_of(opened, out)
        shown.take({"cmd": "save", "project": str(tmp_path), "run": "x"})
        shown.take({"cmd": "record", "path": str(tmp_path / "r.csv")})
        shown.take({"cmd": "pause"})
        shown.show()
        shown.take({"cmd": "resume"})
        for _ in range(13):
            shown.show()
        shown.take({"cmd": "again"})
        shown.tracker._detector = Finder()  # type: ignore[assignment]
        shown.show()
    told = told_by(out)
    events = [message["event"] for message in told]
    assert events == ["problem", "recording", *["frame"] * 12, "recorded", "ended", "frame"]
    assert told[-3]["rows"] == 12
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 13
    assert [message["number"] for message in told[2:14]] == list(range(12))
    assert np.array(told[2]["faces"][0]["points"]).shape == (K, 2)
    assert told[-2]["lacking"] == 0
    assert told[-1]["number"] == 0
    assert told[-1]["faces"][0]["points"] == told[2]["faces"][0]["points"]


def test_going_elsewhere_in_a_file(video: Path, tmp_path: Path) -> None:
    out = io.BytesIO()
    with Video(video) as opened:
        shown = live_of(opened, out)
        shown.show()
        shown.take({"cmd": "pause"})
        shown.take({"cmd": "seek", "number": 6})  # shown although it is paused
        shown.show()
        shown.take({"cmd": "record", "path": str(tmp_path / "r.csv")})
        shown.take({"cmd": "seek", "number": 2})  # a recording takes every frame
        shown.take({"cmd": "stop"})
        shown.take({"cmd": "resume"})
        shown.show()
        for _ in range(20):
            shown.show()
        shown.take({"cmd": "seek", "number": 11})  # after the end
        shown.show()
    told = [(m["event"], m.get("number")) for m in told_by(out)]
    assert told[:6] == [
        ("frame", 0),
        ("frame", 6),
        ("sought", None),
        ("recording", None),
        ("sought", None),
        ("lost", None),
    ]
    played = [number for event, number in told[6:] if event == "frame"]
    assert played[0] > 6
    assert played[-1] == 11
    assert [event for event, _ in told[-4:]] == ["ended", "frame", "sought", "ended"]


def test_frames_come_in_the_size_of_the_window(video: Path) -> None:
    out = io.BytesIO()
    with Video(video) as opened:
        shown = live_of(opened, out)
        shown.take({"cmd": "size", "width": 320, "height": 1000})
        shown.show()
        shown.take({"cmd": "pause"})
        shown.take({"cmd": "size", "width": 80, "height": 90})
    large, small = told_by(out)
    assert (large["width"], large["height"], large["scale"]) == (320, 240, 2)
    assert (small["width"], small["height"], small["scale"]) == (80, 60, 0.5)
    assert small["faces"] == large["faces"]


def test_a_image_for_the_screen_keeps_its_colours_and_places() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[:50, :100] = (10, 20, 30)
    for scale in (0.22, 0.5, 1, 1.7):
        shown = screen_image(image, scale)
        height, width = round(100 * scale), round(200 * scale)
        assert shown.shape == (height, width, 4)
        assert shown[height // 4, width // 4].tolist() == [30, 20, 10, 255]
        assert np.abs((shown[..., 0] > 15).mean() - 0.25) < 0.03


def test_a_recording_that_cannot_be_written_is_told_and_the_video_goes_on(tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    out = io.BytesIO()
    long = write_video(tmp_path / "v.avi", 60)  # a slow machine drops frames
    with Video(long) as opened:
        shown = live_of(opened, out)
        shown.take({"cmd": "record", "path": str(tmp_path / "a.csv")})
        shown._write = full
        shown.show()
        folder = tmp_path / "gone"
        folder.mkdir()
        shown.take({"cmd": "record", "path": str(folder / "b.csv")})
        shown.show()
        shutil.rmtree(folder)
        shown.take({"cmd": "stop"})
        shown.show()
    told = told_by(out)
    assert [m["event"] for m in told] == ["recording", "lost", "frame", "recording", "frame", "lost", "frame"]
    assert "the disk is full" in told[1]["text"]
    assert "the folder does not exist" in told[5]["text"]
    assert not list(tmp_path.glob("*.csv"))
    assert not list(tmp_path.glob(".*.part"))


def test_a_video_that_is_cut_off_says_how_much_is_missing(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.avi", 60)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])
    with Video(path) as opened:
        frames = len(list(opened.frames()))
        assert 0 < frames < 30
        assert opened.lacking == 60 - frames


def test_a_camera_tells_the_time_by_the_clock_and_is_another_video_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Camera:
        def __init__(self, _: int) -> None: ...

        def get(self, _: int) -> float:
            return 30.0

        def isOpened(self) -> bool:  # noqa: N802  - OpenCV's name
            return True

        def read(self) -> tuple[bool, np.ndarray]:
            return True, disc(50, 60)

        def release(self) -> None: ...

    now = iter((100.0, 100.0, 100.2, 100.5))
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    monkeypatch.setattr("training.video.source.time", SimpleNamespace(monotonic=lambda: next(now)))
    with Video(0) as camera:
        seconds = [frame.seconds for frame in islice(camera.frames(), 3)]
        assert seconds == pytest.approx([0, 0.2, 0.5])
        assert camera.name.startswith("camera 0 20")
        assert camera.lacking == 0
