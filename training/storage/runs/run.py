"""`Run`: what predicts in a project, and where each of its files is."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from training.faces.labels.run_names import is_starter, run_number, starter_points

STARTERS = "FKP_STARTERS"  # environment variable: another folder of starters than the program's own
MODEL = "model.safetensors"
_STARTER_FILE = re.compile(r"face-([1-9]\d{0,3})\.safetensors")


@dataclass(frozen=True)
class Run:
    """The folder of a training, a starter, or a model file by itself.

    path: `PROJECT/runs/0001-ml-resnet`; of a starter `PROJECT/runs/starter-15`, where nothing lies, since its model
    comes with the program; or the path of a model file. None of the files need exist.
    """

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def kind(self) -> Literal["training", "starter", "file"]:
        if is_starter(self.name) and not self.path.is_dir():
            return "starter"
        return "file" if self.path.suffix == ".safetensors" or self.path.is_file() else "training"

    @property
    def is_starter(self) -> bool:
        """True for a model that came with the program: only its predictions are kept in a project."""
        return self.kind == "starter"

    @property
    def number(self) -> int:
        """As in `run_number`. Raises UserError for a name without one."""
        return run_number(self.name)

    @property
    def config(self) -> Path:
        """The settings, the schema and the hash of the labels."""
        return self.path / "config.json"

    @property
    def snapshot(self) -> Path:
        """The labels that it trains on."""
        return self.path / "labels.npz"

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def lock(self) -> Path:
        """Locked while it trains."""
        return self.path / "lock"

    @property
    def stop(self) -> Path:
        """Its presence asks the trainer to stop."""
        return self.path / "stop"

    @property
    def resume(self) -> Path:
        """The state to resume from."""
        return self.path / "resume.pt"

    @property
    def balance(self) -> Path:
        """The poses that it was balanced by."""
        return self.path / "balance.json"

    @property
    def model(self) -> Path:
        """The weights with their header: the best so far."""
        if self.kind == "training":
            return self.path / MODEL
        points = starter_points(self.name)
        return self.path if points is None else starters_folder() / f"face-{points}.safetensors"

    @property
    def fill(self) -> Path:
        """The fill model, beside the weights."""
        return self.path / "fill.npz" if self.kind == "training" else self.model.with_suffix(".fill.npz")

    @property
    def adjustment(self) -> Path:
        """The offset to one annotator. A starter has no folder in the project: a hidden file among the runs."""
        return self._beside("adjust.json")

    @property
    def stamp(self) -> Path:
        """Names the model that all stored predictions come from."""
        return self._beside("predicted")

    def _beside(self, file: str) -> Path:
        if self.kind == "starter":
            return self.path.with_name(f".{self.name}.{file}")
        return self.path / file if self.kind == "training" else self.path.with_name(file)


def starters_folder() -> Path:
    """Where the starter models are; the folder need not exist."""
    return Path(os.environ.get(STARTERS) or str(files("resources") / "starters"))


def starter_name(file: Path) -> str:
    """`starter-15` for `face-15.safetensors`; "" for a file of another name."""
    found = _STARTER_FILE.fullmatch(file.name)
    return f"starter-{found.group(1)}" if found else ""
