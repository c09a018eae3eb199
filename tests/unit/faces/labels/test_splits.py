"""Splits keep groups whole; near-duplicates are found, and only those."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.label_files import SHARED, textures
from training.faces.labels.near_duplicates import group_near_duplicates, looks_of
from training.faces.labels.samples import Split
from training.faces.labels.splits import assign, grouped_split

NONE = np.zeros(0, bool)
group_names = st.lists(st.sampled_from(["", "a", "b", "c", "d", "e", "f", "g"]), min_size=1, max_size=60)


def whole(groups: tuple[str, ...] | list[str], splits: np.ndarray) -> bool:
    """Whether no group is in two splits."""
    found: dict[str, set[int]] = {}
    for group, split in zip(groups, splits.tolist(), strict=True):
        if group:
            found.setdefault(group, set()).add(split)
    return all(len(parts) == 1 for parts in found.values())


@given(group_names, st.integers(0, 5), st.floats(0, 0.5), st.floats(0, 0.4))
def test_a_group_is_never_in_two_splits(groups: list[str], seed: int, val: float, test: float) -> None:
    splits = grouped_split(groups, val=val, test=test, seed=seed)
    assert whole(groups, splits)
    assert np.array_equal(splits, grouped_split(groups, val=val, test=test, seed=seed))


@given(st.lists(st.sampled_from(["a", "b", "c", "d", ""]), min_size=2, max_size=40), st.data())
def test_assign_keeps_groups_whole_whatever_the_source_says(groups: list[str], data: st.DataObject) -> None:
    count = len(groups)
    splits = np.array(data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)), np.uint8)
    given_ = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    known = data.draw(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 2)))
    assigned = assign(groups, splits, given=given_, known=known)
    assert whole(assigned.groups, assigned.splits)
    if any(assigned.groups):
        followed = [s for g, s in zip(assigned.groups, assigned.splits.tolist(), strict=True) if g in known]
        assert followed == [known[g] for g in assigned.groups if g in known]


def test_the_share_is_met_and_the_seed_changes_the_draw() -> None:
    groups = [f"person {i // 5}" for i in range(1000)]
    splits = grouped_split(groups, val=0.15, test=0.1)
    assert (splits == Split.VAL).sum() == 150 and (splits == Split.TEST).sum() == 100
    assert not np.array_equal(splits, grouped_split(groups, val=0.15, test=0.1, seed=1))


def test_val_is_never_empty_with_two_groups() -> None:
    assert sorted(grouped_split(["a", "b"], val=0.15).tolist()) == [Split.TRAIN, Split.VAL]
    assert grouped_split(["a"] * 30 + ["b"] * 20).tolist() == [Split.TRAIN] * 30 + [Split.VAL] * 20
    assert grouped_split([]).shape == (0,)


def test_given_splits_are_kept() -> None:
    splits = np.array([0, 1, 2, 0], np.uint8)
    assigned = assign(["a", "b", "c", "a"], splits, given=np.ones(4, bool))
    assert assigned.splits.tolist() == [0, 1, 2, 0] and assigned.groups == ("a", "b", "c", "a")


def test_without_a_given_val_it_is_drawn_from_train_and_test_stays() -> None:
    splits = np.array([0] * 20 + [2] * 5, np.uint8)
    assigned = assign([""] * 25, splits, given=np.ones(25, bool))
    assert (assigned.splits[20:] == Split.TEST).all() and (assigned.splits[:20] == Split.VAL).sum() == 3


def test_a_group_in_two_given_splits_goes_to_train_and_is_told() -> None:
    assigned = assign(["a", "a", "b", "c"], np.array([0, 1, 1, 0], np.uint8), given=np.ones(4, bool))
    assert assigned.splits.tolist() == [0, 0, 1, 0] and "such as a" in assigned.notes[0]


def altered(image: np.ndarray, seed: int) -> np.ndarray:
    """The same image, saved again as a low-quality JPEG, a little brighter."""
    rng = np.random.default_rng(seed)
    brighter = np.clip(image.astype(float) * 1.05 + 4 + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", brighter, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 0))


def test_repeats_and_mirrored_copies_are_one_group_and_others_are_not() -> None:
    images = textures(300, side=96)
    copies = [altered(p, i) for i, p in enumerate(images[:100])]
    mirrored = [altered(p[:, ::-1], i) for i, p in enumerate(images[50:150])]
    roots = group_near_duplicates(looks_of([*images, *copies, *mirrored]))
    assert roots[:300].tolist() == list(range(300))
    assert roots[300:400].tolist() == list(range(100))
    assert roots[400:].tolist() == list(range(50, 150))


def test_flat_images_are_only_alike_when_equal() -> None:
    flat = np.stack([np.full((16, 16), value, np.uint8) for value in (0, 0, 90, 255)])
    assert group_near_duplicates(flat).tolist() == [0, 0, 2, 3]
    assert group_near_duplicates(flat[:0]).tolist() == []


def test_mirror_images_are_found_among_thousands() -> None:
    looks = looks_of(textures(7000, side=24))
    groups = group_near_duplicates(np.concatenate([looks, looks[:500, :, ::-1]]))
    assert groups[7000:].tolist() == groups[:500].tolist()
    assert len(np.unique(groups)) == 7000


def test_near_duplicates_stay_in_one_split_through_assign() -> None:
    images = textures(200, side=48)
    looks = looks_of([*images, *images[:, :, ::-1]])
    assigned = assign([""] * 400, np.zeros(400, np.uint8), given=np.zeros(400, bool), looks=looks)
    assert assigned.splits[:200].tolist() == assigned.splits[200:].tolist()
    assert (assigned.splits == Split.VAL).sum() == 60 and all(assigned.groups)


@pytest.mark.skipif(not SHARED.exists(), reason="the real faces are not here")
def test_real_faces_of_different_people_are_not_near_duplicates() -> None:
    rows = [line.split(",")[:2] for line in (SHARED / "faces15" / "labels.csv").read_text().splitlines()[1::3]]
    looks = looks_of([cv2.imread(str(SHARED / "faces15" / "images" / name), 0) for name, _ in rows])
    roots = group_near_duplicates(looks)
    assert all(rows[i][1] == rows[root][1] for i, root in enumerate(roots))
