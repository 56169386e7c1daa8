"""Two-sample distances for tables: how far are the samples from held-out rows?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score

Array = NDArray[np.float64]

N_SUBSETS = 5
N_FOLDS = 5


def energy_distance(x: Array, y: Array, *, block: int = 512) -> float:
    """Energy distance of two samples, unbiased, over all pairs.

    2 E‖X − Y‖ − E‖X − X′‖ − E‖Y − Y′‖, the last two over pairs of different rows, so that two
    samples of one law give zero on average (and may give a little less).

    Parameters
    ----------
    x, y : rows, (n, d) and (m, d), at least two of each.
    block : rows of x measured at once; changes the memory and not the result.

    Raises
    ------
    ValueError
        If a sample has fewer than two rows or the columns differ.

    References
    ----------
    Székely & Rizzo, "Energy statistics: a class of statistics based on distances", 2013.
    """
    for rows in (x, y):
        if rows.ndim != 2 or len(rows) < 2:
            raise ValueError(f"a sample must be (n >= 2, d) rows: got shape {rows.shape}.")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"samples must share their columns: got {x.shape[1]} and {y.shape[1]}.")
    between = total_distance(x, y, block) / (len(x) * len(y))
    within_x = total_distance(x, x, block) / (len(x) * (len(x) - 1))
    within_y = total_distance(y, y, block) / (len(y) * (len(y) - 1))
    return 2 * between - within_x - within_y


def total_distance(x: Array, y: Array, block: int) -> float:
    """Σᵢⱼ ‖xᵢ − yⱼ‖, a block of rows of x at a time."""
    starts = range(0, len(x), block)
    return float(sum(cdist(x[start : start + block], y).sum() for start in starts))


def classifier_accuracy(samples: Array, rows: Array, *, seed: int = 0) -> float:
    """How well gradient-boosted trees tell the samples from the rows: 0.5 is perfect for us.

    Accuracy of scikit-learn's HistGradientBoostingClassifier at its defaults, 5-fold, on balanced
    subsets (the smaller sample's size from each), the mean over 5 random subsets.

    Parameters
    ----------
    samples, rows : (n, d) and (m, d).
    seed : decides the subsets, the folds and the classifier's own draws.

    References
    ----------
    Lopez-Paz & Oquab, "Revisiting classifier two-sample tests", ICLR 2017.
    """
    size = min(len(samples), len(rows))
    labels = np.repeat([0, 1], size)
    accuracies = []
    for subset in range(N_SUBSETS):
        rng = np.random.default_rng([seed, subset])
        drawn = [part[rng.choice(len(part), size, replace=False)] for part in (samples, rows)]
        folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=N_SUBSETS * seed + subset)
        trees = HistGradientBoostingClassifier(random_state=seed)
        scores = cross_val_score(trees, np.concatenate(drawn), labels, cv=folds)
        accuracies.append(scores.mean())
    return float(np.mean(accuracies))
