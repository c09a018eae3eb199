"""Pickles that would run a command, under every name that the program loads."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

from tests.torture.commands import command
from tests.torture.forked import in_fork
from tests.torture.outcome import Outcome
from tests.torture.strangers.stopped import SECONDS, stopped_training
from training.storage.runs.run import Run


class Evil:
    """Unpickled, it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.marker}'",)


def attack(folder: Path, outcome: Outcome) -> None:
    run = stopped_training(folder)
    project, marker = folder / "p.fkp", folder / "MARKER"
    _control(marker, outcome)
    pretrained = ["train", project, "--recipe", "resnet-50", "--epochs", 1, "--set", "threads=1"]
    for name in ("resume.pt", "w.pth", "w.safetensors", "model.safetensors"):
        for write in (evil_zip, evil_plain):
            file = run.resume if name == "resume.pt" else folder / name
            write(file, marker)
            words = {
                "resume.pt": ["resume", run.path],
                "model.safetensors": ["predict", project, "--model", file, "--out", folder / "out.csv"],
            }.get(name, [*pretrained, f"pretrained={file}"])
            wrong = _refused(words, file, marker)
            outcome.row("pickles that run a command").add("refused", wrong, case=f"{name} by {write.__name__}")
    _of_a_run(run, folder, outcome)


def _of_a_run(run: Run, folder: Path, outcome: Outcome) -> None:
    """The model of a run in a stranger's project."""
    marker = folder / "MARKER"
    evil_zip(run.model, marker)
    words = ["fill", folder / "p.fkp", "--run", "1"]
    outcome.row("pickles that run a command").add(
        "refused", _refused(words, run.model, marker), case="a run's model by evil_zip"
    )


def evil_zip(path: Path, marker: Path) -> None:
    """As torch.save writes it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Evil(marker), protocol=2))
        archive.writestr("archive/version", b"3\n")


def evil_plain(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps(Evil(marker), protocol=2))


def _control(marker: Path, outcome: Outcome) -> None:
    """Unpickled, it does run: else the other cases would prove nothing."""
    in_fork(lambda: pickle.loads(pickle.dumps(Evil(marker))), seconds=SECONDS)
    ran = marker.exists()
    marker.unlink(missing_ok=True)
    outcome.row("pickles that run a command").add("control", [] if ran else ["unpickled, it runs nothing"])


def _refused(words: list[object], file: Path, marker: Path) -> list[str]:
    """What is wrong, unless the command ends with a sentence that names the file."""
    fate = in_fork(lambda: command(*words), seconds=SECONDS)
    wrong = [] if fate.kind == "sentence" and str(file) in fate.words else [f"{fate.kind}: {fate.words}"]
    if marker.exists():
        marker.unlink()
        wrong.append("THE COMMAND WAS RUN")
    return wrong
