"""Marking schemes: groups of rows whose points were placed by the same rules.

A scheme is an import (or a part of one, where its file says which), or the rows within it that have exactly the same
few keypoints: rows of one file with fifteen points and rows with four were labelled differently. The first scheme, the
one with the most labelled points, is the default.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.errors import UserError
from training.storage.project.tables.imports import import_folders, import_numbers, read_imports
from training.storage.project.tables.samples import source_cells

if TYPE_CHECKING:
    from training.storage.project.project import Project

_FEWEST = 50  # labelled train rows; with fewer, a scheme's offset is too uncertain to be useful


@dataclass(frozen=True)
class Schemes:
    """names: of the S schemes, the default first. rows: int64 [N], the scheme of each sample."""

    names: tuple[str, ...]
    rows: np.ndarray


def project_schemes(project: Project, labelled: np.ndarray, splits: np.ndarray, *, how: str) -> Schemes | None:
    """The schemes of all N samples of a project; None if there is only one.

    labelled: bool [N, K], points from a person or an imported file; splits: [N].
    """
    if how == "one":
        return None
    places = _places(project) if how != "pattern" else [""] * len(splits)
    return find_schemes(_as_imported(project, labelled), places, train=splits == 0, how=how)


def find_schemes(marked: np.ndarray, places: Sequence[str], *, train: np.ndarray, how: str) -> Schemes | None:
    """marked: bool [N, K], points that the source gave. places: where each of the N rows comes from. train: bool [N].

    how: "import" separates rows by place, "pattern" by which points they have, "auto" by both. None for a single
    scheme.
    """
    _, place_of = np.unique(np.array(places), return_inverse=True)
    key = np.zeros(len(marked), np.int64)
    if how in ("auto", "import"):
        key = place_of.astype(np.int64)
    kinds = _patterns(marked, key, train) if how in ("auto", "pattern") else np.zeros(len(marked), np.int64)
    _, both = np.unique(np.stack([key, kinds], axis=1), axis=0, return_inverse=True)
    rows = _merged(both.reshape(-1), marked, train)
    count = int(rows.max(initial=0)) + 1
    if count < 2:
        return None
    return Schemes(_names(rows, count, marked, places if how != "pattern" else None), rows)


def scheme_words(schemes: Sequence[str], chosen: str | None = None, *, own: bool = True) -> str:
    """Which marking scheme predicted points follow; "" with one scheme.

    own: samples known to the model follow their own.
    """
    if not schemes:
        return ""
    known = f"the model knows {_listed(schemes)}"
    if chosen is None and own:
        return f'Points follow the scheme of each face\'s own source, and "{schemes[0]}" on other faces ({known}).'
    return f'Points follow the scheme "{chosen or schemes[0]}" ({known}).'


def scheme_number(schemes: Sequence[str], name: str) -> int:
    """The number of a marking scheme by its name. Raises UserError where it is not among the model's `schemes`."""
    if name not in schemes:
        there = f"it knows {_listed(schemes)}" if schemes else "it knows only one"
        raise UserError(f'The model knows no marking scheme "{name}"; {there}.')
    return list(schemes).index(name)


def _listed(schemes: Sequence[str]) -> str:
    """The names in quotes, since a name may contain a comma."""
    *first, last = (f'"{name}"' for name in schemes)
    return f"{', '.join(first)} and {last}" if first else last


def _patterns(marked: np.ndarray, place: np.ndarray, train: np.ndarray) -> np.ndarray:
    """int64 [N]: > 0 for rows with exactly the same few points, if their place has enough such rows, else 0."""
    kinds = np.zeros(len(marked), np.int64)
    few = (marked.sum(axis=1) > 0) & (marked.sum(axis=1) <= marked.shape[1] / 2)
    for where in np.unique(place):
        chosen = np.flatnonzero(few & (place == where))
        if not len(chosen):
            continue
        _, which, counts = np.unique(marked[chosen], axis=0, return_inverse=True, return_counts=True)
        which = which.reshape(-1)
        in_train = np.bincount(which[train[chosen]], minlength=len(counts))
        frequent = np.flatnonzero(in_train >= _FEWEST)
        for number, pattern in enumerate(frequent, start=1):
            kinds[chosen[which == pattern]] = number
    return kinds


def _merged(keys: np.ndarray, marked: np.ndarray, train: np.ndarray) -> np.ndarray:
    """The keys renumbered by their labelled train points, most first; keys with too few rows become the first."""
    size = int(keys.max(initial=0)) + 1
    points = np.bincount(keys, weights=marked.sum(axis=1) * train, minlength=size)
    faces = np.bincount(keys, weights=marked.any(axis=1) & train, minlength=size)
    order = [k for k in np.argsort(-points, kind="stable").tolist() if faces[k] >= _FEWEST]
    number = np.zeros(size, np.int64)
    number[order] = np.arange(len(order))
    return number[keys]


def _names(rows: np.ndarray, count: int, marked: np.ndarray, places: Sequence[str] | None) -> tuple[str, ...]:
    """Each scheme's import, with the number of points of its rows where needed to distinguish schemes."""
    firsts = [np.flatnonzero(rows == n) for n in range(count)]
    imports = ["" if places is None else _usual([places[i] for i in chosen.tolist()]) for chosen in firsts]
    points = [int(np.bincount(marked[chosen].sum(axis=1)).argmax()) for chosen in firsts]
    several = len(set(imports)) > 1
    names: list[str] = []
    for place, size in zip(imports, points, strict=True):
        alone = several and imports.count(place) == 1
        name = place if alone else ", ".join([*([place] if several else []), f"{size} points"])
        again = sum(n == name or n.startswith(f"{name} (") for n in names)
        names.append(f"{name} ({again + 1})" if again else name)
    return tuple(names)


def _usual(texts: list[str]) -> str:
    values, counts = np.unique(np.array(texts), return_counts=True)
    return str(values[counts.argmax()])


def _sources(project: Project) -> list[str]:
    """The name of each import. An import that was repeated or extended is the same source; one of the same name whose
    images are elsewhere is another, with a number."""
    folders = import_folders(project.database)
    names: list[str] = []
    known: dict[str, list[Path]] = {}
    for number, entry in enumerate(read_imports(project.database), start=1):
        root = Path(os.path.commonpath(folders[number]) if number in folders else "")
        roots = known.setdefault(entry.source, [])
        same = [n for n, other in enumerate(roots) if root.is_relative_to(other) or other.is_relative_to(root)]
        if not same:
            roots.append(root)
        at = same[0] if same else len(roots) - 1
        names.append(f"{entry.source} ({at + 1})" if at else entry.source)
    return names


def _places(project: Project) -> list[str]:
    """The source of each sample, and the part of it that its file names."""
    names = _sources(project)
    numbers = import_numbers(project.database).tolist()
    parts = project.faces().subsets
    return [
        f"{names[number - 1]} {part}".strip() if number <= len(names) else part
        for number, part in zip(numbers, parts, strict=True)
    ]


def _as_imported(project: Project, labelled: np.ndarray) -> np.ndarray:
    """bool [N, K]: the points that each sample's file gave, `labelled` where there is no such file.

    Points filled in later must not change a row's source.
    """
    marked = labelled.copy()
    for n, cells in enumerate(source_cells(project.database, project.ids())):
        if cells is not None:
            there = np.array([bool(cell.strip()) for cell in cells])
            marked[n] = there[0::2] & there[1::2]
    return marked
