"""The variance-preserving process against its closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.integrate import quad

from scorematching.errors import InvalidInput
from scorematching.noise import VP

T = torch.linspace(1e-5, 1, 11, dtype=torch.float64)
LOW, HIGH = 0.3, 12.0


def beta(t: float) -> float:
    return LOW + t * (HIGH - LOW)


def test_alpha_is_the_exponential_of_half_the_integral_of_beta() -> None:
    expected = [math.exp(-quad(beta, 0, t)[0] / 2) for t in T.tolist()]
    torch.testing.assert_close(VP(LOW, HIGH).alpha(T), torch.tensor(expected, dtype=T.dtype))


def test_variance_is_preserved() -> None:
    process = VP(LOW, HIGH)
    torch.testing.assert_close(process.alpha(T) ** 2 + process.sigma(T) ** 2, torch.ones_like(T))


def test_drift_and_diffusion_are_those_of_the_paper() -> None:
    """dx = −½βx dt + √β dw."""
    process, rate = VP(LOW, HIGH), LOW + T * (HIGH - LOW)
    torch.testing.assert_close(process.drift_rate(T), -rate / 2)
    torch.testing.assert_close(process.diffusion_squared(T), rate)


def test_the_log_snr_and_its_inverse() -> None:
    process = VP(LOW, HIGH)
    integral = LOW * T + (HIGH - LOW) * T**2 / 2
    torch.testing.assert_close(process.log_snr(T), -torch.expm1(integral).log())
    level = torch.expm1(integral).sqrt()  # σ/α
    torch.testing.assert_close(process.time_of(level), T)


def test_little_noise_is_not_lost_in_single_precision() -> None:
    """1 − α² would be 0 in float32 here; σ² = −expm1(−∫β)."""
    t = torch.tensor(1e-7, dtype=torch.float32)
    expected = math.sqrt(-math.expm1(-(0.1 * 1e-7 + 19.9e-14 / 2)))
    assert VP(t_min=1e-8).sigma(t).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"beta_min": -0.1}, "beta_min = -0.1"),
        ({"beta_min": 20.0}, "beta_min = 20.0, beta_max = 20.0"),
        ({"beta_max": math.inf}, "beta_max = inf"),
        ({"beta_min": math.nan}, "beta_min = nan"),
        ({"t_min": 0.0}, "0 < t_min < 1: got t_min = 0.0"),
        ({"t_min": 1.0}, "t_min = 1.0"),
    ],
)
def test_rates_that_are_no_range_are_refused(options: dict[str, float], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        VP(**options)
