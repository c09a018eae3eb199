"""Balance by pose of a project's train faces and of a run, which keeps it in its folder as balance.json. Torch-free."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.balance import Balance, Pose, balance, pose_components
from training.data.pictures import resize_points
from training.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.config import RunConfig
    from training.project.project import Project
    from training.rundata import RunData

BALANCE = "balance.json"
_PART = 4096


@dataclass(frozen=True)
class RunBalance:
    """What a run balanced. edges: K + 1, of the bins; before, after: K, faces; lacking: faces whose points settle no pose.

    copies: sample id -> how often it counts, of the faces that count more than once.
    """

    edges: tuple[float, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    lacking: int
    copies: Mapping[int, int]


@dataclass(frozen=True)
class ProjectPoses:
    """The faces of the train split that have a label: ids [T], ascending, and their poses."""

    ids: np.ndarray
    pose: Pose

    def balanced(self, *, bins: int, seed: int = 0) -> Balance:
        """How a run with this many bins and this seed balances them."""
        return balance(self.pose.coefficients, bins=bins, seed=seed)


def project_poses(project: Project) -> ProjectPoses:
    """The poses of the train faces as they are labelled now. Not quick. Raises UserError where none can be told."""
    index = project.index()
    ids = index.ids[index.splits == 0]
    parts = [project.labels(ids[start : start + _PART]) for start in range(0, len(ids), _PART)]
    if not parts:
        raise UserError("There are no faces in the train split to tell the poses of.")
    points, mask = np.concatenate([p.points for p in parts]), np.concatenate([p.mask for p in parts])
    labelled = mask.any(axis=1)
    return ProjectPoses(ids[labelled], pose_components(points[labelled], mask[labelled], flip=project.schema.flip))


def row_weights(data: RunData, config: RunConfig) -> tuple[np.ndarray, RunBalance | None]:
    """How often each row is drawn, relative to the others [N], and the balance where the config asks for one.

    With sampling "labels" in proportion to the row's labels, else alike; with balance "pose" the train rows times their
    copies. Raises UserError where no pose can be told.
    """
    weights = data.mask.sum(axis=1).astype(np.float64) if config.sampling == "labels" else np.ones(len(data.mask))
    if config.balance == "none":
        return weights, None
    rows, mask = data.train, data.mask[data.train]
    points = resize_points(data.points[rows], (data.side, data.side), data.sizes[rows])
    found = balance(
        pose_components(points, mask, flip=data.schema.flip).coefficients, bins=config.balance_bins, seed=config.seed
    )
    ids = rows if data.ids is None else data.ids[rows]
    weights[rows] *= found.copies
    return weights, run_balance(found, ids)


def run_balance(found: Balance, ids: np.ndarray) -> RunBalance:
    """What to keep of the balance of the faces `ids` [N]."""
    more = found.copies > 1
    return RunBalance(
        edges=tuple(found.edges.tolist()),
        before=tuple(found.before.tolist()),
        after=tuple(found.after.tolist()),
        lacking=int((found.bins < 0).sum()),
        copies=dict(zip(ids[more].tolist(), found.copies[more].tolist(), strict=True)),
    )


def write_balance(run_dir: Path, found: RunBalance) -> None:
    """Keep it in the run's folder; written beside and renamed."""
    beside = run_dir / f".{BALANCE}"
    beside.write_text(json.dumps(asdict(found)), encoding="utf-8")
    beside.replace(run_dir / BALANCE)


def read_balance(run_dir: Path) -> RunBalance | None:
    """What the run balanced; None where it did not. Raises UserError where the file is damaged."""
    try:
        values: Any = json.loads((run_dir / BALANCE).read_text(encoding="utf-8"))
        return RunBalance(
            edges=tuple(float(v) for v in values["edges"]),
            before=tuple(int(v) for v in values["before"]),
            after=tuple(int(v) for v in values["after"]),
            lacking=int(values["lacking"]),
            copies={int(k): int(v) for k, v in values["copies"].items()},
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"What the run {run_dir.name} balanced cannot be read: {BALANCE} is damaged.") from error
