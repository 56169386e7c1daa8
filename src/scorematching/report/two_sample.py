"""How far samples are from rows of data: distances, tests, and the rows that samples copy.

All take rows ``(n, d)`` in preprocessed coordinates, where columns have comparable scales.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = NDArray[np.float64]

AT_MOST = 500  # rows of each kind in a test whose cost grows with their square
PERMUTATIONS = 999
FOLDS = 5
TREES = 100
QUERIES = 1000
COPY_QUANTILE = 0.05
CELLS = 8_000_000  # of a matrix of distances at a time


@dataclass(frozen=True)
class EnergyTest:
    """The energy distance of two samples, and the share of random relabellings that exceed it."""

    distance: float
    p_value: float


def energy_test(x: Array, y: Array, seed: int = 0) -> EnergyTest:
    """2 E‖X − Y‖ − E‖X − X′‖ − E‖Y − Y′‖ of at most 500 rows each, tested by permutation.

    p = (1 + number of relabellings at least as far)/(1 + 999): uniform where both are of one law.

    References
    ----------
    Székely & Rizzo, "Energy statistics: a class of statistics based on distances", 2013.
    """
    x, y = few(x, AT_MOST, seed), few(y, AT_MOST, seed)
    both = np.concatenate([x, y])
    between = cdist(both, both)
    n, m = len(x), len(y)
    first = np.zeros((n + m, PERMUTATIONS + 1))
    first[:n, 0] = 1
    rng = np.random.default_rng((seed, n, m))
    for k in range(1, PERMUTATIONS + 1):
        first[rng.permutation(n + m)[:n], k] = 1
    rows = between @ first
    within_x = (first * rows).sum(0)
    total = between.sum()
    across = rows.sum(0) - within_x
    within_y = total - within_x - 2 * across
    found = 2 * across / (n * m) - within_x / n**2 - within_y / m**2
    reached = np.count_nonzero(found[1:] >= found[0] * (1 - 1e-12))
    return EnergyTest(float(found[0]), (1 + reached) / (1 + PERMUTATIONS))


def classifier_accuracy(x: Array, y: Array, seed: int = 0) -> tuple[float, float]:
    """How often extremely randomised trees tell x from y, and its standard error; ½ is chance.

    Five-fold cross-validation on as many rows of each kind, 500 at most. The standard error is
    that of as many tosses of a coin.

    References
    ----------
    Lopez-Paz & Oquab, "Revisiting classifier two-sample tests", ICLR 2017.
    """
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    size = min(len(x), len(y), AT_MOST)
    rows = np.concatenate([few(x, size, seed), few(y, size, seed)])
    kinds = np.repeat([0, 1], size)
    trees = ExtraTreesClassifier(TREES, min_samples_leaf=3, random_state=seed)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    accuracy = float(cross_val_score(trees, rows, kinds, cv=folds).mean())
    return accuracy, 0.5 / np.sqrt(2 * size)


def copied_share(samples: Array, train: Array, seed: int = 0) -> tuple[float, float] | None:
    """The share of samples that lie as near to a training row as few training rows lie to another.

    Near is below the 5% quantile of the distances between a training row and the nearest other
    one: a new row of the data's law would be so near in 5% of cases.

    Returns
    -------
    tuple of float, or None
        The share and its standard error; None where that many rows repeat each other exactly.
    """
    samples, some = few(samples, QUERIES, seed), few_of(len(train), QUERIES, seed)
    own = nearest(train[some], train, leave_out=some)
    limit = float(np.quantile(own, COPY_QUANTILE))
    if limit == 0:
        return None
    share = float((nearest(samples, train) < limit).mean())
    near = max(share, COPY_QUANTILE)
    # Both the share and the quantile are estimates.
    spread = near * (1 - near) / len(samples) + COPY_QUANTILE * (1 - COPY_QUANTILE) / len(own)
    return share, float(np.sqrt(spread))


def nearest(x: Array, rows: Array, leave_out: Sequence[int] | NDArray[np.int64] = ()) -> Array:
    """The distance of each row of x to the nearest of rows, x[k] not taken for leave_out[k]."""
    found = np.empty(len(x))
    block = max(1, CELLS // len(rows))
    for start in range(0, len(x), block):
        part = slice(start, start + block)
        distance = cdist(x[part], rows)
        left_out = np.asarray(leave_out[part], dtype=np.int64)
        distance[np.arange(len(left_out)), left_out] = np.inf
        found[part] = distance.min(1)
    return found


def largest_gaps(x: Array, y: Array) -> Array:
    """max |F_x − F_y| of the distribution functions of each column, ``(d,)``.

    A. N. Kolmogorov 1933; N. V. Smirnov 1939.
    """
    gaps = np.empty(x.shape[1])
    for j in range(x.shape[1]):
        at = np.concatenate([x[:, j], y[:, j]])
        below = [np.searchsorted(np.sort(each[:, j]), at, side="right") for each in (x, y)]
        gaps[j] = np.abs(below[0] / len(x) - below[1] / len(y)).max()
    return gaps


def chance_gap(n: int, m: int, tests: int, level: float = 0.05) -> float:
    """What the largest gap of each of some tests exceeds by chance, in a share level of cases.

    √(−½ ln(α/2) (n + m)/(n m)), the law for many rows, with Bonferroni's α = level/tests.
    """
    alpha = level / max(tests, 1)
    return float(np.sqrt(-0.5 * np.log(alpha / 2) * (n + m) / (n * m)))


def few(rows: Array, count: int, seed: int) -> Array:
    """At most count of the rows, at random."""
    return rows[few_of(len(rows), count, seed)]


def few_of(n: int, count: int, seed: int) -> NDArray[np.int64]:
    """The numbers of at most count of n rows, in their order."""
    if n <= count:
        return np.arange(n)
    return np.sort(np.random.default_rng((seed, n)).choice(n, count, replace=False))
