"""A stranger's project: nothing is written or read outside of what was asked for."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from tests.torture import inputs
from tests.torture.commands import command
from tests.torture.forked import Fate, in_fork
from tests.torture.outcome import Outcome
from tests.torture.strangers.stopped import SECONDS

_CROPS = "INSERT INTO faces (id, crop_x, crop_y, crop_side, subset) VALUES (1, 0, 0, 10, ''), (2, 0, 0, 10, '')"


def attack(folder: Path, outcome: Outcome) -> None:
    inputs.imported(inputs.kaggle_csv(folder / "training.csv", 3), folder / "p.fkp")
    for number, (name, work) in enumerate(ATTACKS.items()):
        case = folder / str(number)
        (case / "a" / "b").mkdir(parents=True)
        shutil.copytree(folder / "p.fkp", case / "p.fkp")
        fate, wrong = work(case)
        wrong += [] if fate.kind in ("ok", "sentence") else [f"{fate.kind}: {fate.words}"]
        outcome.row("projects that lead out of their folder").add(fate.kind, wrong, case=name)


def change(project: Path, *statements: str) -> None:
    """Spoil the project's database."""
    with closing(sqlite3.connect(project / "project.db")) as sql:
        for statement in statements:
            sql.execute(statement)
        sql.commit()


def _fkp(*words: object) -> Fate:
    return in_fork(partial(command, *words), seconds=SECONDS)


def _names(case: Path, *, kind: str) -> tuple[Fate, list[str]]:
    """Names of samples that are paths, above the folder and absolute."""
    change(
        case / "p.fkp",
        "UPDATE samples SET name = '../../../ESCAPED' WHERE id = 1",
        f"UPDATE samples SET name = '{case}/ESCAPED-TOO' WHERE id = 2",
        _CROPS,
    )
    out = case / "a" / "b" / ("out" if kind == "pts" else "out.csv")
    fate = _fkp("export", case / "p.fkp", out, "--format", kind)
    escaped = [str(path) for path in case.rglob("ESCAPED*") if out.parent not in path.parents]
    return fate, [f"written outside: {escaped}"] if escaped else []


def _foreign_file(case: Path) -> tuple[Fate, list[str]]:
    """A sample whose image is any file of this machine."""
    secret = case / "secret" / "passwd"
    secret.parent.mkdir()
    secret.write_bytes(b"root:x:0:0")
    change(
        case / "p.fkp",
        f"INSERT INTO folders VALUES (1, 'secret', '{secret.parent}')",
        "UPDATE samples SET name = 'x.png', folder = 1, file = 'passwd', pixel_file = NULL, pixel_row = NULL WHERE id = 3",
    )
    out = case / "out"
    fate = _fkp("export", case / "p.fkp", out, "--format", "pts")
    copied = [str(path) for path in out.rglob("*") if path.is_file() and b"root:x" in path.read_bytes()]
    return fate, [f"a foreign file was copied to {copied}"] if copied else []


def _own_database(case: Path) -> tuple[Fate, list[str]]:
    """An export over the project's own database."""
    database = case / "p.fkp" / "project.db"
    fate = _fkp("export", case / "p.fkp", database, "--format", "csv")
    return fate, [] if database.read_bytes().startswith(b"SQLite format 3") else ["the project is gone"]


def _own_image(case: Path) -> tuple[Fate, list[str]]:
    """Predictions over one of the images that are predicted."""
    photos = case / "photos"
    photos.mkdir()
    image = photos / "0.png"
    before = inputs.encoded(0, ".png")
    image.write_bytes(before)
    fate = _fkp("predict", photos, "--model", "starter-15", "--out", image)
    return fate, [] if image.read_bytes() == before else ["an image was replaced by a table"]


def _nothing_to_predict(case: Path) -> tuple[Fate, list[str]]:
    """Predictions of nothing that can be read, over a file that is there."""
    (case / "bad.png").write_text("no image", encoding="utf-8")
    keep = case / "keep.csv"
    keep.write_text("mine\n", encoding="utf-8")
    fate = _fkp("predict", case / "bad.png", "--model", "starter-15", "--out", keep)
    return fate, [] if keep.exists() and keep.read_text(encoding="utf-8") == "mine\n" else ["the file is gone"]


ATTACKS: dict[str, Callable[[Path], tuple[Fate, list[str]]]] = {
    "csv export of names that are paths": partial(_names, kind="csv"),
    "pts export of names that are paths": partial(_names, kind="pts"),
    "pts export of a file that is no image": _foreign_file,
    "export over the project's database": _own_database,
    "predict over an image": _own_image,
    "predict nothing over a file": _nothing_to_predict,
}
