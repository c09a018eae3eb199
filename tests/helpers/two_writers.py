"""What two programs do to one project at the same time: the window on one side, commands and other windows on the other.

Whatever the statements of the two are mixed like, the project must end as if one had come after the other.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PySide6.QtTest import QSignalSpy

from fkp_studio.document.store import ProjectStore
from tests.helpers.interleaving import Writer, count_statements, interleave, stepping
from training.assist.filling.accept import accept
from training.errors import UserError
from training.faces.labels.labels import Labels, Origin, PointState
from training.faces.labels.samples import SampleBatch
from training.faces.labels.schema import KAGGLE_15
from training.sources.exchange.import_source import import_source
from training.storage.project.edits.add_face import add_face
from training.storage.project.edits.change import change_labels
from training.storage.project.edits.crop_again import crop_again
from training.storage.project.edits.move import move_to_split
from training.storage.project.edits.remove import remove
from training.storage.project.edits.unset_accepted import unset_accepted
from training.storage.project.journal import read_steps
from training.storage.project.project import Project

RUN = "0001-ml-resnet"
PROJECT, PHOTOS = "p.fkp", "photos"
SIDE, PHOTO = 48, 120  # px
COUNT, PHOTO_ID = 5, 6  # faces with pixels in the project, and the one that is cropped from a photo
BOX = np.array([60.0, 60, 30, 30])


def prepare(folder: Path) -> None:
    """A project of six faces in which most points are missing, a run's predictions, an accepted point, and a step to
    undo."""
    (folder / PHOTOS).mkdir(parents=True)
    draw = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / PHOTOS / name), draw.integers(0, 255, (PHOTO, PHOTO, 3), np.uint8))
    points = np.full((COUNT + 1, 15, 2), np.nan)
    points[:, 0] = 10.0
    labels = Labels.from_points(points)
    with Project.create(folder / PROJECT, KAGGLE_15) as project:
        project.add_samples(
            SampleBatch(
                names=tuple(f"f{n}" for n in range(COUNT)),
                sources=("t",) * COUNT,
                labels=labels[:COUNT],
                widths=np.full(COUNT, SIDE, np.int32),
                heights=np.full(COUNT, SIDE, np.int32),
                groups=("one", "one", "", "", ""),
                splits=np.zeros(COUNT, np.uint8),
                pixels=np.zeros((COUNT, SIDE, SIDE), np.uint8),
            )
        )
        project.add_samples(
            SampleBatch(
                names=("a.png",),
                sources=("a.png",),
                labels=labels[COUNT:],
                widths=np.full(1, 50, np.int32),
                heights=np.full(1, 50, np.int32),
                groups=("",),
                splits=np.zeros(1, np.uint8),
                paths=(folder / PHOTOS / "a.png",),
                crops=np.array([[0, 0, 50]], np.int64),
                boxes=np.array([[10.0, 10, 30, 30]]),
            )
        )
        ids = project.ids()
        project.write_predictions(RUN, ids, np.full((len(ids), 15, 2), 20.0), np.full((len(ids), 15), 0.9))
        accept(project, RUN, [3], keypoints=[2], plain=True)
        change_labels(project, [2], _by_person(7, (3.0, 4.0)), text="place before")


def _by_person(keypoint: int, xy: tuple[float, float]) -> Callable[[Labels], Labels]:
    def change(labels: Labels) -> Labels:
        after = labels.copy()
        after.points[:, keypoint], after.states[:, keypoint] = xy, PointState.VISIBLE
        after.origins[:, keypoint] = Origin.PERSON
        return after

    return change


# acts of the window; a first function prepares it
def _place(store: ProjectStore) -> None:
    store.place(1, 3, (6.0, 6.0))


def _nudge(store: ProjectStore) -> None:
    store.place(1, 3, (6.5, 6.0))


def _undo(store: ProjectStore) -> None:
    _move(store, store.undo_stack.undo)


def _redo(store: ProjectStore) -> None:
    _move(store, store.undo_stack.redo)


def _move(store: ProjectStore, move: Callable[[], object]) -> None:
    """Undo or redo; raises UserError where the window says that it failed, when it has read the journal again."""
    words: list[str] = []
    read = QSignalSpy(store.changed)
    store.failed.connect(words.append)
    move()
    store.failed.disconnect(words.append)
    if words:
        read.wait(10_000)  # ms
        raise UserError(words[0])


WINDOW: dict[str, tuple[Callable[[ProjectStore], object], ...]] = {
    "place a point": (_place,),
    "nudge a point": (_place, _nudge),
    "mark a point absent": (lambda s: s.set_state(1, 3, PointState.ABSENT),),
    "mark a point occluded": (lambda s: s.set_state(1, 0, PointState.OCCLUDED),),
    "accept a face": (lambda s: s.edit(lambda p: accept(p, RUN, [1], plain=True), samples=1),),
    "undo": (_undo,),
    "redo": (_undo, _redo),
    "remove a face": (lambda s: s.edit(lambda p: remove(p, [1]), samples=1),),
    "move a face": (lambda s: s.edit(lambda p: move_to_split(p, [1], 1), samples=2),),
}


def _open(path: Path, act: Callable[[Project], object]) -> None:
    with Project.open(path) as project:
        act(project)


def _predict(project: Project) -> None:
    project.write_predictions(RUN, [1, 2], np.full((2, 15, 2), 30.0), np.full((2, 15), 0.5))


def _edit(edit: Callable[[Project], object]) -> Callable[[Path], None]:
    return lambda folder: _open(folder / PROJECT, edit)


OTHERS: dict[str, Callable[[Path], object]] = {
    "fill": _edit(lambda p: accept(p, RUN, plain=True)),
    "place the same point": _edit(lambda p: change_labels(p, [1], _by_person(3, (9.0, 9.0)), text="place elsewhere")),
    "place another point": _edit(lambda p: change_labels(p, [1], _by_person(4, (9.0, 9.0)), text="place another")),
    "import": lambda folder: import_source(folder / PHOTOS, folder / PROJECT),
    "remove": _edit(lambda p: remove(p, [1, 3])),
    "move": _edit(lambda p: move_to_split(p, [2], 2)),
    "unset accepted": _edit(lambda p: unset_accepted(p, RUN)),
    "predict": _edit(_predict),
    "add a face": _edit(lambda p: add_face(p, PHOTO_ID, BOX, photo=(PHOTO, PHOTO), room=0.2)),
    "crop again": _edit(lambda p: crop_again(p, PHOTO_ID, BOX, photo=(PHOTO, PHOTO), room=0.2)),
}
COMMANDS = ("fill", "import", "add a face", "crop again", "remove")  # also against each other


@dataclass(frozen=True)
class Pair:
    """Two acts on the same project. window: the first is one of the window."""

    first: str
    second: str
    window: bool

    @property
    def name(self) -> str:
        return f"{self.first} + {self.second}"


def pairs() -> list[Pair]:
    """Each act of the window with each of the others, and commands with commands."""
    found = [Pair(one, other, True) for one in WINDOW for other in OTHERS]
    return found + [Pair(one, other, False) for one in COMMANDS for other in COMMANDS]


class Case:
    """A fresh copy of the prepared project and the two writers of a pair on it."""

    def __init__(self, prepared: Path, folder: Path, pair: Pair) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(prepared, folder)
        self._folder, self._store = folder, None
        if pair.window:
            *before, act = WINDOW[pair.first]
            self._store = store = ProjectStore(Project.open(folder / PROJECT))
            store.project.database.set_busy(0)
            for step in before:
                step(store)
            self.first = Writer(lambda: act(store))
        else:
            self.first = Writer(lambda: OTHERS[pair.first](folder))
        self.second = Writer(lambda: OTHERS[pair.second](folder))

    def close(self) -> str:
        """What the project holds now, as a digest with words; the window is closed. Raises a writer's fault."""
        if self._store is not None:
            self._store.close()
        for writer in (self.first, self.second):
            if writer.fault is not None:
                raise writer.fault
            if writer.refused:
                raise AssertionError(f"refused though alone: {writer.words}")
        return content(self._folder / PROJECT)


def content(path: Path) -> str:
    """Steps in words, and a digest of labels with provenance, names, groups, splits, crops and predictions."""
    with Project.open(path, read_only=True) as project:
        ids, index, faces = project.ids(), project.index(), project.faces()
        labels, predictions = project.labels(ids), project.predictions(RUN, ids)
        digest = hashlib.sha256("\n".join([*project.names(), *project.groups(), *faces.subsets]).encode())
        arrays = (labels.states, labels.origins, labels.runs, index.splits, index.missing, index.to_review, faces.crops)
        floats = (labels.points, labels.confidences, predictions.points, predictions.confidences, faces.boxes)
        for array in (*arrays, *(np.nan_to_num(values, nan=-1.0) for values in floats)):
            digest.update(np.ascontiguousarray(array).tobytes())
        steps = ", ".join(f"{step.text}{' (undone)' if step.undone else ''}" for step in read_steps(project.database))
        return f"{len(ids)} faces; {steps}; {digest.hexdigest()[:12]}"


def places(prepared: Path, folder: Path, pair: Pair) -> Iterator[tuple[int, int]]:
    """Every (at, until) of `interleave` for the pair."""
    with stepping():
        case = Case(prepared, folder, pair)
        mine, others = count_statements(case.first), count_statements(case.second)
        case.close()
    yield from ((at, until) for at in range(1, mine + 1) for until in range(others + 1))


def one_after_the_other(prepared: Path, folder: Path, pair: Pair) -> dict[str, str]:
    """What the project holds at the end, in either order: content -> order in words."""
    found: dict[str, str] = {}
    with stepping():
        for words, order in ((pair.name, (0, 1)), (f"{pair.second} + {pair.first}", (1, 0))):
            case = Case(prepared, folder, pair)
            for n in order:
                (case.first, case.second)[n].run()
            found.setdefault(case.close(), words)
    return found


def mixed(prepared: Path, folder: Path, pair: Pair, *, at: int, until: int) -> str:
    """What the project holds after the two were interleaved."""
    with stepping():
        case = Case(prepared, folder, pair)
        interleave(case.first, case.second, at=at, until=until)
        return case.close()
