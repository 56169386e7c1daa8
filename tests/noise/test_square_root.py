"""The square-root homotopy against its closed forms and the lecture's clock."""

from __future__ import annotations

import pytest
import torch

from claims.truths import MIXTURE
from scorematching.errors import InvalidInput
from scorematching.noise import SquareRoot
from scorematching.random import seeded

T = torch.linspace(0.01, 0.99, 9, dtype=torch.float64)


def test_its_closed_forms() -> None:
    """dx = −½ x/(1 − t) dt + dw/√(1 − t), σ/α = √(t/(1 − t))."""
    process = SquareRoot()
    torch.testing.assert_close(process.alpha(T), (1 - T).sqrt())
    torch.testing.assert_close(process.sigma(T), T.sqrt())
    torch.testing.assert_close(process.drift_rate(T), -1 / (2 * (1 - T)))
    torch.testing.assert_close(process.diffusion_squared(T), 1 / (1 - T))
    torch.testing.assert_close(process.time_of((T / (1 - T)).sqrt()), T)


def test_the_lecture_s_clock_runs_the_other_way() -> None:
    """x_τ = √τ x + √(1 − τ) z is x_t at t = 1 − τ: from noise at τ = 0 to data at τ = 1."""
    x = MIXTURE.sample(9, seeded("rows"))
    noised, z = SquareRoot().perturb(x, T, seeded("noise"))
    tau = (1 - T)[:, None]
    torch.testing.assert_close(noised, tau.sqrt() * x + (1 - tau).sqrt() * z)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.9), (0.1, 1.0), (0.5, 0.5)])
def test_what_is_no_range_is_refused(low: float, high: float) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        SquareRoot(low, high)
