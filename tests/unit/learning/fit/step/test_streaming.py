"""Runs whose images exceed memory: streamed from a file of the project, with the same results as in memory."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.helpers.training_data import tiny_config
from training.errors import UserError
from training.faces.labels.labels import Labels
from training.faces.labels.samples import SampleBatch
from training.faces.labels.schema import KAGGLE_15
from training.learning.fit.step.streaming import StreamedImages
from training.learning.fit.step.trainer import Trainer
from training.learning.fit.train_run import train_run
from training.storage.project.network_pixels import MappedImages
from training.storage.project.project import Project
from training.storage.runs.events import EpochDone, RunFinished
from training.storage.runs.folder import load_config, read_events
from training.storage.runs.inputs import data as rundata
from training.storage.runs.inputs.data import RunData, load_run_data
from training.storage.runs.inputs.memory import free_memory
from training.storage.runs.new_run import create_run
from training.storage.runs.run import Run

Usage = namedtuple("Usage", "total used free")


def new_run(project_path: Path, **settings: str) -> Run:
    with Project.open(project_path, read_only=True) as project:
        return create_run(project, tiny_config(**settings))


def streamed(run: Run) -> RunData:
    return load_run_data(run, load_config(run), memory=0)


def curve(run: Run) -> list[EpochDone]:
    events, _ = read_events(run)
    return [replace(e, seconds=0, images_per_second=0) for e in events if isinstance(e, EpochDone)]


def files(project_path: Path) -> list[str]:
    return sorted(p.name for p in (project_path / "pixels").glob("network-*"))


@pytest.mark.parametrize("channels", ["1", "3"])
def test_the_losses_are_those_of_a_run_in_memory_bit_for_bit(project_path: Path, channels: str) -> None:
    whole, parts = (new_run(project_path, batch_size="5", epochs="2", channels=channels) for _ in range(2))
    assert isinstance(train_run(whole), RunFinished)
    data = streamed(parts)
    assert isinstance(data.images, MappedImages)
    assert isinstance(data.images.pixels.base, np.memmap)  # nothing was loaded
    assert data.fingerprint() == load_run_data(whole, load_config(whole)).fingerprint()
    assert isinstance(train_run(parts, data=data), RunFinished)
    assert curve(parts) == curve(whole)


def test_a_run_streams_where_half_of_the_free_memory_is_too_little(
    project_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(project_path)
    config = load_config(run)
    size = 24 * 32 * 32
    monkeypatch.setattr(rundata, "free_memory", lambda: 2 * size)
    assert isinstance(load_run_data(run, config).images, np.ndarray)
    monkeypatch.setattr(rundata, "free_memory", lambda: 2 * size - 2)
    assert isinstance(load_run_data(run, config).images, MappedImages)


def test_batches_are_read_ahead_in_the_order_of_the_epoch(project_path: Path) -> None:
    run = new_run(project_path, batch_size="5")
    data = streamed(run)
    trainer = Trainer(load_config(run), data)
    images = trainer.images
    assert isinstance(images, StreamedImages)
    batches = trainer.epoch_rows()
    asked: list[int] = []
    read = images.source[:]
    for rows in batches:
        assert [len(ahead) for ahead, _ in images._read][:1] == [len(rows)]
        assert torch.equal(images[data.val], torch.from_numpy(read[data.val]))  # others do not interfere
        assert torch.equal(images[rows], torch.from_numpy(read[rows.numpy()]))
        asked.append(len(rows))
    assert sum(asked) == len(data.train)
    assert not images._read


def test_the_file_serves_later_runs_and_is_replaced_when_samples_come(project_path: Path) -> None:
    first = streamed(new_run(project_path))
    kept = files(project_path)
    assert [name.split("-")[1] for name in kept] == ["32x1", "32x1"]
    path = project_path / "pixels" / kept[1]
    before = path.stat().st_mtime_ns
    with Project.open(project_path) as project:  # other labels, the same images
        project.write_labels([1], Labels.from_points(np.full((1, 15, 2), 40.0)))
    streamed(new_run(project_path))
    assert path.stat().st_mtime_ns == before
    images, labels = np.zeros((1, 96, 96), np.uint8), Labels.from_points(np.full((1, 15, 2), 40.0))
    with Project.open(project_path) as project:
        project.add_samples(
            SampleBatch(
                names=("new",),
                sources=("new",),
                labels=labels,
                widths=np.full(1, 96),
                heights=np.full(1, 96),
                groups=("new",),
                splits=np.zeros(1, np.uint8),
                pixels=images,
            )
        )
    assert len(streamed(new_run(project_path)).images) == 25
    assert len(files(project_path)) == 2
    assert files(project_path) != kept
    assert len(first.images[:]) == 24  # a running training keeps its data


def test_images_that_cannot_be_read_are_left_out_and_seen_again_when_they_are_back(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.png" for n in range(4)]
    for n, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((40, 40), 50 + 10 * n, np.uint8))
    with Project.create(tmp_path / "p.fkp", KAGGLE_15) as project:
        points = np.random.default_rng(0).uniform(5, 35, (4, 15, 2))
        project.add_samples(
            SampleBatch(
                names=tuple("abcd"),
                sources=tuple("abcd"),
                labels=Labels.from_points(points),
                widths=np.full(4, 40),
                heights=np.full(4, 40),
                groups=tuple("abcd"),
                splits=np.zeros(4, np.uint8),
                paths=tuple(paths),
            )
        )
    away = paths[1].rename(tmp_path / "away.png")
    run = new_run(tmp_path / "p.fkp")
    for _ in range(2):  # written, then read
        data = streamed(run)
        assert data.images[:].mean(axis=(1, 2)).tolist() == [50, 70, 80]
        assert len(data.left_out) == 1 and "1.png" in data.left_out[0]
        assert np.allclose(data.points[1], (points[2] + 0.5) * 32 / 40 - 0.5, atol=1e-4)
    away.rename(paths[1])
    assert streamed(run).images[:].mean(axis=(1, 2)).tolist() == [50, 60, 70, 80]


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    project_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(project_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 10, 1000))
    with pytest.raises(UserError, match="Free some space"):
        streamed(run)
    assert files(project_path) == []


def test_what_a_killed_writer_left_is_removed(project_path: Path) -> None:
    left = project_path / "pixels" / ".network-32x1-0123.npy.abc.part"
    left.write_bytes(b"half")
    streamed(new_run(project_path))
    assert not left.exists()


def test_a_damaged_file_is_told(project_path: Path) -> None:
    run = new_run(project_path)
    streamed(run)
    path = next((project_path / "pixels").glob("network-*.npy"))
    os.truncate(path, 1000)
    with pytest.raises(UserError, match="Delete"):
        streamed(run)


def test_little_of_a_large_file_is_in_memory(tmp_path: Path) -> None:
    """200 MB on disk; when a few rows are read, memory grows by little more than these."""
    path = tmp_path / "large.npy"
    np.lib.format.open_memmap(path, "w+", np.uint8, (20_000, 100, 100)).flush()
    pixels = np.asarray(np.load(path, mmap_mode="r"))
    images = StreamedImages(MappedImages(pixels, np.arange(20_000)), torch.device("cpu"))
    before = own_memory()
    for rows in torch.arange(0, 20_000, 10).split(32):
        assert not images[rows].any()
    assert own_memory() - before < 50 << 20


def own_memory() -> int:
    """Bytes of this process's own memory, without cached files."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, 8_000 * 1024),
        ({"sys/fs/cgroup/memory.max": "max"}, 8_000 * 1024),
        (
            {
                "proc/self/cgroup": "0::/jobs/7\n",
                "sys/fs/cgroup/jobs/7/memory.max": "3000000",
                "sys/fs/cgroup/jobs/7/memory.current": "2500000",
                "sys/fs/cgroup/jobs/7/memory.stat": "anon 500000\ninactive_file 2000000\n",
            },
            2_500_000,
        ),
        (
            {
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "3000000",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "2500000",
                "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 1000000\n",
            },
            1_500_000,
        ),
        ({"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712"}, 8_000 * 1024),
    ],
)
def test_free_memory_of_the_machine_and_of_its_container(
    tmp_path: Path, content: dict[str, str], expected: int
) -> None:
    for name, text in {"proc/meminfo": "MemTotal: 16000 kB\nMemAvailable:    8000 kB\n", **content}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert free_memory(tmp_path) == expected
