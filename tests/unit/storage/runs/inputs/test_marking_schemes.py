"""Which imports count as one marking scheme."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.helpers.project_data import batch
from training.faces.labels.schema import KAGGLE_15
from training.storage.project.project import Project
from training.storage.runs.inputs.marking_schemes import project_schemes


def test_an_import_that_grew_is_the_same_source_and_one_of_the_same_name_from_elsewhere_is_not(tmp_path: Path) -> None:
    def add(folder: str, *, first: int, name: str = "faces") -> None:
        paths = tuple(tmp_path / folder / f"{first + i}.png" for i in range(160))
        project.add_samples(replace(batch(160, first=first, paths=paths), source_cells=None), source=name)

    with Project.create(tmp_path / "p.fkp", KAGGLE_15) as project:
        add("ann/faces", first=0)
        add("ann/faces/new", first=160)
        labelled, splits = np.ones((320, 15), bool), project.index().splits
        assert project_schemes(project, labelled, splits, how="import") is None
        add("bob/faces", first=320)
        add("ann/profiles", first=480, name="profiles")
        found = project_schemes(project, np.ones((640, 15), bool), project.index().splits, how="import")
    assert found is not None
    assert set(found.names) == {"faces", "faces (2)", "profiles"} and found.names[0] == "faces"
    rows = [found.names[n] for n in found.rows[::160]]
    assert rows == ["faces", "faces", "faces (2)", "profiles"]
