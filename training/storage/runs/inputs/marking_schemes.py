"""Marking schemes: rows of different sources place points by different rules. Which rows go together is found here. Torch-free.

A scheme is an import (or a part of it, where its file says which), or within it the rows that have exactly the same few
keypoints: those of one file with fifteen points and those with four were marked by different hands. The first scheme is the
default: the one with the most labelled points.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.errors import UserError

if TYPE_CHECKING:
    from training.storage.project.project import Project

_FEWEST = 50  # labelled train rows: the offset of a scheme with fewer is less sure than it is worth


@dataclass(frozen=True)
class Schemes:
    """names: of S schemes, the default one first. rows: int64 [N], which one each sample is marked by."""

    names: tuple[str, ...]
    rows: np.ndarray


def project_schemes(project: Project, labelled: np.ndarray, splits: np.ndarray, *, how: str) -> Schemes | None:
    """The schemes of all N samples of a project. labelled: bool [N, K], points that a person or their file gave; splits: [N].

    None where there is only one.
    """
    if how == "one":
        return None
    places = _places(project) if how != "pattern" else [""] * len(splits)
    return find_schemes(_as_imported(project, labelled), places, train=splits == 0, how=how)


def find_schemes(marked: np.ndarray, places: Sequence[str], *, train: np.ndarray, how: str) -> Schemes | None:
    """marked: bool [N, K], points that the source gave. places: where each of the N rows is from. train: bool [N].

    how: "import" tells rows apart by place, "pattern" by which points they have, "auto" by both. None where that is one scheme.
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
    """Which marking scheme predicted points speak. own: samples that the model knows have each their own. "" with one scheme."""
    if not schemes:
        return ""
    known = f"the model knows {_listed(schemes)}"
    if chosen is None and own:
        return f'Points are placed as each face\'s own source does, on other faces as "{schemes[0]}" ({known}).'
    return f'Points are placed as "{chosen or schemes[0]}" ({known}).'


def scheme_number(schemes: Sequence[str], name: str) -> int:
    """The number of a marking scheme by its name. Raises UserError where the model, which knows `schemes`, has no such."""
    if name not in schemes:
        there = f"it knows {_listed(schemes)}" if schemes else "it knows only one"
        raise UserError(f'The model knows no marking scheme "{name}"; {there}.')
    return list(schemes).index(name)


def _listed(schemes: Sequence[str]) -> str:
    """In quotes: a name can have a comma."""
    *first, last = (f'"{name}"' for name in schemes)
    return f"{', '.join(first)} and {last}" if first else last


def _patterns(marked: np.ndarray, place: np.ndarray, train: np.ndarray) -> np.ndarray:
    """int64 [N]: 0, or more for rows with exactly the same few points, where enough of their place are such rows."""
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
    """The keys numbered by their labelled train points, most first; those of too few rows are the first."""
    size = int(keys.max(initial=0)) + 1
    points = np.bincount(keys, weights=marked.sum(axis=1) * train, minlength=size)
    faces = np.bincount(keys, weights=marked.any(axis=1) & train, minlength=size)
    order = [k for k in np.argsort(-points, kind="stable").tolist() if faces[k] >= _FEWEST]
    number = np.zeros(size, np.int64)
    number[order] = np.arange(len(order))
    return number[keys]


def _names(rows: np.ndarray, count: int, marked: np.ndarray, places: Sequence[str] | None) -> tuple[str, ...]:
    """Each scheme's import, with how many points its rows have where that tells them apart."""
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
    """The name of each import: one imported again, or grown, is the same source; one of the same name whose pictures lie
    elsewhere is another, with a number."""
    folders: dict[int, list[str]] = {}
    query = "SELECT DISTINCT import, absolute FROM samples JOIN folders ON folders.id = samples.folder"
    for number, folder in project.database.all(query):
        folders.setdefault(number, []).append(folder)
    names: list[str] = []
    known: dict[str, list[Path]] = {}
    for number, entry in enumerate(project.imports(), start=1):
        root = Path(os.path.commonpath(folders[number]) if number in folders else "")
        roots = known.setdefault(entry.source, [])
        same = [n for n, other in enumerate(roots) if root.is_relative_to(other) or other.is_relative_to(root)]
        if not same:
            roots.append(root)
        at = same[0] if same else len(roots) - 1
        names.append(f"{entry.source} ({at + 1})" if at else entry.source)
    return names


def _places(project: Project) -> list[str]:
    """The source of each sample, and the part of it that its file says it belongs to."""
    names = _sources(project)
    imports = project.database.all("SELECT import FROM samples ORDER BY id")
    parts = project.faces().subsets
    return [
        f"{names[number - 1]} {part}".strip() if number <= len(names) else part
        for (number,), part in zip(imports, parts, strict=True)
    ]


def _as_imported(project: Project, labelled: np.ndarray) -> np.ndarray:
    """bool [N, K]: the points that each sample's file gave, `labelled` where there is no such file.

    A point that is filled in later does not make it another source's row.
    """
    marked = labelled.copy()
    for n, cells in enumerate(project.source_cells(project.ids())):
        if cells is not None:
            there = np.array([bool(cell.strip()) for cell in cells])
            marked[n] = there[0::2] & there[1::2]
    return marked
