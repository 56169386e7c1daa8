"""The process of Karras et al., where time is the noise level."""

from __future__ import annotations

import pytest
import torch

from scorematching.errors import InvalidInput
from scorematching.noise import EDM

T = torch.tensor([0.002, 0.1, 1.0, 80.0], dtype=torch.float64)


def test_time_is_the_noise_level() -> None:
    process = EDM()
    assert torch.equal(process.sigma(T), T)
    assert torch.equal(process.noise_level(T), T)
    assert torch.equal(process.alpha(T), torch.ones_like(T))
    assert (process.t_min, process.t_max) == (0.002, 80.0)


def test_there_is_no_drift_and_the_diffusion_is_two_t() -> None:
    """d(t²)/dt = 2t."""
    assert not EDM().drift_rate(T).any()
    torch.testing.assert_close(EDM().diffusion_squared(T), 2 * T)
    torch.testing.assert_close(EDM().log_snr(T), -2 * T.log())
    torch.testing.assert_close(EDM().time_of(T), T)


def test_levels_that_are_no_range_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"sigma_min = 1\.0, sigma_max = 0\.5"):
        EDM(1.0, 0.5)
