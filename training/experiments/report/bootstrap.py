"""Paired bootstrap over faces and seeds: confidence intervals for measures and for differences between arms.

Faces of one person (or photo) are not independent, so whole groups are drawn with replacement (cluster bootstrap); a
face without a group is its own cluster. All arms share each draw, so effects common to all arms cancel (paired). With
two or more seeds these are drawn too, in pairs (seed s of one arm with seed s of the other), and their deviations are
scaled by sqrt(S / (S - 1)), because S resampled seeds otherwise underestimate the variance (Rao and Wu 1988). Two or
three seeds still say little about further seeds, so the report states in how many of them the sign agrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.experiments.report.measures import Terms, ratio

DRAWS = 4000
LEVEL = 0.95
FEWEST_CLUSTERS = 6  # for a decision: with fewer, all signs agree by chance in over 5 % of cases (2 * 0.5^5)
MAX_CLUSTERS = 2000  # more groups than this are merged at random, which keeps intervals valid and memory small


@dataclass(frozen=True)
class Draws:
    """Resampled faces and seeds, shared by all arms.

    cluster_of: int64 [N], the cluster of each face. weights: float [B, C], how often each cluster was drawn.
    seed_weights: float [B, S], rows sum to 1.
    """

    cluster_of: np.ndarray
    weights: np.ndarray
    seed_weights: np.ndarray


def make_draws(groups: np.ndarray, *, seeds: int, draws: int = DRAWS, seed: int = 0) -> Draws:
    """Draw `draws` times. groups: int64 [N], faces of one group share a number."""
    _, cluster_of = np.unique(groups, return_inverse=True)
    count = int(cluster_of.max(initial=-1)) + 1
    if count > MAX_CLUSTERS:
        cluster_of = np.random.default_rng([seed, 2]).permutation(count)[cluster_of] % MAX_CLUSTERS
        count = MAX_CLUSTERS
    weights = np.random.default_rng([seed, 0]).multinomial(count, np.full(count, 1 / max(count, 1)), size=draws)
    return Draws(cluster_of, weights.astype(np.float64), _seed_weights(seeds, draws=draws, seed=seed))


def _seed_weights(seeds: int, *, draws: int, seed: int) -> np.ndarray:
    """Weights [B, S] of the seeds: their share among S draws, with deviations from 1/S scaled by sqrt(S / (S - 1))."""
    if seeds == 1:
        return np.ones((draws, 1))
    rng = np.random.default_rng([seed, 1])
    counts = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws)
    return 1 / seeds + (counts - 1) / seeds * np.sqrt(seeds / (seeds - 1))


def resample(runs: Sequence[Terms], draws: Draws) -> np.ndarray:
    """The measure of each of S runs over each of B resampled sets of faces: [B, S]."""
    numerator = np.stack([_by_cluster(run.numerator, draws) for run in runs], axis=1)  # [C, S]
    denominator = np.stack([_by_cluster(run.denominator, draws) for run in runs], axis=1)
    return ratio(draws.weights @ numerator, draws.weights @ denominator, root=runs[0].root)


def _by_cluster(values: np.ndarray, draws: Draws) -> np.ndarray:
    return np.bincount(draws.cluster_of, weights=values, minlength=draws.weights.shape[1])


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval.

    per_seed: the value of each seed; `value` is their mean. clusters: the number of clusters drawn from.
    """

    value: float
    low: float
    high: float
    per_seed: tuple[float, ...]
    clusters: int = FEWEST_CLUSTERS

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0, all seeds agree in sign, and there are enough clusters to decide."""
        same = all(v > 0 for v in self.per_seed) or all(v < 0 for v in self.per_seed)
        return same and (self.low > 0 or self.high < 0) and self.clusters >= FEWEST_CLUSTERS


def interval(runs: Sequence[Terms], draws: Draws) -> Interval:
    """The mean of a measure over S runs, with its interval."""
    return _interval(np.array([run.value() for run in runs]), resample(runs, draws), draws)


def difference(first: Sequence[Terms], second: Sequence[Terms], draws: Draws) -> Interval:
    """The measure in `second` minus that in `first` (positive: first is better), with its interval.

    S runs each, paired by seed.
    """
    values = np.array([b.value() - a.value() for a, b in zip(first, second, strict=True)])
    return _interval(values, resample(second, draws) - resample(first, draws), draws)


def _interval(values: np.ndarray, drawn: np.ndarray, draws: Draws) -> Interval:
    means = (drawn * draws.seed_weights).sum(axis=1)
    means = means[np.isfinite(means)]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail]) if means.size else (np.nan, np.nan)
    seeds = tuple(float(v) for v in values)
    return Interval(float(values.mean()), float(low), float(high), seeds, draws.weights.shape[1])
