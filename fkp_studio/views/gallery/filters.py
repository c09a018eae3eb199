"""Filtering and sorting of the gallery: pure functions over arrays. No Qt, no database."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum

import numpy as np

from fkp_studio.document.lacking import Lacking
from training.storage.project.tables.packed_columns import SampleIndex

WORST = 100  # faces shown by the worst-error filter


class Filter(StrEnum):
    """Which faces are shown."""

    ALL = "all faces"
    MISSING = "missing labels"
    COMPLETE = "complete"
    PREDICTED = "predicted"
    REVIEW = "to review"
    FLAGGED = "flagged"
    TRAIN = "split: train"
    VAL = "split: val"
    TEST = "split: test"
    WORST = "worst error"
    REMOVED = "removed"


class Sort(StrEnum):
    """Which faces come first."""

    INDEX = "as imported"
    MISSING = "most missing"
    ERROR = "worst error"
    CONFIDENCE = "least confident"
    NAME = "name"


OF_A_RUN = frozenset({Filter.PREDICTED, Filter.WORST, Sort.ERROR, Sort.CONFIDENCE})


@dataclass(frozen=True)
class Query:
    """The gallery's filter and order. keypoints: with MISSING only faces that lack one of these; empty: any keypoint.

    only: ids to restrict the faces to (after a click in a plot); None: no restriction. in_order: "as imported" means
    the order of `only` (the worst first).
    """

    filter: Filter = Filter.ALL
    sort: Sort = Sort.INDEX
    keypoints: tuple[int, ...] = ()
    only: tuple[int, ...] | None = None
    in_order: bool = False

    @property
    def needs_run(self) -> bool:
        """Whether the query depends on a run."""
        return bool({self.filter, self.sort} & OF_A_RUN)


@dataclass(frozen=True)
class RunFacts:
    """A run's data per face, for N faces.

    predicted: bool [N]. error: float32 [N], mean distance of prediction and label as a fraction of the image's larger
    side, NaN without any pair. confidence: float32 [N], mean over the predicted points, NaN if there are none.
    """

    predicted: np.ndarray
    error: np.ndarray
    confidence: np.ndarray

    @classmethod
    def of(cls, error: np.ndarray, confidence: np.ndarray, index: SampleIndex) -> RunFacts:
        """Build it from the mean errors in px and mean confidences of all faces."""
        sizes = np.maximum(np.maximum(index.widths, index.heights), 1)
        return cls(np.isfinite(error) | np.isfinite(confidence), error / sizes, confidence)

    @classmethod
    def empty(cls, count: int) -> RunFacts:
        """The facts of a run without predictions."""
        return cls(np.zeros(count, bool), np.full(count, np.nan, np.float32), np.full(count, np.nan, np.float32))


@dataclass(frozen=True)
class Facts:
    """All data a query can need of N faces. ranks: int64 [N], position in the order of names."""

    index: SampleIndex
    lacking: Lacking | None = None
    run: RunFacts | None = None
    ranks: np.ndarray | None = None

    def rows(self, rows: np.ndarray) -> Facts:
        """The facts of these rows only."""
        index = SampleIndex(**{f.name: getattr(self.index, f.name)[rows] for f in fields(self.index)})
        run = self.run and RunFacts(**{f.name: getattr(self.run, f.name)[rows] for f in fields(self.run)})
        return Facts(
            index,
            self.lacking and self.lacking.rows(rows),
            run,
            None if self.ranks is None else self.ranks[rows],
        )


def matches(query: Query, facts: Facts) -> np.ndarray:
    """bool [N]: the faces that match the query (for WORST: all that have an error)."""
    kept = facts.index.kept
    found = ~kept if query.filter is Filter.REMOVED else _by_filter(query, facts) & kept
    if query.only is not None:
        found &= np.isin(facts.index.ids, np.asarray(query.only, np.int64))
    return found


def _by_filter(query: Query, facts: Facts) -> np.ndarray:
    index, run = facts.index, facts.run or RunFacts.empty(len(facts.index))
    match query.filter:
        case Filter.MISSING if query.keypoints and facts.lacking is not None:
            return facts.lacking.any_of(query.keypoints)
        case Filter.MISSING:
            return index.missing > 0
        case Filter.COMPLETE:
            return index.missing == 0
        case Filter.REVIEW:
            return index.to_review > 0
        case Filter.FLAGGED:
            return index.flagged.copy()
        case Filter.TRAIN | Filter.VAL | Filter.TEST:
            return index.splits == (Filter.TRAIN, Filter.VAL, Filter.TEST).index(query.filter)
        case Filter.PREDICTED:
            return run.predicted.copy()
        case Filter.WORST:
            return np.isfinite(run.error)
    return np.ones(len(index), bool)


def arrange(query: Query, facts: Facts, *, columns: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
    """int64 [n]: the ids of the faces to show, in order. Ties keep the import order.

    columns: error (px) and confidence of the query's run, float32 [N] each; None if the query needs no run.
    """
    if columns is not None:
        facts = replace(facts, run=RunFacts.of(*columns, facts.index))
    rows = np.flatnonzero(matches(query, facts))
    run = facts.run or RunFacts.empty(len(facts.index))
    if query.filter is Filter.WORST:
        worst = rows[np.argsort(-run.error[rows], kind="stable")[:WORST]]
        rows = worst if query.sort is Sort.ERROR else np.sort(worst)
    if query.in_order and query.only is not None and query.sort is Sort.INDEX:
        shown = np.asarray(query.only, np.int64)
        return shown[np.isin(shown, facts.index.ids[rows])]
    key = _key(query.sort, facts, run)
    if key is not None:
        rows = rows[np.argsort(key[rows], kind="stable")]  # NaN goes to the end
    return facts.index.ids[rows]


def _key(sort: Sort, facts: Facts, run: RunFacts) -> np.ndarray | None:
    if sort is Sort.MISSING:
        return np.uint16(0xFFFF) - facts.index.missing
    if sort is Sort.ERROR:
        return -run.error
    if sort is Sort.CONFIDENCE:
        return run.confidence
    return facts.ranks if sort is Sort.NAME else None
