from __future__ import annotations

import math

import pytest
from scipy.special import ive

from scorematching.families.bessel import bessel_ratio, log_bessel_over_power

ORDERS = [0.0, 0.5, 1.0, 4.5, 49.0, 499.0, 5000.0]
ARGUMENTS = [1e-8, 0.3, 1.0, 7.0, 120.0, 4000.0]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("x", ARGUMENTS)
def test_neighbours_obey_the_recurrence(order: float, x: float) -> None:
    # I_ν − I_{ν+2} = 2(ν + 1)/x I_{ν+1}, over I_{ν+1}; with r = I_{ν+1}/I_ν: 1/r − r' = 2(ν + 1)/x
    ratio, above = bessel_ratio(order, x), bessel_ratio(order + 1, x)
    assert 1 / ratio - above == pytest.approx(2 * (order + 1) / x, rel=1e-9)
    assert 0 < ratio < 1


@pytest.mark.parametrize("x", [0.3, 7.0, 120.0, 4000.0])
def test_order_one_half_is_elementary(x: float) -> None:
    # I_½(x) = √(2/πx) sinh x, sinh x = eˣ(1 − e^{−2x})/2
    expected = x - math.log(2) + math.log1p(-math.exp(-2 * x)) + math.log(2 / math.pi) / 2
    assert log_bessel_over_power(0.5, x) == pytest.approx(expected - math.log(x), rel=1e-12)


@pytest.mark.parametrize("order", [0.0, 1.5, 20.0])
def test_the_series_and_the_scaled_function_are_one(order: float) -> None:
    for x in (0.99, 30.0):
        expected = math.log(ive(order, x)) + x - order * math.log(x)
        assert log_bessel_over_power(order, x) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_at_zero_it_is_the_first_term(order: float) -> None:
    expected = -order * math.log(2) - math.lgamma(order + 1)
    assert log_bessel_over_power(order, 0.0) == pytest.approx(expected, rel=1e-13, abs=1e-13)
    assert bessel_ratio(order, 0.0) == 0


def test_far_below_underflow_the_logarithm_is_finite() -> None:
    assert ive(5000.0, 7.0) == 0
    assert math.isfinite(log_bessel_over_power(5000.0, 7.0))
