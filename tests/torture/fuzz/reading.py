"""Reads each kind of file as the program does. Raises UserError where it refuses, JudgedError where it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.torture import project_digest
from tests.torture.commands import command
from tests.torture.forked import JudgedError
from tests.torture.fuzz.valid import RUN_FOLDER, SEARCH_FOLDER
from tests.torture.inputs import RUN
from training.errors import UserError
from training.storage.project.project import Project
from training.storage.runs.run import Run

_FAR = 1e6  # px
_MOST_SAMPLES = 100_000  # that a project of six may claim after it was spoiled


def imported(folder: Path, source: str, *options: str) -> None:
    """Import into a new project: after a refusal nothing is left, else all of it can be read back."""
    path = folder / "p.fkp"
    try:
        command("import", folder / source, path, *options)
    except (UserError, RuntimeError):
        left = [file.name for file in folder.iterdir() if file.name.startswith(".") or file.name == path.name]
        if left:
            raise JudgedError("half", f"left behind: {left}") from None
        raise
    read_back(path)


def imported_into(folder: Path, source: str) -> None:
    """Import into a project that is there: after a refusal it is as it was."""
    path = folder / "there.fkp"
    before = project_digest.whole(path)
    try:
        command("import", folder / source, path)
    except (UserError, RuntimeError):
        if project_digest.whole(path) != before:
            raise JudgedError("half", "the project changed though the import was refused") from None
        raise
    read_back(path)


def read_back(path: Path) -> None:
    """All samples of a project that was just written can be read, and hold nothing impossible."""
    with Project.open(path, read_only=True) as project:
        labels, index = project.labels(project.ids()), project.index()
        if not np.isfinite(labels.points[labels.mask]).all():
            raise JudgedError("wrong", "a labelled point is not finite")
        far = ((np.abs(labels.points) > _FAR) & labels.mask[..., None]).any(axis=(1, 2))
        if (far & ~index.flagged).any():
            raise JudgedError("wrong", "a point far outside of its image is not flagged")
        for sample in project.ids().tolist():
            _read_image(project, sample, (index.heights[sample - 1], index.widths[sample - 1]))


def _read_image(project: Project, sample: int, size: tuple[int, int]) -> None:
    project.sample(sample)
    try:
        shape = project.image(sample).shape[:2]
    except UserError as error:
        raise JudgedError("wrong", f"imported, but its image cannot be read: {error}") from None
    if shape != size:
        raise JudgedError("wrong", f"the image is {shape}, the project says {size}")


def project(folder: Path) -> None:
    """What the window reads of a project, and one edit of each kind."""
    from training.storage.project.journal import read_steps
    from training.storage.project.tables.imports import read_imports
    from training.storage.project.tables.predictions import prediction_runs, run_columns
    from training.storage.project.tables.samples import source_cells

    path = folder / "p.fkp"
    command("info", path)
    with Project.open(path) as opened:
        ids = opened.ids()
        if len(ids) > _MOST_SAMPLES:
            raise JudgedError("wrong", f"a project of 6 samples claims {len(ids):,}")
        opened.index(), opened.labels(ids), opened.faces(ids), opened.groups(), opened.names(), opened.sources()
        read_steps(opened.database), read_imports(opened.database), source_cells(opened.database, ids)
        (
            prediction_runs(opened.database),
            opened.predictions(RUN, ids),
            run_columns(opened.database, RUN, len(opened.schema)),
        )
        for sample in ids.tolist():
            opened.sample(sample), opened.image(sample)
        _edited(opened, ids)


def _edited(opened: Project, ids: np.ndarray) -> None:
    from fkp_studio.document.edits import placed
    from training.assist.filling.accept import accept
    from training.storage.project.edits.change import change_labels
    from training.storage.project.edits.move import move_to_split
    from training.storage.project.edits.undo import redo, undo
    from training.storage.project.journal import read_steps

    done = [step.id for step in read_steps(opened.database) if not step.undone]
    if done:
        undo(opened, done[-1])
        redo(opened, done[-1])
    if len(ids):
        change_labels(opened, ids[:1], lambda labels: placed(labels, 0, (3.0, 4.0)), text="place")
        accept(opened, RUN, plain=True)
        move_to_split(opened, ids[:1], 1)


def run_folder(folder: Path) -> None:
    """Everything in a run's folder but its weights; the first refusal counts, after all else was read."""
    from training.assist.filling.fill_of_run import run_fill
    from training.storage.runs.folder import load_config, read_events
    from training.storage.runs.inputs.balance import read_balance
    from training.storage.runs.inputs.snapshot import load_schemes, load_snapshot
    from training.storage.runs.listing import damaged_runs, list_runs, read_run
    from training.storage.runs.model.adjustment import read_adjustment
    from training.storage.runs.model.prediction_stamp import stored_stamp

    run = Run(folder / RUN_FOLDER)
    command("info", folder / "p.fkp")
    list_runs(run.path.parent), damaged_runs(run.path.parent)
    _all_of(
        lambda: load_snapshot(run), lambda: read_run(run), lambda: load_config(run), lambda: run_fill(run),
        lambda: read_balance(run), lambda: read_adjustment(run, keypoints=15), lambda: stored_stamp(run),
        lambda: load_schemes(run, 2), lambda: read_events(run),
    )  # fmt: skip


def _all_of(*reads: Callable[[], object]) -> None:
    refused: list[UserError] = []
    for read in reads:
        try:
            read()
        except UserError as error:
            refused.append(error)
    if refused:
        raise refused[0]


def saved_state(folder: Path) -> None:
    """resume.pt, up to where a training would go on from it."""
    from training.learning.fit.parallel.ranks import Ranks
    from training.learning.fit.train_run import cut_events
    from training.learning.fit.training_loop import make_trainer

    run = Run(folder / RUN_FOLDER)
    _all_of(lambda: cut_events(run), lambda: make_trainer(run, resume=True, ranks=Ranks()))


def model(folder: Path) -> None:
    """A model file, and a prediction with it."""
    from training.learning.inference.predictor import Predictor

    predictor = Predictor.load(Run(folder / "model.safetensors"))
    network = predictor.info.config.network
    if network.input_size > 256:
        return  # allowed, and slow
    colours = (3,) if network.channels == 3 else ()
    points, _ = predictor.predict(np.zeros((2, network.input_size, network.input_size, *colours), np.uint8))
    if not np.isfinite(points).all():
        raise JudgedError("wrong", "it predicts points that are not finite")


def pretrained(folder: Path) -> None:
    """Weights made elsewhere."""
    from tests.torture.fuzz.valid import small_network
    from training.learning.fit.initial_weights.pretrained import load_state_dict

    load_state_dict(small_network(1), folder / "w.pth")


def video(folder: Path) -> None:
    """All frames of a video."""
    from training.video.source import Video

    with Video(next(folder.glob("v.*"))) as opened:
        for number, frame in enumerate(opened.frames()):
            if frame.image.dtype != np.uint8 or frame.image.ndim != 3:
                raise JudgedError("wrong", f"a frame is {frame.image.dtype} {frame.image.shape}")
            if number > 200:
                return


def poses(folder: Path) -> None:
    from training.faces.labels.head_poses import read_yaw

    with Project.open(folder / "p.fkp", read_only=True) as opened:
        read_yaw(opened.path, opened.names())


def submission(folder: Path) -> None:
    """The export that is asked for by Kaggle's table: refused, it leaves nothing."""
    out = folder / "out.csv"
    try:
        command("export", folder / "p.fkp", out, "--format", "submission", "--lookup", folder / "look.csv")
    except UserError:
        if out.exists():
            raise JudgedError("half", "a refused export left a file") from None
        raise


def search(folder: Path) -> None:
    from training.search.plan import list_searches, read_labels, read_plan, read_trials

    at = folder / SEARCH_FOLDER
    list_searches(folder / "p.fkp")
    _all_of(lambda: read_plan(at), lambda: read_trials(at), lambda: read_labels(at))
