"""Integrals over the noise level, ∫ I(σ) d ln σ, by the midpoint rule and a mean over rows.

In ln σ the integrands of information are smooth bumps that fall off at both ends, as σ² below and
as σ⁻² or faster above. For those the rule of equal steps converges exponentially in their number
(L. N. Trefethen & J. A. C. Weideman, "The exponentially convergent trapezoidal rule", SIAM Review
56 (2014)), and what lies beyond an end where I changes as σ^±2 is half of I there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.evaluate.fisher import mean_and_error
from scorematching.hutchinson import check_count
from scorematching.noise import Process
from scorematching.samplers.grids import ends


@dataclass(frozen=True, eq=False)
class NoiseIntegral:
    """An integral over noise levels, what it is made of, and what is known of its errors.

    Attributes
    ----------
    value
        The integral between the ends of the noise levels, in nats.
    standard_error
        Of value, over rows (divisor n − 1): a row enters once, with the sum over all its levels and
        draws. It knows nothing of errors in the scores.
    step_error
        An estimate of the error made by the step in ln σ, 2 q³ value, q = |Σ Iₗ e^(2πil/3)|/Σ Iₗ
        (i² = −1): an upper one for smooth bumps. See `_step_error`.
    below, above
        Estimates of what is left out below the lowest level and above the highest, in nats: half of
        the integrand at that end.
    levels
        The midpoints σ/α, increasing, ``(n_levels,)``.
    integrand, integrand_error
        The mean over rows at each level, in nats per unit of ln σ, and its standard error.
    per_row
        The integral of each row, ``(n,)``; value is its mean.
    """

    value: float
    standard_error: float
    step_error: float
    below: float
    above: float
    levels: Tensor
    integrand: Tensor
    integrand_error: Tensor
    per_row: Tensor


@dataclass(frozen=True)
class Midpoints:
    """Noise levels σ/α in the middles of equal steps in ln σ.

    Attributes
    ----------
    levels, times
        Increasing, ``(n_levels,)`` in float64; times are those of the process.
    width
        The step in ln σ.
    """

    levels: Tensor
    times: Tensor
    width: float

    @classmethod
    def between(
        cls,
        process: Process,
        n_levels: int,
        sigma_min: float | None,
        sigma_max: float | None,
    ) -> Midpoints:
        """n_levels of them between the ends given, or else those of the process.

        Raises
        ------
        InvalidInput
            n_levels is below 3, or the ends are out of order or outside the range of the process.
        """
        check_count(n_levels, "n_levels")
        if n_levels < 3:
            raise InvalidInput(f"n_levels must be at least 3: got {n_levels}. 16 do for most.")
        low, high = ends(process, sigma_min, sigma_max)
        process.time_of(torch.tensor([low, high], dtype=torch.float64))  # refuses what is outside
        width = math.log(high / low) / n_levels
        middles = torch.arange(n_levels, dtype=torch.float64) + 0.5
        levels = low * torch.exp(width * middles)
        return cls(levels, process.time_of(levels), width)

    def integral(self, rows: Tensor) -> NoiseIntegral:
        """The integral of an integrand known at each level and row, ``(n_levels, n)``, float64."""
        integrand, integrand_error = mean_and_error(rows)
        per_row = self.width * rows.sum(0)
        value, error = mean_and_error(per_row)
        # The ends lie half a step beyond the outer midpoints, where I has fallen by e^(−width).
        tails = integrand[[0, -1]] * (math.exp(-self.width) / 2)
        return NoiseIntegral(
            value=value.item(),
            standard_error=error.item(),
            step_error=_step_error(integrand, value.item()),
            below=tails[0].item(),
            above=tails[1].item(),
            levels=self.levels,
            integrand=integrand,
            integrand_error=integrand_error,
            per_row=per_row,
        )


def _step_error(integrand: Tensor, value: float) -> float:
    """An estimate of the error of the midpoint rule from the integrand at its nodes.

    By Poisson's summation formula the error is at most 2|Î(2π/h)| and faster terms, Î the Fourier
    transform of I in ln σ and h the step. |Î(2π/3h)| can be read off the nodes whatever the phase,
    and |Î| decays exponentially, at a rate that the strip in which I is analytic gives.
    """
    thirds = torch.stack([integrand[k::3].sum() for k in range(3)])
    spread = (thirds - thirds.mean()).square().sum() * 1.5  # |Σ Iₗ e^(2πil/3)|²
    total = thirds.sum().item()
    return 2 * abs(value) * (spread.sqrt().item() / total) ** 3 if total > 0 else 0.0
