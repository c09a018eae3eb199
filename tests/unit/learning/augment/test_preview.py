"""The sheet of augmented faces that the worker draws for the window."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.learning.inference.serve import Worker
from training.storage.project.project import Project
from training.storage.runs.settings.config import with_overrides
from training.storage.runs.settings.recipes import recipe_config

STILL = dict.fromkeys(("flip", "rotation", "scale", "shift", "brightness", "contrast"), "0")
IDS = [3, 4, 5, 3]


def draw(worker: Worker, project: Path, settings: dict[str, str] | None = None, *, seed: int = 0) -> dict[str, Any]:
    """The worker's answer, with the images as an array."""
    config = with_overrides(recipe_config("ml-resnet"), settings or {}).to_json()
    return ask(worker, {"project": str(project), "ids": IDS, "config": config, "seed": seed})


def ask(worker: Worker, values: dict[str, Any]) -> dict[str, Any]:
    assert isinstance(worker.out, io.StringIO)
    start = len(worker.out.getvalue())
    worker.take({"id": 7, "cmd": "augment", **values})
    worker.work()
    reply: dict[str, Any] = json.loads(worker.out.getvalue()[start:])
    if "pictures" in reply:
        pixels = np.frombuffer(base64.b64decode(reply["pictures"]), np.uint8)
        reply["pictures"] = pixels.reshape(reply["size"])
    return reply


@pytest.fixture
def worker() -> Worker:
    return Worker(io.StringIO())


def test_with_all_settings_at_0_the_faces_are_as_they_are(worker: Worker, project_path: Path) -> None:
    drawn = draw(worker, project_path, {"input_size": "48", **STILL})
    assert drawn["id"] == 7
    assert drawn["pictures"].shape == (4, 48, 48, 1)
    with Project.open(project_path, read_only=True) as project:
        labels = project.labels(np.array(IDS))
        images = project.images(np.array(IDS), size=48, channels=1).astype(float)
    assert np.array_equal(drawn["mask"], labels.mask)
    points = (np.array(drawn["points"]) + 0.5) * 2 - 0.5  # px of the 96 px image
    assert np.abs(points - labels.points)[labels.mask].max() < 0.02
    for shown, image in zip(drawn["pictures"], images, strict=True):
        assert np.corrcoef(shown.ravel(), image.ravel())[0, 1] > 0.98
        assert shown.mean() == pytest.approx(127, abs=8)


def test_a_seed_draws_the_same_again_and_another_one_something_else(worker: Worker, project_path: Path) -> None:
    first, again, other = (draw(worker, project_path, {"rotation": "30"}, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first["pictures"], again["pictures"])
    assert first["points"] == again["points"] != other["points"]
    assert first["points"][0] != first["points"][3]  # the same face twice: drawn twice


def test_colour_and_another_size_are_read_anew(worker: Worker, project_path: Path) -> None:
    assert draw(worker, project_path)["pictures"].shape == (4, 96, 96, 1)
    assert draw(worker, project_path, {"channels": "3", "input_size": "32"})["pictures"].shape == (4, 32, 32, 3)


def test_what_is_wrong_is_answered_in_a_sentence(worker: Worker, project_path: Path) -> None:
    config = recipe_config("ml-resnet").to_json()
    wrong = {"project": str(project_path), "ids": IDS, "config": {**config, "flip": 3}, "seed": 0}
    assert "flip" in ask(worker, wrong)["error"]
    missing = {"project": str(project_path), "ids": [999], "config": config, "seed": 0}
    assert "999" in ask(worker, missing)["error"]
    assert draw(worker, project_path)["size"] == [4, 96, 96, 1]
