"""Which columns are shown beside each other, and over which range."""

from __future__ import annotations

import numpy as np
import pytest

from scorematching.report.rows import bins, correlation, limits, marginal, pair, telling_pairs

RNG = np.random.default_rng(1)
START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """Each test draws the same numbers, whatever ran before it."""
    RNG.bit_generator.state = START


def test_the_pairs_that_depend_most_come_first_and_no_column_takes_all_the_room() -> None:
    z = RNG.standard_normal((400, 6))
    x = z.copy()
    x[:, 3] = np.exp(z[:, 1]) + 0.05 * z[:, 3]  # not linear: ranks see it
    x[:, 5] = -z[:, 0] + 0.5 * z[:, 5]
    pairs = telling_pairs(x)
    assert pairs[:2] == [(1, 3), (0, 5)]
    uses = np.bincount(np.ravel(pairs), minlength=6)
    assert uses.max() <= 2
    assert telling_pairs(x[:, :2]) == [(0, 1)]
    assert telling_pairs(x, count=1) == [(1, 3)]


def test_ties_and_constants_do_not_break_the_ranking() -> None:
    x = np.column_stack([np.zeros(30), np.arange(30) % 3, np.arange(30) % 3, RNG.random(30)])
    assert telling_pairs(x)[0] == (1, 2)


def test_correlations_are_pearsons_and_0_for_a_constant() -> None:
    x = RNG.standard_normal((50, 2)) @ np.array([[1.0, 2.0], [0.0, 1.0]])
    assert correlation(x) == pytest.approx(np.corrcoef(x.T)[0, 1], abs=1e-12)
    assert correlation(np.column_stack([np.ones(5), np.arange(5.0)])) == 0.0


def test_ranges_leave_out_the_farthest_values_and_are_never_empty() -> None:
    x = np.append(RNG.random(2000), 1e9)
    low, high = limits(x, x[:-1])
    assert 0 <= low < high < 1.01
    for value in (0.0, 7.0, -1e8):
        low, high = limits(np.full(4, value))
        assert low < value < high


def test_whole_numbers_stand_in_the_middle_of_their_bins() -> None:
    np.testing.assert_array_equal(bins(2.0, 5.0, whole=True), [1.5, 2.5, 3.5, 4.5, 5.5])
    wide = bins(0.0, 1000.0, whole=True)
    assert len(wide) < 30
    assert wide[0] <= 0 < 1000 <= wide[-1]
    assert (wide % 1 == 0.5).all()
    assert (np.diff(bins(0.0, 1.0, whole=False)) > 0).all()


def test_texts_say_what_the_pictures_show() -> None:
    x, y = np.arange(10.0), np.arange(10.0) + 1
    text = marginal("size", x, y, whole=True, key="m")
    assert "size: data with mean 4.5 and standard deviation 2.87, samples with mean 5.5" in text
    both = pair(("a", "b"), np.column_stack([x, -x]), np.column_stack([x, x]), "p")
    assert "b against a" in both
    assert "-1.00 in the data and 1.00 in the samples" in both
