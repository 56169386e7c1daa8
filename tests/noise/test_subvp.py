"""The sub-variance-preserving process against its closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from scorematching.errors import InvalidInput
from scorematching.noise import VP, SubVP

T = torch.linspace(0.01, 1, 11, dtype=torch.float64)
LOW, HIGH = 0.3, 12.0
INTEGRAL = LOW * T + (HIGH - LOW) * T**2 / 2


def test_alpha_is_that_of_vp_and_sigma_its_noise_variance() -> None:
    process, vp = SubVP(LOW, HIGH), VP(LOW, HIGH)
    torch.testing.assert_close(process.alpha(T), vp.alpha(T))
    torch.testing.assert_close(process.sigma(T), vp.sigma(T) ** 2)
    torch.testing.assert_close(process.sigma(T), 1 - torch.exp(-INTEGRAL))


def test_drift_and_diffusion_are_those_of_the_paper() -> None:
    """dx = −½βx dt + √(β(1 − e^{−2∫β})) dw."""
    process, rate = SubVP(LOW, HIGH), LOW + T * (HIGH - LOW)
    torch.testing.assert_close(process.drift_rate(T), -rate / 2)
    expected = rate * (1 - torch.exp(-2 * INTEGRAL))
    torch.testing.assert_close(process.diffusion_squared(T), expected)


def test_the_variance_of_standard_data_is_below_one() -> None:
    process = SubVP()
    alpha, sigma = process.alpha(T), process.sigma(T)
    variance = alpha**2 + sigma**2
    torch.testing.assert_close(variance, 1 - alpha**2 * (1 - alpha**2))
    assert (variance < 1).all()


def test_the_lowest_level_is_that_of_edm_by_default() -> None:
    process = SubVP()
    level = process.noise_level(torch.tensor(process.t_min, dtype=torch.float64))
    assert level.item() == pytest.approx(0.002, rel=0.01)


def test_little_noise_is_not_lost_in_single_precision() -> None:
    t = torch.tensor(1e-7, dtype=torch.float32)
    expected = -math.expm1(-(0.1 * 1e-7 + 19.9e-14 / 2))
    assert SubVP(t_min=1e-8).sigma(t).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"beta_min": -0.1}, "beta_min = -0.1"),
        ({"beta_max": 0.1}, "beta_max = 0.1"),
        ({"t_min": 0.0}, "0 < t_min < 1: got t_min = 0.0"),
    ],
)
def test_rates_that_are_no_range_are_refused(options: dict[str, float], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        SubVP(**options)
