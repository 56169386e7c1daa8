"""NCSNv2's formulae against exact laws, independent solvers and the settings it published."""

from __future__ import annotations

import math

import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import chi, norm

from scorematching.errors import InvalidInput
from scorematching.noise.techniques import (
    inward_overlap,
    level_ratio,
    outward_overlap,
    relative_step,
    relaxations,
    variance_ratio,
)

# d, σ_max, σ_min, L of the ladders that the paper published.
PUBLISHED = [
    (3 * 32**2, 50.0, 0.01, 232),
    (3 * 64**2, 90.0, 0.01, 500),
    (3 * 96**2, 140.0, 0.01, 788),
    (3 * 128**2, 190.0, 0.01, 1086),
    (3 * 256**2, 348.0, 0.01, 2311),
]
DIMENSIONS = [1, 2, 4, 5, 10, 64, 784, 3072, 196608]


def by_hand(ratio: float, d: int) -> float:
    """The equation of technique 2."""
    gap = math.sqrt(2 * d) * (ratio - 1)
    return norm.cdf(gap + 3 * ratio) - norm.cdf(gap - 3 * ratio)


@pytest.mark.parametrize("d", DIMENSIONS)
def test_the_outward_overlap_is_the_paper_s_formula(d: int) -> None:
    for ratio in (1.001, 1.04, 1.5, 4.0):
        assert outward_overlap(ratio, d) == pytest.approx(by_hand(ratio, d), abs=1e-12)


@pytest.mark.parametrize("d", [100, 3072])
def test_the_overlaps_are_masses_of_shells(d: int) -> None:
    """‖x‖/σ has the chi law with d degrees of freedom; the normal approximation errs by 1/√d."""
    for excess in (0.3, 1.0, 3.0, 5.0):
        ratio = 1 + excess / math.sqrt(2 * d)
        low, high = math.sqrt(d) - 3 / math.sqrt(2), math.sqrt(d) + 3 / math.sqrt(2)
        outward = chi.cdf(ratio * high, d) - chi.cdf(ratio * low, d)
        inward = chi.cdf(high / ratio, d) - chi.cdf(low / ratio, d)
        assert outward_overlap(ratio, d) == pytest.approx(outward, abs=0.6 / math.sqrt(d))
        assert inward_overlap(ratio, d) == pytest.approx(inward, abs=0.6 / math.sqrt(d))


@pytest.mark.parametrize(("d", "top", "bottom", "levels"), PUBLISHED)
def test_all_published_ladders_have_one_overlap_and_ours_are_within_five_per_cent_of_them(
    d: int, top: float, bottom: float, levels: int
) -> None:
    """The paper says ≈ 0.5 and its ladders have 0.567; L here counts both ways."""
    ratio = (top / bottom) ** (1 / (levels - 1))
    assert outward_overlap(ratio, d) == pytest.approx(0.567, abs=0.001)
    ours = 1 + math.log(top / bottom) / math.log(level_ratio(d))
    assert ours == pytest.approx(levels, rel=0.052)
    formula = brentq(lambda g: by_hand(g, d) - 0.5, 1 + 1e-9, 1.5, xtol=1e-14)
    assert ours == pytest.approx(1 + math.log(top / bottom) / math.log(formula), rel=0.05)


@pytest.mark.parametrize("overlap", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("d", DIMENSIONS)
def test_the_ratio_is_the_largest_at_which_both_overlaps_suffice(d: int, overlap: float) -> None:
    ratio = level_ratio(d, overlap)
    both = [f(ratio, d) for f in (outward_overlap, inward_overlap)]
    assert min(both) == pytest.approx(overlap, abs=1e-9)
    wider = [f(ratio * (1 + 1e-6), d) for f in (outward_overlap, inward_overlap)]
    assert min(wider) < overlap


def test_the_paper_s_rule_says_nothing_in_up_to_four_dimensions() -> None:
    """There only the other direction bounds the ratio: 1 + 3/√(2d), nearly."""
    for d in (1, 2, 3, 4):
        assert all(outward_overlap(ratio, d) > 0.5 for ratio in (1.5, 3.0, 30.0, 1e3))
        assert level_ratio(d) == pytest.approx(1 + 3 / math.sqrt(2 * d), rel=0.05)


@pytest.mark.parametrize("n_steps_each", [1, 5, 100])
def test_the_variance_ratio_is_where_the_chain_ends(n_steps_each: int) -> None:
    """v ← (1 − a)² v + 2a, T times from γ²."""
    for step, ratio in ((0.062, 1.0376), (0.3, 2.0)):
        v = ratio**2
        for _ in range(n_steps_each):
            v = (1 - step) ** 2 * v + 2 * step
        assert variance_ratio(step, ratio, n_steps_each) == pytest.approx(v, rel=1e-12)


@pytest.mark.parametrize("n_steps_each", [1, 3, 5, 20, 200])
@pytest.mark.parametrize("ratio", [1.001, 1.04, 1.5, 5.0])
def test_the_step_makes_the_variance_ratio_closest_to_one(ratio: float, n_steps_each: int) -> None:
    step = relative_step(ratio, n_steps_each)
    found = minimize_scalar(
        lambda a: variance_ratio(a, ratio, n_steps_each),
        bounds=(1e-9, 1),
        method="bounded",
        options={"xatol": 1e-12},
    )
    assert step == pytest.approx(found.x, rel=1e-3)
    assert variance_ratio(step, ratio, n_steps_each) <= found.fun + 1e-12
    assert variance_ratio(step, ratio, n_steps_each) > 1


@pytest.mark.parametrize(
    ("published", "n_steps_each", "epsilon"),
    [(PUBLISHED[0], 5, 6.2e-6), (PUBLISHED[1], 5, 3.3e-6), (PUBLISHED[3], 3, 1.8e-6)],
)
def test_published_step_sizes_are_met(
    published: tuple[int, float, float, int], n_steps_each: int, epsilon: float
) -> None:
    _, top, bottom, levels = published
    ratio = (top / bottom) ** (1 / (levels - 1))
    assert relative_step(ratio, n_steps_each) * bottom**2 == pytest.approx(epsilon, rel=0.02)


def test_relaxations_count_steps_in_their_own_time() -> None:
    """T steps of length a, one level for every ln γ: 5 × 0.062/ln 1.0376."""
    assert relaxations(0.062, math.exp(0.031), 5) == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: level_ratio(0), "d must be an integer of at least 1"),
        (lambda: level_ratio(3, 1.0), r"overlap must be in \(0, 0.99\]: got 1.0"),
        (lambda: level_ratio(3, math.nan), "got nan"),
        (lambda: relative_step(1.0, 5), "above 1: got 1.0"),
        (lambda: relative_step(math.inf, 5), "got inf"),
        (lambda: relative_step(2.0, 0), "n_steps_each must be an integer of at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused(call: object, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        call()
