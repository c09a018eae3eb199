"""Measures all finished runs of an experiment on one split; slow, and loads torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from training.experiments.faces import distances, load_faces
from training.experiments.papers.definition import Experiment
from training.experiments.report.results import Results, collect
from training.learning.inference.device import set_threads
from training.storage.project.project import Project
from training.storage.runs.listing import RunInfo

Key = tuple[str, int]


def measure(
    experiment: Experiment,
    project: Project,
    split: str,
    *,
    runs: Mapping[Key, RunInfo],
    failed: Mapping[Key, str],
    report: Callable[[float], None],
) -> Results:
    """The results of the runs (by trained arm and seed) on the split's faces. Raises UserError if it has no labels."""
    set_threads(1)  # on a busy machine, several threads spend more time waiting for each other than they save
    faces, target = load_faces(project, split)
    errors: dict[Key, np.ndarray] = {}
    for done, ((name, seed), info) in enumerate(runs.items()):
        report(done / len(runs))
        found = distances(project, info.run, faces, target)
        errors[name, seed] = found[-1]
        for arm in experiment.arms:
            if arm.stage_of == name and len(found) > arm.stage + 1:
                errors[arm.name, seed] = found[arm.stage]
    report(1.0)
    return collect(experiment, faces, project.schema.keypoints, runs=runs, errors=errors, failed=failed)
