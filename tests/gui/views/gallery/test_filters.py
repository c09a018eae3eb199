"""Filters, sorting, and the sentence about missing labels: pure functions."""

from __future__ import annotations

import numpy as np
import pytest

from fkp_studio.document.lacking import Lacking, groups
from fkp_studio.views.gallery.facts import natural
from fkp_studio.views.gallery.filters import Facts, Filter, Query, RunFacts, Sort, arrange
from training.faces.labels.schema import IBUG_68, KAGGLE_15, KeypointSchema
from training.storage.project.tables.packed_columns import SampleIndex

SCHEMA = KeypointSchema("three", ("left_eye", "right_eye", "nose"), (1, 0, 2))


def facts() -> Facts:
    """Six faces; the run predicted the first four."""
    nan = np.nan
    index = SampleIndex(
        ids=np.arange(1, 7, dtype=np.int64),
        missing=np.array([0, 2, 1, 2, 0, 3], np.uint16),
        to_review=np.array([0, 1, 0, 0, 2, 0], np.uint16),
        widths=np.full(6, 100, np.uint16),
        heights=np.full(6, 50, np.uint16),
        splits=np.array([0, 0, 1, 1, 2, 0], np.uint8),
        flagged=np.array([False, False, True, False, False, False]),
    )
    lacking = Lacking.empty(6, SCHEMA)
    missing = np.zeros((6, 3), bool)
    missing[1, :2] = missing[3, :2] = missing[2, 2] = missing[5] = True
    lacking.put(np.arange(6), missing)
    error = np.array([2, 5, nan, 1, nan, nan], np.float32)
    confidence = np.array([0.9, 0.2, 0.5, nan, nan, nan], np.float32)
    return Facts(index, lacking, RunFacts.of(error, confidence, index), np.array([5, 4, 3, 2, 1, 0], np.int64))


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (Query(), [1, 2, 3, 4, 5, 6]),
        (Query(Filter.MISSING), [2, 3, 4, 6]),
        (Query(Filter.MISSING, keypoints=(2,)), [3, 6]),
        (Query(Filter.MISSING, keypoints=(0, 1)), [2, 4, 6]),
        (Query(Filter.COMPLETE), [1, 5]),
        (Query(Filter.REVIEW), [2, 5]),
        (Query(Filter.FLAGGED), [3]),
        (Query(Filter.TRAIN), [1, 2, 6]),
        (Query(Filter.VAL), [3, 4]),
        (Query(Filter.TEST), [5]),
        (Query(Filter.PREDICTED), [1, 2, 3, 4]),
        (Query(Filter.WORST, Sort.ERROR), [2, 1, 4]),
        (Query(Filter.WORST), [1, 2, 4]),
        (Query(sort=Sort.MISSING), [6, 2, 4, 3, 1, 5]),
        (Query(sort=Sort.ERROR), [2, 1, 4, 3, 5, 6]),
        (Query(sort=Sort.CONFIDENCE), [2, 3, 1, 4, 5, 6]),
        (Query(sort=Sort.NAME), [6, 5, 4, 3, 2, 1]),
        (Query(Filter.MISSING, Sort.NAME, only=(2, 3, 5)), [3, 2]),
    ],
)
def test_a_query_shows_these_faces_in_this_order(query: Query, shown: list[int]) -> None:
    assert arrange(query, facts()).tolist() == shown


def test_the_worst_are_at_most_a_hundred() -> None:
    count = 150
    zeros = np.zeros(count, np.uint16)
    index = SampleIndex(np.arange(1, count + 1), zeros, zeros, zeros, zeros, zeros.astype(np.uint8), zeros.astype(bool))
    columns = np.arange(count, dtype=np.float32), np.full(count, 0.5, np.float32)
    shown = arrange(Query(Filter.WORST, Sort.ERROR), Facts(index), columns=columns)
    assert shown.tolist() == list(range(150, 50, -1))


def test_without_a_run_nothing_is_predicted() -> None:
    known = facts()
    assert len(arrange(Query(Filter.PREDICTED), Facts(known.index))) == 0
    assert arrange(Query(sort=Sort.ERROR), Facts(known.index)).tolist() == [1, 2, 3, 4, 5, 6]


def test_keypoints_that_mirror_each_other_have_one_name() -> None:
    titles = [g.title for g in groups(KAGGLE_15)]
    assert "mouth corners" in titles
    assert "eyebrow outer ends" in titles
    assert "nose tip" in titles
    assert sorted(k for g in groups(KAGGLE_15) for k in g.keypoints) == list(range(15))
    assert sorted(k for g in groups(IBUG_68) for k in g.keypoints) == list(range(68))


def test_the_sentence_names_what_most_faces_lack() -> None:
    lacking = facts().lacking
    assert lacking is not None
    assert lacking.sentence() == "3 faces still lack the eyes"
    lacking.put(np.array([1, 3]), np.zeros((2, 3), bool))
    assert lacking.sentence() == "2 faces still lack the nose"
    lacking.put(np.array([5]), np.array([[True, False, False]]))
    assert lacking.sentence() == "1 face still lacks the eyes"
    lacking.put(np.array([2, 5]), np.zeros((2, 3), bool))
    assert lacking.sentence() == "Every point is labelled."


def test_names_are_sorted_as_people_count() -> None:
    names = ["face 10", "Face 2", "face 1b", "face 1"]
    assert sorted(names, key=natural) == ["face 1", "face 1b", "Face 2", "face 10"]
