"""The log-density as an integral of denoising errors.

−log p(x) = (d/2) ln 2πe + ∫₀^∞ [E_z‖x − D(x + σz, σ)‖²/σ² − d/(1 + σ²)] d ln σ with the exact
denoiser D, without a ½; with a learned one the right side is no smaller in expectation over p.
X. Kong, R. Brekelmans & G. Ver Steeg, "Information-theoretic diffusion" (ICLR 2023), after D. Guo,
S. Shamai & S. Verdú, "Mutual information and minimum mean-square error" (2005).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.hutchinson import check_count
from scorematching.noise import Process
from scorematching.random import fresh, normal
from scorematching.samplers.diffusion import Diffusion
from scorematching.samplers.grids import ends
from scorematching.shapes import check_rows, event_size, sum_event
from scorematching.typing import NoisyScore


@dataclass(frozen=True)
class DenoisingBound:
    """An estimate of the bound on −log p.

    Attributes
    ----------
    value
        ``(n,)``, in nats.
    standard_error
        ``(n,)``, over the n_noise replicates; None for a single one.
    n_evaluations
        Calls of the score for each row.
    """

    value: Tensor
    standard_error: Tensor | None
    n_evaluations: int


def denoising_bound(
    noisy_score: NoisyScore,
    process: Process,
    x: Tensor,
    *,
    n_levels: int = 64,
    n_noise: int = 1,
    sigma_min: float | None = None,
    sigma_max: float | None = None,
    generator: torch.Generator | None = None,
) -> DenoisingBound:
    """Estimate the bound on −log p(x) by the trapezoidal rule in ln σ and n_noise pairs a level.

    Since x − D(x + σz, σ) = −σ (z + σs), the integrand is E‖z + σs‖² − d/(1 + σ²). It is averaged
    over z and −z, less (‖z‖² − d)/(1 + σ²)², whose mean is zero: for N(0, I) nothing random is
    left, where ‖z + σs‖² alone has a variance of 2d at small σ.

    Parameters
    ----------
    noisy_score
        s(x, t) = ∇ log p_t(x).
    process
        What the noise does; only its levels σ/α matter.
    x
        Rows of data ``(n, *event)``.
    n_levels
        Nodes of the trapezoidal rule, at least 2.
    n_noise
        Independent pairs z, −z a row and level.
    sigma_min, sigma_max
        Where the integral is cut, by default at the ends of the process's range. What is left out
        is about (‖x − E x‖² − d)/(2σ_max²) above, and of the order of σ_min² below for a smooth p.
    generator
        The source of z; without one, fresh entropy.

    Returns
    -------
    DenoisingBound
        The estimate in nats, unbiased for the trapezoidal sum, and its standard error.

    Raises
    ------
    InvalidInput
        A count is too small, the range is outside the process's, or x is no batch of rows.
    """
    check_rows(x)
    check_count(n_levels - 1, "n_levels − 1")
    check_count(n_noise, "n_noise")
    generator = generator or fresh(x.device)
    low, high = ends(process, sigma_min, sigma_max)
    levels = low * (high / low) ** torch.linspace(0, 1, n_levels, dtype=torch.float64)
    levels[-1] = high
    width = math.log(high / low) / (n_levels - 1)
    total = torch.zeros(n_noise, len(x), dtype=torch.float64, device=x.device)
    diffusion = Diffusion(noisy_score, process)
    with torch.no_grad():
        for i, t in enumerate(process.time_of(levels)):
            weight = width / 2 if i in (0, n_levels - 1) else width
            for k in range(n_noise):
                z = normal(tuple(x.shape), x, generator)
                total[k] += weight * _excess(diffusion, x, z, t)
    value = event_size(x) / 2 * math.log(2 * math.pi * math.e) + total
    error = (value.std(0) / math.sqrt(n_noise)).to(x) if n_noise > 1 else None
    return DenoisingBound(value.mean(0).to(x), error, 2 * n_levels * n_noise)


def _excess(diffusion: Diffusion, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """The integrand of `denoising_bound` for one pair z, −z and level, ``(n,)`` in float64."""
    alpha, sigma = diffusion.scales(t)
    pair = torch.cat([z, -z])
    noisy = alpha * torch.cat([x, x]) + sigma * pair
    errors = sum_event((pair + sigma * diffusion.score(noisy, t)).double() ** 2)
    shrinkage, d = 1 / (1 + (sigma / alpha) ** 2), event_size(x)
    spread = sum_event(z.double() ** 2) - d
    return errors.view(2, -1).mean(0) - shrinkage**2 * spread - shrinkage * d
