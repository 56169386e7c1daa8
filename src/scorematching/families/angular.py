"""Exact draws of Fisher–Bingham distributions by rejection from an angular central Gaussian.

J. T. Kent, A. M. Ganeiber & K. V. Mardia, "A new unified approach for the simulation of a wide
class of directional distributions", JCGS 27 (2018).
"""

from __future__ import annotations

import math

import torch
from scipy.optimize import brentq
from torch import Tensor

from scorematching.families.draws import rejection, unit
from scorematching.random import normal


def sample_fisher_bingham(
    matrix: Tensor, linear: Tensor, n: int, generator: torch.Generator | None = None
) -> Tensor:
    """n draws of exp(xᵀAx + bᵀx) on the unit sphere, ``(n, d)``.

    With κ = ‖b‖, μ = b/κ: κμᵀx ≤ ½κ(1 + (μᵀx)²) leaves a Bingham density with A + ½κμμᵀ. That one,
    exp(−xᵀBx) with B ≥ 0, lies below a multiple of (xᵀΩx)^{−d/2}, Ω = I + 2B/a, which is the
    density of y/‖y‖ for y ~ N(0, Ω⁻¹); a solves Σ 1/(a + 2λᵢ(B)) = 1.

    Raises
    ------
    InvalidInput
        Fewer than one proposal in 100,000 is accepted.
    """
    d, kappa = len(linear), linear.norm()
    mu = linear / kappa if kappa > 0 else linear
    values, vectors = torch.linalg.eigh(matrix + kappa / 2 * torch.outer(mu, mu))
    lam = values[-1] - values
    a = _tightest(lam)
    omega = 1 + 2 * lam / a
    log_bound = -(d - a) / 2 + d / 2 * math.log(d / a)

    def propose(m: int, source: torch.Generator) -> tuple[Tensor, Tensor]:
        y = unit(normal((m, d), linear, source) / omega.sqrt())
        bingham = -(y**2 @ lam) + d / 2 * (y**2 @ omega).log() - log_bound
        x = y @ vectors.mT
        return x, bingham - kappa / 2 * (1 - x @ mu) ** 2

    return rejection(propose, n, linear, generator)


def _tightest(lam: Tensor) -> float:
    """a in [1, d] with Σ 1/(a + 2λᵢ) = 1: the envelope that accepts most."""
    if not bool(lam.any()):
        return float(len(lam))
    return float(brentq(lambda a: (1 / (a + 2 * lam)).sum().item() - 1, 1.0, len(lam)))
