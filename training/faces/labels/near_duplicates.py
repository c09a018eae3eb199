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
_PART = 256  # pairs compared at once
_MAX_STEPS = 400  # neighbours compared per bucket; only collections unlike faces have larger buckets


def looks_of(pictures: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Gray images [H, W] of any size -> uint8 [B, 16, 16], averaged over areas."""
    out = np.empty((len(pictures), LOOK, LOOK), np.uint8)
    for i, picture in enumerate(pictures):
        out[i] = cv2.resize(picture, (LOOK, LOOK), interpolation=cv2.INTER_AREA)
    return out


def difference_hash(looks: np.ndarray) -> np.ndarray:
    """uint8 [N, 16, 16] -> uint64 [N]."""
    rows = looks.reshape(-1, 8, 2, LOOK).sum(axis=2, dtype=np.int16)  # [N, 8, 16], at most 8 x 510 in a sum
    left = rows[:, :, 0:-2:2] + rows[:, :, 1:-1:2]
    right = rows[:, :, 2::2] + rows[:, :, 3::2]
    steps = right > left  # [N, 8, 7]
    outer = (rows[:, :, 8:].sum(axis=2) > rows[:, :, :8].sum(axis=2))[:, :, None]
    bits = np.packbits(np.concatenate([steps, outer], axis=2), axis=2)[:, :, 0]  # [N, 8]
    return np.ascontiguousarray(bits).view(np.uint64)[:, 0]


def group_near_duplicates(looks: np.ndarray) -> np.ndarray:
    """Groups of near-duplicates, including chains: int64 [N], the index of the group's first image."""
    count = len(looks)
    if count < 2:
        return np.arange(count)
    _, first, same = np.unique(looks.reshape(count, -1), axis=0, return_index=True, return_inverse=True)
    different = looks[first]
    mirrored = different[:, :, ::-1]
    hashes = np.concatenate([difference_hash(different), difference_hash(mirrored)])
    pairs = _near_pairs(hashes, np.concatenate([different, mirrored]), upright=len(different)) % len(different)
    roots = _connected(len(different), pairs)[same.ravel()]
    where = np.full(len(different), count, np.int64)
    np.minimum.at(where, roots, np.arange(count))
    return where[roots]


def _near_pairs(hashes: np.ndarray, looks: np.ndarray, *, upright: int) -> np.ndarray:
    """Pairs [P, 2] of near-duplicate rows; rows from `upright` on are mirrored, and not compared with each other."""
    found = [np.zeros((0, 2), np.int64)]
    bits = 8 if len(looks) < _LARGE else 16
    for shift in range(0, 64, bits):
        key = hashes >> np.uint64(shift) & np.uint64((1 << bits) - 1)
        order = np.lexsort((hashes, key))
        proposed = [np.zeros((0, 2), np.int64)]
        sorted_key, sorted_hash = key[order], hashes[order]
        for step in range(1, _MAX_STEPS + 1):
            near = sorted_key[:-step] == sorted_key[step:]
            if not near.any():
                break
            near &= np.bitwise_count(sorted_hash[:-step] ^ sorted_hash[step:]) <= MAX_BITS
            places = np.flatnonzero(near)
            pairs = np.stack([order[places], order[places + step]], axis=1)
            proposed.append(pairs[pairs.min(axis=1) < upright])
        found.append(_alike(looks, np.concatenate(proposed)))
    return np.concatenate(found)


def _alike(looks: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The pairs of rows that correlate; compared a part at a time, since an import's memory is at its peak here."""
    found = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(pairs), _PART):
        some = pairs[start : start + _PART]
        a, b = _unit(looks[some[:, 0]]), _unit(looks[some[:, 1]])
        found.append(some[np.einsum("ij,ij->i", a, b) >= MIN_CORRELATION])
    return np.concatenate(found)


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
