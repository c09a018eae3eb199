"""A training shared by two processes: the result of one, nothing open to the network, all end if one fails."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import make_project
from tests.helpers.ranks import epochs, until
from tests.helpers.training_data import make_data, tiny_config
from training.errors import UserError
from training.faces.labels.schema import KAGGLE_15
from training.learning.augment.batch_random import BatchGenerator, normal, uniform
from training.learning.fit.parallel import connection, launch
from training.learning.fit.parallel.connection import joined
from training.learning.fit.parallel.launch import Place
from training.learning.fit.parallel.ranks import Ranks
from training.learning.fit.step.trainer import Trainer
from training.learning.fit.train_run import check_resumable, train_run
from training.learning.inference.checkpoint import load_resume
from training.storage.project.project import Project
from training.storage.runs.events import RunFinished
from training.storage.runs.inputs.data import RunData
from training.storage.runs.listing import read_run
from training.storage.runs.new_run import create_run
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig, with_overrides
from training.storage.runs.settings.recipes import RECIPES, recipe_config

SETTINGS = {"device": "cpu", "precision": "float32", "threads": "1", "optimizer": "sgd", "learning_rate": "1e-3"}


def resnet() -> RunConfig:
    """With batch normalisation and dropout; batches of 5 and 4 for two processes. SGD: Adam amplifies rounding."""
    texts = {**SETTINGS, "input_size": "32", "batch_size": "5", "epochs": "3"}
    return with_overrides(recipe_config("ml-resnet"), texts)


def two_stage() -> RunConfig:
    """Two networks in sequence, the second with random errors of the first."""
    return with_overrides(recipe_config("cnn-6-7"), {**SETTINGS, "input_size": "64", "batch_size": "9", "epochs": "2"})


def light() -> RunConfig:
    """Two heads, label offsets that are learned through the labels, self-training and keypoint weights."""
    texts = {"input_size": "32", "width": "0.1", "batch_size": "5", "epochs": "3", "hard_points": "0.5"}
    return with_overrides(recipe_config("recommended"), {**SETTINGS, **texts})


def endless() -> RunConfig:
    return with_overrides(tiny_config(), {"epochs": "100000", "batch_size": "9"})


def make_run(project_path: Path, config: RunConfig) -> Run:
    with Project.open(project_path, read_only=True) as project:
        return create_run(project, config)


def weights(run: Run) -> dict[str, torch.Tensor]:
    """The weights of the network in training, not of the stored average."""
    model: dict[str, torch.Tensor] = load_resume(run.resume)["model"]
    return model


def assert_alike(ours: Run, theirs: Run) -> None:
    """The last epoch and the weights of two runs, up to the order of sums in float32."""
    one, other = read_run(ours).last, read_run(theirs).last
    assert one is not None and other is not None
    assert other.epoch == one.epoch
    assert other.train_loss == pytest.approx(one.train_loss, rel=1e-4)
    assert other.rmse == pytest.approx(one.rmse, rel=1e-4)
    found = weights(theirs)
    for name, value in weights(ours).items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


def test_two_processes_do_what_one_does_and_end_together(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """One test, to start the processes once: loading torch takes longer than the rest."""
    project = make_project(tmp_path / "small.fkp")
    kinds = {"one stage": resnet(), "two stages": two_stage(), "light": light()}
    shared = {name: make_run(project, config) for name, config in kinds.items()}
    long = make_run(project, endless())
    command = [sys.executable, "-m", "tests.helpers.ranks", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with subtests.test("steps in float64, labels missing unevenly, with dropout: only the order of sums differs"):
        assert found["exact"]["cnn-6"] < 1e-12
    with subtests.test("with batch normalisation too, and its running statistics"):
        assert found["exact"]["ml-resnet"] < 1e-12
    assert found["trained"] == [[0, 0]] * 3
    for name, config in kinds.items():
        with subtests.test("a run is the run of one process", stages=name):
            alone = make_run(project, config)
            assert isinstance(train_run(alone), RunFinished)
            assert_alike(alone, shared[name])
    with subtests.test("a stop asked of any process ends all and keeps the model"):
        assert found["stopped"] == {"codes": [0, 0], "status": "stopped"}
    with subtests.test("a process that is killed ends the others with a sentence"):
        assert found["lost"]["codes"] == [1, -9]
        assert "resume the run" in found["lost"]["said"]
    with subtests.test("a process that hangs does so too"):
        assert found["silent"]["codes"] == [1]
        assert "no longer answers" in found["silent"]["said"]
    with subtests.test("no process outlives its launcher, and the run can go on"):
        assert found["orphaned"]["status"] in ("interrupted", "failed")  # one may see the other's end before its own
        check_resumable(long)


def test_two_processes_resume_a_run_of_one_process(project_path: Path) -> None:
    """The setting `processes` makes `fkp resume` start another one; the number of processes changes nothing."""
    alone = make_run(project_path, resnet())
    train_run(alone)
    parts = make_run(project_path, resnet().changed(processes=2))
    calls = iter(range(100))
    train_run(parts, should_stop=lambda: next(calls) == 4)
    command = [sys.executable, "-m", "training.cli", "resume", str(parts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{parts}\n"  # one process speaks
    assert "2 x cpu" in done.stderr
    assert_alike(alone, parts)


@pytest.mark.skipif(not Path("/proc/net/tcp").is_file(), reason="open ports are read from /proc")
def test_nobody_outside_reaches_the_processes_of_one_machine(project_path: Path) -> None:
    """Every port they listen on is on the loopback interface; if one is killed the training ends with a sentence."""
    run = make_run(project_path, endless().changed(processes=2))
    with subprocess.Popen(
        [sys.executable, "-m", "training", "train", str(run)], stderr=subprocess.PIPE, text=True
    ) as leader:
        opened: set[tuple[IPv4Address | IPv6Address, int]] = set()

        def trains() -> bool:  # whatever is open in between, while they find each other
            for number in family(leader.pid):
                opened.update(open_ports(number))
            return leader.poll() is not None or epochs(run) > 0

        until(trains)
        members = family(leader.pid)
        here = [open_ports(number) for number in members]
        assert [len(ports) >= 1 for ports in here] == [True, True]  # gloo's, one each
        opened.update(*here)
        assert {at for at in opened if not at[0].is_loopback} == set()
        for outer in outer_addresses():
            assert [port for _, port in opened if answers(outer, port)] == []
        os.kill(members[1], signal.SIGKILL)
        said = leader.communicate()[1]
    assert leader.returncode == 2
    assert "Process 1 of the training was ended by signal 9, probably out of memory" in said
    assert "resume the run" in said


def open_ports(number: int) -> list[tuple[IPv4Address | IPv6Address, int]]:
    """The addresses and ports that a process listens on, or takes datagrams at; none if it has ended."""
    sockets = set()
    with suppress(OSError):
        for file in Path(f"/proc/{number}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                sockets.add(str(file.readlink()))
    found: list[tuple[IPv4Address | IPv6Address, int]] = []
    for name in ("tcp", "tcp6", "udp", "udp6"):
        lines = [line.split() for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
        for values in lines:
            if f"socket:[{values[9]}]" in sockets and (values[3] == "0A" or name.startswith("udp")):
                address, _, port = values[1].partition(":")
                found.append((address_of(address), int(port, 16)))
    return found


def outer_addresses() -> list[str]:
    """An address by which others reach this machine, if it has one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))
        return [probe.getsockname()[0]]
    return []


def answers(address: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((address, port), timeout=2):
        return True
    return False


def address_of(text: str) -> IPv4Address | IPv6Address:
    """As /proc writes it: words of the machine's byte order."""
    raw = bytes.fromhex(text)
    words = b"".join(
        raw[n : n + 4][::-1] if sys.byteorder == "little" else raw[n : n + 4] for n in range(0, len(raw), 4)
    )
    return IPv4Address(words) if len(words) == 4 else IPv6Address(words)


def family(number: int) -> list[int]:
    """A process and all that descend from it."""
    found = [number]
    for file in Path(f"/proc/{number}/task").glob("*/children"):
        with suppress(OSError):  # it has ended
            found += [member for child in file.read_text().split() for member in family(int(child))]
    return found


def test_with_torchrun_it_is_said_who_can_reach_the_processes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MASTER_ADDR", "host-1")
    monkeypatch.setenv("MASTER_PORT", "29500")
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "eth7")
    for place, listens in ((Place(2, 4, 0, 2), "eth7"), (Place(0, 2, 0, 2), connection._loopback())):
        with connection._interface(place):
            pass
        said = capsys.readouterr().err
        assert "meet at host-1:29500, which torchrun opens on all interfaces" in said
        assert f"listen on {listens}. Whoever reaches these ports can run code as you: use a trusted network" in said
    for silent in (Place(3, 4, 1, 2), Place(0, 2, 0, 2, "file")):
        with connection._interface(silent):
            assert silent.meeting == "" or os.environ["GLOO_SOCKET_IFNAME"] == connection._loopback()
        assert capsys.readouterr().err == ""
    assert os.environ["GLOO_SOCKET_IFNAME"] == "eth7"


def test_a_process_that_never_comes_or_cannot_start_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(connection, "_MEETING_TIMEOUT", timedelta(seconds=0.2))
    monkeypatch.setenv("FKP_MEETING", str(tmp_path / "meeting"))
    monkeypatch.setattr(connection, "end_with_launcher", lambda: None)
    for name, value in {"RANK": 0, "WORLD_SIZE": 2, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(UserError, match="Process 1 of 2 of this training did not start within"), joined():
        pass
    monkeypatch.delenv("FKP_MEETING")
    monkeypatch.setattr(connection, "_MEETING_TIMEOUT", timedelta(minutes=1))
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    ended = r"Process 1 of the training ended with exit code 1\. The training cannot begin"
    with pytest.raises(UserError, match=ended), joined(2):
        pass


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_weight_of_the_stage_under_way_takes_part_in_each_step(recipe: str) -> None:
    """DistributedDataParallel waits for the gradient of each parameter it was given."""
    small = {"width": "0.25"} if recipe in ("recommended", "fast", "best") else {}
    config = with_overrides(
        recipe_config(recipe), {"device": "cpu", "precision": "float32", "batch_size": "2", **small}
    )
    rng = np.random.default_rng(0)
    side = config.network.input_size
    images = rng.integers(0, 256, (4, side, side) if config.network.channels == 1 else (4, side, side, 3), np.uint8)
    points = rng.uniform(0, side, (4, 15, 2)).astype(np.float32)
    points[:2, 3:] = np.nan
    data = RunData(images, points, np.full((4, 2), side, np.int32), np.arange(4), np.arange(4), KAGGLE_15)
    trainer = Trainer(config, data)
    for stage in range(trainer.stages.count):
        if stage:
            trainer.next_stage(0.5)
        trainer.optimizer.zero_grad = lambda set_to_none=True: None  # type: ignore[method-assign]
        trainer.train_step(torch.arange(2), done=0.5)
        assert [n for n, p in trainer.stages.trained.named_parameters() if p.grad is None] == []


def test_each_process_has_its_rows_of_the_batch_and_their_random_numbers() -> None:
    parts = [Ranks(Place(rank, 3, rank, 3)).slice(8) for rank in range(3)]
    assert [list(range(8)[part]) for part in parts] == [[0, 1], [2, 3, 4], [5, 6, 7]]
    whole = torch.Generator().manual_seed(1)
    expected = uniform(8, 2, generator=whole), normal(8, generator=whole)
    for part in parts:
        mine = BatchGenerator.of(1, count=8, part=part)
        count = part.stop - part.start
        assert torch.equal(uniform(count, 2, generator=mine), expected[0][part])
        assert torch.equal(normal(count, generator=mine), expected[1][part])
    with pytest.raises(UserError, match="cannot be shared by 3 processes"):
        Ranks(Place(0, 3, 0, 3)).slice(2)


def test_the_place_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launch.place() == Place()
    values = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    for name, value in {**values, "MASTER_ADDR": "h", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert launch.place() == Place(rank=3, count=4, local=1, locals=2)
    monkeypatch.setenv("FKP_MEETING", "file")
    assert launch.place().meeting == "file"
    monkeypatch.setenv("RANK", "x")
    with pytest.raises(UserError, match="RANK=x"):
        launch.place()


def test_one_process_for_each_graphics_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    config = tiny_config()
    assert launch.processes(config) == 1  # on the processor
    assert launch.processes(config.changed(device="auto")) == 4
    assert launch.processes(config.changed(device="auto", processes=2)) == 2
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    assert launch.processes(config.changed(device="cuda")) == 1  # torchrun decides


def test_other_data_has_another_fingerprint() -> None:
    data = make_data()[0]
    assert data.fingerprint() == make_data()[0].fingerprint()
    points = data.points.copy()
    points[-1] += 1
    assert replace(data, points=points).fingerprint() != data.fingerprint()
