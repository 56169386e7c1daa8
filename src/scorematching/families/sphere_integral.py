"""Integrals of exp(quadratic) over the unit sphere, to rounding, as a one-dimensional integral.

With A = −diag λ, b = γ in A's eigenbasis, the Laplace transform over the squared radius of a
Gaussian integral is elementary, and its inversion at radius one gives

    c = ∫_S exp(−Σ λᵢxᵢ² + γᵢxᵢ) dS = (1/πi) ∫ e^{φ(t)} dt,
    φ(t) = t + Σ ½ ln(π/(λᵢ + t)) + γᵢ²/(4(λᵢ + t))

along any path that passes to the right of all −λᵢ (A. Kume & A. T. A. Wood, Biometrika 92 (2005),
take the saddle point of it). Here the trapezoidal rule runs along the parabola through the saddle
point, λ_min + t = δ(1 + iu)², on which it converges exponentially (J. A. C. Weideman &
L. N. Trefethen, Math. Comp. 76 (2007)). Under the weights of the same sum x is Gaussian with means
γᵢ/(2(λᵢ + t)) and variances 1/(2(λᵢ + t)), which gives the moments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor

STEP = 0.1  # the integrand is analytic for |Im u| < 1: errors fall as exp(−2π/step)
DROP = 90.0  # nats below the saddle where the sum is cut


@dataclass(frozen=True, eq=False)
class SphereIntegral:
    """ln c in nats, E x ``(d,)`` and E xxᵀ ``(d, d)`` of exp(xᵀAx + bᵀx)/c on the sphere."""

    log_value: float
    mean: Tensor
    second_moment: Tensor


def sphere_integral(matrix: Tensor, linear: Tensor) -> SphereIntegral:
    """ln ∫ exp(xᵀAx + bᵀx) dS(x) and the moments, for A ``(d, d)`` symmetric and b ``(d,)``."""
    values, vectors = torch.linalg.eigh(matrix.double())
    largest = values[-1].item()
    lam = (largest - values).numpy()  # ≥ 0, the smallest is 0
    gamma = (vectors.mT @ linear.double()).numpy()

    delta = _saddle(lam, gamma)
    curvature = np.sum(0.5 / (lam + delta) ** 2 + gamma**2 / (2 * (lam + delta) ** 3))
    step = min(STEP, 1 / (5 * delta * math.sqrt(curvature)))
    u = step * np.arange(math.ceil(math.sqrt(DROP / delta) / step) + 1)
    t = lam[:, None] + delta * (1 + 1j * u) ** 2
    exponent = delta * ((1 + 1j * u) ** 2 - 1) + np.sum(
        np.log((lam[:, None] + delta) / t) / 2 + gamma[:, None] ** 2 / 4 / t, axis=0
    )
    shift = np.sum(gamma**2 / 4 / (lam + delta))
    weights = np.exp(exponent - shift) * (1 + 1j * u)
    weights[1:] *= 2  # the other half of the path is the complex conjugate
    total = weights.real.sum()
    at_saddle = delta + np.sum(np.log(math.pi / (lam + delta))) / 2 + shift

    means = gamma[:, None] / (2 * t)
    mean = (weights * means).real.sum(1) / total
    second = np.einsum("k,ik,jk->ij", weights, means, means).real / total
    second[np.diag_indices(len(lam))] += (weights / (2 * t)).real.sum(1) / total
    return SphereIntegral(
        largest + at_saddle + math.log(2 * delta * step / math.pi * total),
        vectors @ torch.from_numpy(mean),
        vectors @ torch.from_numpy(second) @ vectors.mT,
    )


def _saddle(lam: np.ndarray, gamma: np.ndarray) -> float:
    """δ > 0 with φ′ = 1 − Σ ½/(λᵢ + δ) − γᵢ²/(4(λᵢ + δ)²) = 0; φ′ rises from −∞ to 1."""

    def slope(delta: float) -> float:
        return float(1 - np.sum(0.5 / (lam + delta) + gamma**2 / (4 * (lam + delta) ** 2)))

    d, size = len(lam), float(np.linalg.norm(gamma))
    return float(brentq(slope, 0.25, d + size + 1, xtol=1e-12, rtol=1e-12))
