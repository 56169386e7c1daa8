"""The learning rate against its formula at points worked out by hand."""

from __future__ import annotations

import math

import pytest

from scorematching.errors import InvalidInput
from scorematching.training import warmup_cosine


def test_warm_up_rises_linearly_and_reaches_one_at_its_last_step() -> None:
    assert [warmup_cosine(k, 4, 100) for k in range(4)] == [0.25, 0.5, 0.75, 1.0]


def test_cosine_falls_from_one_through_a_half_to_zero() -> None:
    assert warmup_cosine(20, 20, 120) == 1.0
    assert warmup_cosine(70, 20, 120) == pytest.approx(0.5, abs=1e-15)
    assert warmup_cosine(20 + 25, 20, 120) == pytest.approx((2 + math.sqrt(2)) / 4, abs=1e-15)
    assert warmup_cosine(120, 20, 120) == 0.0
    assert 0.0 < warmup_cosine(119, 20, 120) < 1e-3
    assert warmup_cosine(500, 20, 120) == 0.0


def test_warm_up_does_not_depend_on_the_number_of_steps() -> None:
    for step in range(10):
        assert len({warmup_cosine(step, 10, steps) for steps in (1, 5, 10, 11, 10**6)}) == 1


def test_no_warm_up_starts_at_one() -> None:
    assert warmup_cosine(0, 0, 10) == 1.0


def test_the_mean_factor_after_the_warm_up_is_a_half() -> None:
    # The trapezoidal rule is exact for half a cosine; the left sum is off by ½(1 − 0)/K.
    steps = 1000
    mean = sum(warmup_cosine(k, 0, steps) for k in range(steps)) / steps
    assert mean == pytest.approx(0.5 + 0.5 / steps, abs=1e-12)


@pytest.mark.parametrize("arguments", [(-1, 2, 3), (0, -1, 3), (0, 0, 0)])
def test_impossible_counts_are_refused(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidInput, match="expected step"):
        warmup_cosine(*arguments)
