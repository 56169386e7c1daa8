"""The variance-exploding process against its closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from scorematching.errors import InvalidInput
from scorematching.noise import VE

T = torch.linspace(0, 1, 11, dtype=torch.float64)
LOW, HIGH = 0.02, 30.0


def test_the_noise_grows_geometrically_from_sigma_min_to_sigma_max() -> None:
    process = VE(LOW, HIGH)
    expected = torch.exp((1 - T) * math.log(LOW) + T * math.log(HIGH))
    torch.testing.assert_close(process.sigma(T), expected)
    assert torch.equal(process.alpha(T), torch.ones_like(T))
    assert (process.t_min, process.t_max) == (0.0, 1.0)


def test_drift_and_diffusion_are_those_of_the_paper() -> None:
    """dx = σ_min ratio^t √(2 ln ratio) dw."""
    process = VE(LOW, HIGH)
    squared = (LOW * (HIGH / LOW) ** T) ** 2 * 2 * math.log(HIGH / LOW)
    assert not process.drift_rate(T).any()
    torch.testing.assert_close(process.diffusion_squared(T), squared)


def test_the_log_snr_is_linear_in_time() -> None:
    expected = -2 * (math.log(LOW) + T * math.log(HIGH / LOW))
    torch.testing.assert_close(VE(LOW, HIGH).log_snr(T), expected)


def test_the_time_of_a_level_is_its_logarithm() -> None:
    levels = torch.tensor([LOW, 0.5, 7.0, HIGH], dtype=torch.float64)
    expected = (levels / LOW).log() / math.log(HIGH / LOW)
    torch.testing.assert_close(VE(LOW, HIGH).time_of(levels), expected)


@pytest.mark.parametrize(
    "levels", [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0), (1.0, 1.0), (1.0, math.inf), (math.nan, 1.0)]
)
def test_levels_that_are_no_range_are_refused(levels: tuple[float, float]) -> None:
    with pytest.raises(InvalidInput, match="0 < sigma_min < sigma_max < ∞: got sigma_min"):
        VE(*levels)
