"""Two-sample distances against closed forms, with samples that must and must not be told apart."""

import numpy as np
import pytest
from benchmarks.protocols.metrics import classifier_accuracy, energy_distance
from scipy.stats import norm


def gaussian(seed: int, n: int, d: int = 1, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def folded_mean(shift: float) -> float:
    """E|shift + √2 z|, z ~ N(0, 1)."""
    std = np.sqrt(2.0)
    return 2 * std * norm.pdf(shift / std) + shift * (1 - 2 * norm.cdf(-shift / std))


def test_energy_distance_of_shifted_gaussians_meets_its_closed_form() -> None:
    shift, n = 1.5, 1500
    truth = 2 * folded_mean(shift) - 2 * folded_mean(0.0)
    runs = [
        energy_distance(gaussian(2 * run, n), gaussian(2 * run + 1, n, shift=shift))
        for run in range(8)
    ]
    standard_error = np.std(runs, ddof=1) / np.sqrt(len(runs))
    assert standard_error < 0.05 * truth
    assert abs(np.mean(runs) - truth) < 4 * standard_error


def test_energy_distance_of_one_law_is_zero_on_average() -> None:
    runs = [
        energy_distance(gaussian(2 * run, 60, 3), gaussian(2 * run + 1, 90, 3)) for run in range(60)
    ]
    standard_error = np.std(runs, ddof=1) / np.sqrt(len(runs))
    assert abs(np.mean(runs)) < 4 * standard_error
    # the control: pairs of a row with itself would add E‖X − X′‖ = 4/√π this many times
    assert 4 / np.sqrt(np.pi) * (1 / 60 + 1 / 90) > 8 * standard_error


def test_energy_distance_does_not_depend_on_the_block() -> None:
    x, y = gaussian(0, 101, 4), gaussian(1, 57, 4, shift=0.3)
    assert energy_distance(x, y, block=7) == pytest.approx(energy_distance(x, y), rel=1e-12)


def test_energy_distance_by_hand() -> None:
    x, y = np.array([[0.0], [1.0]]), np.array([[0.0], [3.0]])
    # 2·(0 + 3 + 1 + 2)/4 − 1 − 3
    assert energy_distance(x, y) == pytest.approx(-1.0, abs=1e-15)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((1, 2)), np.zeros((3, 2)), r"\(1, 2\)"),
        (np.zeros((3, 2)), np.zeros((3, 4)), r"got 2 and 4"),
    ],
)
def test_unusable_samples_are_refused(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        energy_distance(x, y)


def test_the_classifier_cannot_tell_one_law_from_itself_but_sees_a_shift() -> None:
    rows = gaussian(1, 200, 2)
    same = classifier_accuracy(gaussian(0, 400, 2), rows)
    moved = classifier_accuracy(gaussian(0, 400, 2, shift=2.0), rows)
    # 400 labels guessed at random: standard deviation 0.025, before averaging over subsets
    assert abs(same - 0.5) < 4 * 0.025
    # the best rule, a line half-way, is right with probability Φ(√2)
    assert norm.cdf(np.sqrt(2.0)) - 0.08 < moved < norm.cdf(np.sqrt(2.0)) + 0.05
