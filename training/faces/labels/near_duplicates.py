"""Finds near-duplicate images, including mirrored ones, with a perceptual hash that avoids comparing all pairs.

Each image is reduced to 16 x 16 gray values. Its difference hash has one bit per cell of 8 x 8: whether it gets
brighter to the right. Two images whose hashes differ in at most 7 of 64 bits agree in at least one of eight bands of 8
bits, so only images that share a band are compared; candidates are confirmed on the gray values.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

LOOK = 16
MAX_BITS = 7
MIN_CORRELATION = 0.95  # on two sets of real faces this finds repeats and mirrored copies and never two people
_LARGE = 200_000  # images; above this bands have 16 bits: images with up to 3 different bits are always found
_PART = 128  # pairs compared at once
_HASHED = 1024  # images hashed at once
_MAX_STEPS = 400  # neighbours compared per bucket; only collections unlike faces have larger buckets


def looks_of(images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Gray images [H, W] of any size -> uint8 [B, 16, 16], averaged over areas."""
    out = np.empty((len(images), LOOK, LOOK), np.uint8)
    for i, image in enumerate(images):
        out[i] = cv2.resize(image, (LOOK, LOOK), interpolation=cv2.INTER_AREA)
    return out


def _row_pairs(looks: np.ndarray) -> np.ndarray:
    """Sums of two rows each, int16 [N, 8, 16]."""
    return np.add(looks[:, 0::2], looks[:, 1::2], dtype=np.int16)


def _hash(rows: np.ndarray) -> np.ndarray:
    left = rows[:, :, 0:-2:2] + rows[:, :, 1:-1:2]
    right = rows[:, :, 2::2] + rows[:, :, 3::2]
    bits = np.empty((len(rows), 8, 8), bool)
    np.greater(right, left, out=bits[:, :, :7])
    half = LOOK // 2
    bits[:, :, 7] = rows[:, :, half:].sum(axis=2, dtype=np.int16) > rows[:, :, :half].sum(axis=2, dtype=np.int16)
    return np.packbits(bits).view(np.uint64)


def group_near_duplicates(looks: np.ndarray) -> np.ndarray:
    """Groups of near-duplicates, including chains: int64 [N], the index of the group's first image."""
    count = len(looks)
    if count < 2:
        return np.arange(count)
    first, same = _unique(looks)
    which = np.concatenate([first, first + count])
    pairs = _near_pairs(_both_hashes(looks, first), which, looks=looks) % count
    return _connected(count, pairs)[first[same]]


def _unique(looks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(index of the first copy of each distinct image, for every image the number of its distinct one), as np.unique gives
    them with axis=0, but without copying the images."""
    whole = np.ascontiguousarray(looks).reshape(len(looks), -1).view(f"V{LOOK * LOOK}")[:, 0]
    order = whole.argsort(kind="stable")
    new = np.ones(len(looks), bool)
    for start in range(1, len(looks), _PART):
        some = order[start - 1 : start + _PART]
        new[start : start + _PART] = whole[some[1:]] != whole[some[:-1]]
    same = np.empty(len(looks), np.int64)
    same[order] = np.cumsum(new) - 1
    return order[new], same


def _both_hashes(looks: np.ndarray, first: np.ndarray) -> np.ndarray:
    """uint64 [2D]: the hashes of D images, then those of their mirror images."""
    hashes = np.empty((2, len(first)), np.uint64)
    for start in range(0, len(first), _HASHED):
        part = slice(start, start + _HASHED)
        rows = _row_pairs(looks[first[part]])
        hashes[0, part], hashes[1, part] = _hash(rows), _hash(rows[:, :, ::-1])
    return hashes.ravel()


def _near_pairs(hashes: np.ndarray, which: np.ndarray, *, looks: np.ndarray) -> np.ndarray:
    """Pairs [P, 2] of near-duplicates. which: the image of each hash; from N on, the mirror images of the N looks, which
    are not compared with each other."""
    found = [np.zeros((0, 2), np.int64)]
    bits = 8 if len(hashes) < _LARGE else 16
    for shift in range(0, 64, bits):
        key = hashes >> np.uint64(shift) & np.uint64((1 << bits) - 1)
        order = np.lexsort((hashes, key))
        pairs = which[order[_near_rows(key[order], hashes[order])]]
        found.append(_alike(looks, pairs[pairs.min(axis=1) < len(looks)]))
    return np.concatenate(found)


def _near_rows(key: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Pairs [P, 2] of rows that have the same key (sorted) and hashes of few different bits."""
    following = np.searchsorted(key, key, side="right") - np.arange(1, len(key) + 1)  # rows with the same key
    rows = np.argsort(-following, kind="stable")
    own, counts = hashes[rows], np.bincount(following)[::-1].cumsum()[::-1]
    first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for step, count in enumerate(counts[1 : _MAX_STEPS + 1].tolist(), start=1):
        near = rows[:count][np.bitwise_count(own[:count] ^ hashes[rows[:count] + step]) <= MAX_BITS]
        first.append(near)
        second.append(near + step)
    return np.stack([np.concatenate(first), np.concatenate(second)], axis=1)


def _alike(looks: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The pairs that correlate; compared a part at a time, since an import's memory is at its peak here."""
    found = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(pairs), _PART):
        some = pairs[start : start + _PART]
        a, b = _unit(_turned(looks, some[:, 0])), _unit(_turned(looks, some[:, 1]))
        found.append(some[np.einsum("ij,ij->i", a, b) >= MIN_CORRELATION])
    return np.concatenate(found)


def _turned(looks: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Some of the images; those from N on mirrored."""
    chosen: np.ndarray = looks[which % len(looks)]
    mirrored = which >= len(looks)
    chosen[mirrored] = chosen[mirrored, :, ::-1]
    return chosen


def _unit(looks: np.ndarray) -> np.ndarray:
    """float32 [N, 256] of mean 0 and length 1, so that a dot product is the correlation."""
    flat = looks.reshape(len(looks), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.maximum(length, 1e-6)


def _connected(count: int, pairs: np.ndarray) -> np.ndarray:
    """The smallest index of each node's connected component, int64 [count]."""
    root = np.arange(count)
    a, b = pairs[:, 0], pairs[:, 1]
    while True:
        low = np.minimum(root[a], root[b])
        before = root.copy()
        np.minimum.at(root, root[a], low)
        np.minimum.at(root, root[b], low)
        root = root[root]
        if np.array_equal(root, before):
            return root
