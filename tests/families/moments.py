"""How many standard errors lie between draws and what they should average to."""

from __future__ import annotations

import torch
from torch import Tensor


def z_scores(rows: Tensor, expected: Tensor | float = 0.0) -> Tensor:
    """(mean − expected)/standard error of rows ``(n, …)``, like one row."""
    return (rows.mean(0) - expected) / (rows.std(0) / len(rows) ** 0.5)


def products(x: Tensor) -> Tensor:
    """xxᵀ per row, ``(n, d)`` → ``(n, d, d)``."""
    return x[:, :, None] * x[:, None, :]


def assert_moments(x: Tensor, mean: Tensor, covariance: Tensor, limit: float = 4.5) -> None:
    """Mean and covariance of draws within a number of standard errors."""
    assert z_scores(x, mean).abs().max() < limit
    assert z_scores(products(x - mean), covariance).abs().max() < limit
    # and a control: a tenth of a standard deviation off is noticed
    spread = covariance.diagonal().sqrt()
    assert z_scores(x, mean + 0.1 * spread).abs().min() > limit
    assert torch.isfinite(x).all()
