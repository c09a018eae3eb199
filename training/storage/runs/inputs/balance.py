"""Pose balance of a project's train faces, and of a run, which stores it in its folder as balance.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.errors import UserError
from training.faces.images.reading import resize_points
from training.faces.measures.pose_balance import Balance, Pose, balance, pose_components
from training.files.json_values import read_json
from training.files.replacing import replacing
from training.storage.runs.run import Run

if TYPE_CHECKING:
    from training.storage.project.project import Project
    from training.storage.runs.inputs.data import RunData
    from training.storage.runs.settings.config import RunConfig

BALANCE = "balance.json"
_PART = 4096
_MOST = 1 << 28  # bytes: some for each of ten million faces


@dataclass(frozen=True)
class RunBalance:
    """The balance of a run's train faces.

    ids: int64 [T], their samples, or their rows if they are not from a project.
    """

    ids: np.ndarray
    balance: Balance


@dataclass(frozen=True)
class ProjectPoses:
    """The labelled faces of the train split: ids [T], ascending, and their poses."""

    ids: np.ndarray
    pose: Pose

    def balanced(self, *, bins: int, seed: int = 0) -> Balance:
        """As a run with this many bins and this seed balances them."""
        return balance(self.pose.coefficients, bins=bins, seed=seed)


def project_poses(project: Project) -> ProjectPoses:
    """The poses of the currently labelled train faces. Slow. Raises UserError where they cannot be computed."""
    index = project.index()
    ids = index.ids[index.splits == 0]
    parts = [project.labels(ids[start : start + _PART]) for start in range(0, len(ids), _PART)]
    if not parts:
        raise UserError("No labelled face in the train split, so poses cannot be computed.")
    points, mask = np.concatenate([p.points for p in parts]), np.concatenate([p.mask for p in parts])
    labelled = mask.any(axis=1)
    return ProjectPoses(ids[labelled], pose_components(points[labelled], mask[labelled], flip=project.schema.flip))


def row_weights(data: RunData, config: RunConfig) -> tuple[np.ndarray, RunBalance | None]:
    """[N]: how often each row is drawn relative to the others, and the balance where the config asks for one.

    With sampling "labels" in proportion to the row's labels, else equal; with balance "pose" train rows are multiplied
    by their copies. Raises UserError where poses cannot be computed.
    """
    weights = data.mask.sum(axis=1).astype(np.float64) if config.data.sampling == "labels" else np.ones(len(data.mask))
    if config.data.balance == "none":
        return weights, None
    rows, mask = data.train, data.mask[data.train]
    points = resize_points(data.points[rows], (data.side, data.side), data.sizes[rows])
    found = balance(
        pose_components(points, mask, flip=data.schema.flip).coefficients,
        bins=config.data.balance_bins,
        seed=config.seed,
    )
    if not (found.bins >= 0).any():
        raise UserError(
            "Balancing by pose needs labels from which poses can be computed, and no face has them. Set balance to "
            "none, or label more points."
        )
    weights[rows] *= found.copies
    return weights, RunBalance(rows if data.ids is None else data.ids[rows], found)


def write_balance(run: Run, found: RunBalance) -> None:
    """Raises UserError where it cannot be written."""
    balanced = found.balance
    columns = {name: getattr(balanced, name).tolist() for name in ("edges", "before", "after", "bins", "copies")}
    with replacing(run.balance) as file:
        file.write(json.dumps({**columns, "ids": found.ids.tolist()}).encode())


def read_balance(run: Run) -> RunBalance | None:
    """The run's balance; None where it has none. Raises UserError where the file is damaged."""
    try:
        values: Any = read_json(run.balance, limit=_MOST)
        edges = np.array(values["edges"], np.float64)
        bins, copies, ids = (np.array(values[name], np.int64) for name in ("bins", "copies", "ids"))
        if edges.ndim != 1 or len(edges) < 2 or not bins.shape == copies.shape == ids.shape == (len(ids),):
            raise ValueError("the columns do not fit")
        if len(bins) and not (bins.min() >= -1 and bins.max() < len(edges) - 1 and copies.min() >= 1):
            raise ValueError("there is no such bin")
        return RunBalance(ids, Balance(edges, bins, copies))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise UserError(f"The pose balance of the run {run.name} cannot be read: {BALANCE} is damaged.") from error
