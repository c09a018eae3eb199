"""The faces of a video as rows, and its frames saved to a project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.unit.video.test_video import write_video
from training.commands.shared import video_rows
from training.errors import UserError
from training.faces.labels.schema import KAGGLE_15
from training.storage.project.project import Project
from training.storage.runs.run import Run
from training.video.source import Frame
from training.video.tracking import Face

PREDICTOR: Any = SimpleNamespace(schema=KAGGLE_15, info=SimpleNamespace(schema=KAGGLE_15))


def one_face(video: Any, _: object) -> Iterator[tuple[Frame, list[Face]]]:
    for frame in video.frames():
        yield frame, [Face(1, np.array([30.0, 40, 41, 41]), np.full((15, 2), 50.0), np.full(15, 0.5, np.float32))]


def no_face(video: Any, _: object) -> Iterator[tuple[Frame, list[Face]]]:
    for frame in video.frames():
        yield frame, []


def test_the_same_command_saves_what_a_killed_one_did_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    video, path, out = write_video(tmp_path / "v.avi", 12), tmp_path / "p.fkp", tmp_path / "out.csv"
    Project.create(path, KAGGLE_15).close()

    def predict() -> None:
        run = Run(path / "runs" / "starter-15")
        video_rows.predict_video(video, PREDICTOR, out, lambda *_: None, project=path, every=4, run=run)

    class KilledError(BaseException):
        pass

    def killed(source: Any, _: object) -> Iterator[tuple[Frame, list[Face]]]:
        for frame, faces in one_face(source, _):
            if frame.number == 7:
                raise KilledError
            yield frame, faces

    monkeypatch.setattr(video_rows, "followed", killed)
    with pytest.raises(KilledError):
        predict()
    assert not out.exists()
    monkeypatch.setattr(video_rows, "followed", one_face)
    predict()
    said = capsys.readouterr()
    assert f"1 faces saved to {path}" in said.out and f"2 frames were in {path} already" in said.err
    with Project.open(path) as project:
        assert [name.split("-")[1] for name in project.names()] == ["000000", "000004", "000008"]
    assert len(out.read_text().splitlines()) == 13


def test_a_video_without_faces_leaves_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video, out = write_video(tmp_path / "v.avi", 12), tmp_path / "out.csv"
    out.write_text("old")
    monkeypatch.setattr(video_rows, "followed", no_face)
    with pytest.raises(UserError, match="No face was detected in the 12 frames"):
        video_rows.predict_video(
            video, PREDICTOR, out, lambda *_: None, project=None, every=4, run=Run(tmp_path / "m.safetensors")
        )
    assert out.read_text() == "old"
