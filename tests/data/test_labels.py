"""Classes by their frequencies: as near as whole numbers, and evenly mixed."""

from __future__ import annotations

import numpy as np
import pytest

from scorematching.data.labels import spread


@pytest.mark.parametrize(
    ("frequencies", "n", "counts"),
    [
        ((1 / 3, 1 / 3, 1 / 3), 300, [100, 100, 100]),
        ((0.2, 0.3, 0.5), 10, [2, 3, 5]),
        ((0.4, 0.6), 1, [0, 1]),
        ((0.45, 0.45, 0.1), 3, [2, 1, 0]),  # of equal remainders the first
        ((0.5, 0.0, 0.5), 4, [2, 0, 2]),
        ((1.0,), 5, [5]),
        ((2.0, 6.0), 8, [2, 6]),  # unnormalised
    ],
)
def test_counts_are_those_of_largest_remainders(
    frequencies: tuple[float, ...], n: int, counts: list[int]
) -> None:
    assert np.bincount(spread(frequencies, n), minlength=len(frequencies)).tolist() == counts


def test_every_count_is_within_one_of_its_share_and_every_beginning_nearly_so() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(7))
    classes = spread(shares, 1000)
    ones = classes[:, None] == np.arange(7)
    so_far = ones.cumsum(0)
    assert np.abs(so_far[-1] - 1000 * shares).max() < 1
    ideal = np.arange(1, 1001)[:, None] * so_far[-1] / 1000
    assert np.abs(so_far - ideal).max() < 3
