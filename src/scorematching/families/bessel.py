"""The modified Bessel function I_ν in logarithms, without underflow or overflow."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln, ive, logsumexp

SAFE = 1e-280  # below this the exponentially scaled function is close to underflow


def log_bessel_over_power(order: float, x: float) -> float:
    """ln(I_ν(x)/xᵛ) for ν ≥ 0 and x ≥ 0; finite at x = 0.

    From the scaled function of AMOS where that is representable, else from the power series

        I_ν(x)/xᵛ = 2⁻ᵛ Σ_k (x²/4)ᵏ/(k! Γ(ν + k + 1)),

    whose terms are all positive, so that nothing cancels.
    """
    if x > 1:
        scaled = float(ive(order, x))
        if SAFE < scaled < math.inf:
            return math.log(scaled) + x - order * math.log(x)
    k = np.arange(math.ceil(x) + 60)  # the terms fall from k = x/2 on, by ¼ each from k = x
    log_quarter = 2 * math.log(x / 2) if x > 0 else -math.inf
    powers = np.zeros(len(k))
    powers[1:] = k[1:] * log_quarter
    terms = powers - gammaln(k + 1) - gammaln(order + k + 1)
    return float(logsumexp(terms)) - order * math.log(2)


def bessel_ratio(order: float, x: float) -> float:
    """I_{ν+1}(x)/I_ν(x) for ν ≥ 0 and x ≥ 0, between 0 and 1."""
    above = log_bessel_over_power(order + 1, x)
    return x * math.exp(above - log_bessel_over_power(order, x))
