"""Shared fixtures: no window unless asked (--headed), an isolated home folder, a small project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import numpy as np
import pytest

from training.faces.labels.labels import Labels, PointState
from training.faces.labels.schema import KAGGLE_15
from training.storage.runs.run import STARTERS

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

# The duration of an example depends on the machine's load, not on the code.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")

SIDE = 96  # px, as in the Kaggle set
SAMPLES = 24
PATIENCE = 30_000  # ms


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--headed", action="store_true", help="show the windows of the tests on the display")


def pytest_configure(config: pytest.Config) -> None:
    """Set the platform before any test file imports Qt."""
    if not config.getoption("--headed"):
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    if "PYTEST_XDIST_WORKER" in os.environ:  # one worker per core: it and its child processes compute on one thread
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Qt's offscreen platform says of each dialog that it has no window manager to tell sizes to; a display has one."""
    for item in items:
        item.add_marker(pytest.mark.qt_log_ignore("This plugin does not support propagateSizeHints"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A separate home folder per test: the user's settings, data, state and cache are not touched."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(folder / name.lower()))
    monkeypatch.setenv("WIN_PD_OVERRIDE_LOCAL_APPDATA", str(folder / "local"))  # platformdirs asks Windows, not HOME
    monkeypatch.setenv(STARTERS, str(folder / "starters"))  # none: with one, each project that is opened is predicted
    return folder


@pytest.fixture(scope="session", autouse=True)
def _ini_settings() -> None:
    """QSettings as INI files below XDG_CONFIG_HOME on each system."""
    from PySide6.QtCore import QSettings

    QSettings.setDefaultFormat(QSettings.Format.IniFormat)


@pytest.fixture(autouse=True)
def _settings_here(home: Path) -> None:
    """Qt caches the location of settings on first use: set it again for each test."""
    from PySide6.QtCore import QSettings

    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(home / "config"))


@pytest.fixture
def qtbot(qtbot: QtBot) -> QtBot:
    """Longer timeouts, for busy machines; only failing tests wait that long."""
    for name in ("waitUntil", "waitSignal", "waitSignals", "waitExposed"):
        setattr(qtbot, name, partial(getattr(qtbot, name), timeout=PATIENCE))
    return qtbot


@pytest.fixture(autouse=True)
def _deleted_later() -> Iterator[None]:
    """Delete windows that a test released before the next one begins; hundreds alive at once end in a crash."""
    yield
    from PySide6.QtCore import QCoreApplication, QEvent

    if QCoreApplication.instance() is not None:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def face(*, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A disc with eyes and a mouth, uint8 [96, 96], and its 15 keypoints [15, 2] in px."""
    random = np.random.default_rng(seed)
    size, centre = random.uniform(60, 72), random.uniform(44, 52, 2)
    points = (np.array(KAGGLE_15.template) - 0.5) * size + centre
    y, x = np.mgrid[:SIDE, :SIDE]
    image = np.where(((x - centre[0]) / 0.42) ** 2 + ((y - centre[1]) / 0.5) ** 2 < size**2, 170.0, 60.0)
    for px, py in points:
        image -= 90 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8)
    return np.clip(image + random.normal(0, 4, image.shape), 0, 255).astype(np.uint8), points


def faces(count: int, *, first: int = 0) -> tuple[np.ndarray, Labels]:
    """Images uint8 [N, 96, 96] and labels; every third face has only eyes, nose and lower lip, as in the Kaggle set."""
    made = [face(seed=first + i) for i in range(count)]
    points = np.stack([p for _, p in made])
    points[2::3, [i for i in range(15) if i not in (0, 1, 10, 14)]] = np.nan
    labels = Labels.from_points(points)
    labels.states[0, 3] = PointState.OCCLUDED
    return np.stack([image for image, _ in made]), labels


def make_project(path: Path, *, count: int = SAMPLES) -> Path:
    """A project of `count` synthetic faces: three in four are train, the others val."""
    from training.faces.labels.samples import SampleBatch, Split
    from training.storage.project.project import Project

    pixels, labels = faces(count)
    batch = SampleBatch(
        names=tuple(f"face-{i:03d}" for i in range(count)),
        sources=tuple(f"training.csv#{i + 1}" for i in range(count)),
        labels=labels,
        widths=np.full(count, SIDE, np.int32),
        heights=np.full(count, SIDE, np.int32),
        groups=tuple(f"person-{i:03d}" for i in range(count)),
        splits=np.where(np.arange(count) % 4 == 3, Split.VAL, Split.TRAIN).astype(np.uint8),
        pixels=pixels,
    )
    with Project.create(path, KAGGLE_15) as project, project.importing("training.csv") as importing:
        importing.add_samples(batch)
    return path


@pytest.fixture
def project_path(tmp_path: Path) -> Path:
    """A project folder with 24 faces of 15 keypoints; ids 1 to 24, every third lacks 11 points."""
    return make_project(tmp_path / "small.fkp")
