"""Takes back accepted predictions."""

from __future__ import annotations

from collections.abc import Iterator

from training.faces.labels.labels import Origin
from training.faces.labels.run_names import run_number
from training.storage.project.edits.step import Change, Edited, cleared, write_changes
from training.storage.project.project import Project
from training.storage.project.tables.label_table import blocks


def unset_accepted(project: Project, run: str) -> Edited:
    """Unset every point that was accepted from `run`."""
    number = run_number(run)

    def changes() -> Iterator[Change]:
        for block in blocks(project.database, None):
            labels = project.labels(block)
            where = (labels.origins == Origin.MODEL) & (labels.runs == number)
            yield block, labels, cleared(labels, where), where

    return write_changes(project, changes(), verb="unset", ending=f" of {run}")
