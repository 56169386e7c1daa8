"""Distances and tests of two samples, against other ways to compute them and known laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from scorematching.report.two_sample import (
    PERMUTATIONS,
    chance_gap,
    classifier_accuracy,
    copied_share,
    energy_test,
    few,
    largest_gaps,
    nearest,
)

RNG = np.random.default_rng(2)
START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """Each test draws the same numbers, whatever ran before it."""
    RNG.bit_generator.state = START


def normal(n: int, d: int = 3, shift: float = 0.0) -> np.ndarray:
    return RNG.standard_normal((n, d)) + shift


def test_the_energy_distance_is_that_of_all_pairs() -> None:
    x, y = normal(7), normal(5, shift=1.0)

    def mean(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.mean([np.linalg.norm(p - q) for p in a for q in b]))

    expected = 2 * mean(x, y) - mean(x, x) - mean(y, y)
    assert energy_test(x, y).distance == pytest.approx(expected, abs=1e-12)


def test_p_values_are_uniform_for_one_law_and_small_for_two() -> None:
    same = np.array([energy_test(normal(20), normal(15), k).p_value for k in range(40)])
    assert abs(same.mean() - 0.5) < 4 / (12 * 40) ** 0.5
    assert stats.kstest(same, "uniform").pvalue > 1e-3
    assert energy_test(normal(60), normal(60, shift=1.0)).p_value == 1 / (1 + PERMUTATIONS)
    wide = energy_test(normal(200), 1.6 * normal(200)).p_value
    assert wide < 0.01  # not the mean alone


def test_a_classifier_tells_two_laws_and_is_a_coin_on_one() -> None:
    accuracy, error = classifier_accuracy(normal(150), normal(150))
    assert error == pytest.approx(0.5 / 300**0.5)
    assert abs(accuracy - 0.5) < 4 * error
    apart, _ = classifier_accuracy(normal(150), normal(200, shift=1.5))
    assert apart > 0.85
    turned = normal(200, 2) @ np.array([[1.0, 0.9], [0.0, 0.44]])
    shuffled = np.column_stack([turned[:, 0], RNG.permutation(turned[:, 1])])
    joint, error = classifier_accuracy(turned, shuffled)
    assert joint > 0.5 + 4 * error  # the columns alone are alike


def test_copies_are_counted_and_new_rows_are_not() -> None:
    train = normal(400, 2)
    new = copied_share(normal(600, 2), train)
    assert new is not None
    share, error = new
    assert abs(share - 0.05) < 4 * error
    copied = copied_share(np.concatenate([train[:300], normal(300, 2)]), train)
    assert copied is not None
    assert copied[0] > 0.5
    nearly = copied_share(train[:200] + 1e-4 * normal(200, 2), train)
    assert nearly is not None
    assert nearly[0] > 0.95
    repeated = np.repeat(train[:50], 2, axis=0)
    assert copied_share(train, repeated) is None


def test_the_nearest_row_may_not_be_the_row_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = normal(30)
    own = nearest(rows, rows, leave_out=np.arange(30))
    distances = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_allclose(own, distances.min(1), atol=1e-12)
    monkeypatch.setattr("scorematching.report.two_sample.CELLS", 100)  # three rows at a time
    np.testing.assert_array_equal(nearest(rows, rows, leave_out=np.arange(30)), own)
    np.testing.assert_array_equal(nearest(rows, rows), np.zeros(30))


def test_the_largest_gap_is_kolmogorovs_with_ties() -> None:
    x, y = normal(40, 2), np.rint(normal(25, 2))
    expected = [stats.ks_2samp(x[:, j], y[:, j]).statistic for j in range(2)]
    np.testing.assert_allclose(largest_gaps(x, y), expected, atol=1e-12)


def test_what_chance_allows_is_the_law_for_many_rows() -> None:
    n, m = 300, 900
    root = (n * m / (n + m)) ** 0.5
    for tests in (1, 20):
        expected = stats.kstwobign.isf(0.05 / tests) / root
        assert chance_gap(n, m, tests) == pytest.approx(expected, rel=1e-3)


def test_few_rows_are_drawn_without_replacement() -> None:
    rows = np.arange(100.0)[:, None]
    some = few(rows, 10, 0)
    assert len({*some[:, 0].tolist()}) == 10
    np.testing.assert_array_equal(some, few(rows, 10, 0))
    np.testing.assert_array_equal(few(rows, 100, 0), rows)
