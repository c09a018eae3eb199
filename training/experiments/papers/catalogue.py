"""All experiments by name."""

from __future__ import annotations

from training.errors import UserError
from training.experiments.papers.cascade_report import CASCADE_PER_POINT
from training.experiments.papers.definition import Experiment
from training.experiments.papers.masked_paper import TABLE_2_MASKED
from training.experiments.papers.wing_paper import (
    TABLE_1_LOSSES,
    TABLE_2_WING_GRID,
    TABLE_3_PDB_TWO_STAGE,
    TABLE_7_SPEED,
)

EXPERIMENTS: dict[str, Experiment] = {
    e.name: e
    for e in (
        TABLE_2_MASKED,
        TABLE_1_LOSSES,
        TABLE_2_WING_GRID,
        TABLE_3_PDB_TWO_STAGE,
        TABLE_7_SPEED,
        CASCADE_PER_POINT,
    )
}


def find_experiment(name: str) -> Experiment:
    """The experiment of this name. Raises UserError, listing the known names, if there is none."""
    if name not in EXPERIMENTS:
        raise UserError(f"There is no experiment {name!r}; choose one of {', '.join(EXPERIMENTS)}.")
    return EXPERIMENTS[name]
