"""The labels of a project as a run trains on them, whatever becomes of the project: `labels.npz`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from training.errors import UserError
from training.faces.labels.labels import Origin
from training.faces.labels.schema import KeypointSchema
from training.files.arrays import read_archive
from training.storage.runs.folder import read_about
from training.storage.runs.inputs.marking_schemes import project_schemes
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig

if TYPE_CHECKING:
    from training.storage.project.project import Project


_ARRAYS = ("ids", "points", "states", "splits", "sizes")  # of labels.npz, as in Snapshot


_OPTIONAL = ("origins", "schemes", "scheme_names")  # too, but not in every run


_KINDS = {  # of dtypes
    "ids": "i",
    "points": "f",
    "states": "u",
    "splits": "u",
    "sizes": "i",
    "origins": "u",
    "schemes": "i",
    "scheme_names": "U",
}


@dataclass(frozen=True)
class Snapshot:
    """The labels of N samples as a run uses them.

    ids: int64 [N]. points: float64 [N, K, 2], px of the original image, NaN where missing. states: uint8 [N, K].
    splits: uint8 [N], 0 train, 1 val, 2 test. sizes: int32 [N, 2], width and height of the original images.
    origins: uint8 [N, K], Origin: who made a point; None in older runs.
    schemes: int64 [N], the marking scheme of each, an index into scheme_names (str [S]); both None where there is one.
    """

    ids: np.ndarray
    points: np.ndarray
    states: np.ndarray
    splits: np.ndarray
    sizes: np.ndarray
    schema: KeypointSchema
    label_hash: str
    origins: np.ndarray | None = None
    schemes: np.ndarray | None = None
    scheme_names: np.ndarray | None = None


def snapshot_project(project: Project) -> Snapshot:
    """The current labels of all samples of a project."""
    with project.database.one_state():
        index = project.index()
        labels, label_hash = project.labels(index.ids), project.label_hash()
    sizes = np.stack([index.widths, index.heights], axis=1).astype(np.int32)
    return Snapshot(
        index.ids,
        labels.points,
        labels.states,
        index.splits,
        sizes,
        project.schema,
        label_hash,
        labels.origins,
    )


def with_schemes(project: Project, snapshot: Snapshot, config: RunConfig) -> Snapshot:
    """A snapshot of the project with the marking schemes that the settings ask for."""
    labelled = np.isfinite(snapshot.points).all(axis=-1)
    if snapshot.origins is not None:
        labelled &= ~np.isin(snapshot.origins, (Origin.MODEL, Origin.INTERPOLATED))
    how = config.network.schemes if config.network.label_offset else "one"
    found = project_schemes(project, labelled, snapshot.splits, how=how)
    return snapshot if found is None else replace(snapshot, schemes=found.rows, scheme_names=np.array(found.names))


def load_snapshot(run: Run) -> Snapshot:
    """The run's labels. Raises UserError where the file is missing or damaged."""
    about = read_about(run)
    try:
        schema = KeypointSchema.from_json(about["schema"])
        values = read_archive(run.snapshot, _ARRAYS, optional=_OPTIONAL)
        _check(values, keypoints=len(schema))
    except (OSError, ValueError) as error:
        what = "damaged" if run.snapshot.is_file() else "missing"
        raise UserError(
            f"The labels of the run {run.name} cannot be read: {run.snapshot.name} is {what}; train again."
        ) from error
    return Snapshot(**values, schema=schema, label_hash=about["label_hash"])


def _check(values: dict[str, np.ndarray], *, keypoints: int) -> None:
    """Raises ValueError where the arrays are not of one set of samples."""
    count = len(values["ids"]) if values["ids"].ndim else 0
    shapes = {
        "ids": (count,),
        "points": (count, keypoints, 2),
        "states": (count, keypoints),
        "splits": (count,),
        "sizes": (count, 2),
        "origins": (count, keypoints),
        "schemes": (count,),
        "scheme_names": (values.get("scheme_names", np.empty(0)).size,),
    }
    for name, array in values.items():
        if array.shape != shapes[name] or array.dtype.kind not in _KINDS[name]:
            raise ValueError(f"{name} is not what it should be")
    if values["sizes"].min(initial=1) < 1 or not (np.diff(values["ids"].astype(np.int64)) > 0).all():
        raise ValueError("sizes or ids are not what they should be")
    if ("schemes" in values) != ("scheme_names" in values):
        raise ValueError("only one of schemes and scheme_names is there")
    if "schemes" in values and not np.isin(values["schemes"], np.arange(shapes["scheme_names"][0])).all():
        raise ValueError("there is no such scheme")


def load_schemes(run: Run, count: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Samples (ascending) and their marking schemes, int64 [N], from a run with `count` schemes; None where it has
    none.
    """
    try:
        values = read_archive(run.snapshot, ("ids", "schemes"))
    except (OSError, ValueError):
        return None  # the model then uses its default scheme
    ids, schemes = values["ids"], values["schemes"]
    whole = ids.ndim == 1 and ids.shape == schemes.shape and len(ids) > 0
    whole = whole and ids.dtype.kind == schemes.dtype.kind == "i"
    return (ids, schemes) if whole and schemes.min() >= 0 and schemes.max() < count else None
