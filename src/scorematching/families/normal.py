"""The Gaussian density in natural parameters: N(K⁻¹η, K⁻¹)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.families.checks import STANDS
from scorematching.families.family import columns
from scorematching.random import normal


@dataclass(frozen=True, eq=False)
class GaussianDensity:
    """N(K⁻¹η, K⁻¹) with precision K ``(d, d)`` and linear term η ``(d,)``.

    Raises
    ------
    InvalidInput
        K is not positive definite.
    """

    precision: Tensor
    linear: Tensor
    normalised = True

    def __post_init__(self) -> None:
        check_positive_definite(self.precision)

    @property
    def location(self) -> Tensor:
        """μ = K⁻¹η, ``(d,)``."""
        return torch.cholesky_solve(self.linear[:, None], self._root)[:, 0]

    @property
    def mean(self) -> Tensor:
        """E x = μ, ``(d,)``."""
        return self.location

    @property
    def covariance(self) -> Tensor:
        """Σ = K⁻¹, ``(d, d)``."""
        return torch.cholesky_inverse(self._root)

    @property
    def _root(self) -> Tensor:
        root: Tensor = torch.linalg.cholesky(self.precision)
        return root

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) = ½ ln det K − (d/2) ln 2π − ½ (x−μ)ᵀK(x−μ), ``(n,)`` in nats."""
        d = len(self.linear)
        rows = columns(x, d)
        root = self._root.to(rows)
        whitened = (rows - self.location.to(rows)) @ root
        constant = root.diagonal().log().sum() - d / 2 * math.log(2 * math.pi)
        return constant - (whitened**2).sum(1) / 2

    def score(self, x: Tensor) -> Tensor:
        """∇ₓ log p(x) = η − Kx, like x."""
        rows = columns(x, len(self.linear))
        return (self.linear.to(rows) - rows @ self.precision.to(rows)).reshape(x.shape)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws, ``(n, d)``."""
        z = normal((n, len(self.linear)), self.linear, generator)
        whitened: Tensor = torch.linalg.solve_triangular(self._root.mT, z.mT, upper=True)
        return self.location + whitened.mT


def check_positive_definite(precision: Tensor, name: str = "K") -> None:
    """Raise InvalidInput if a matrix ``(d, d)`` is not positive definite, to rounding."""
    eigenvalues = torch.linalg.eigvalsh(precision)
    limit = len(eigenvalues) * torch.finfo(precision.dtype).eps * eigenvalues.abs().max()
    if not bool(eigenvalues.min() > limit):
        raise InvalidInput(
            f"{name} must be positive definite for a density on unbounded space: got eigenvalues "
            f"from {eigenvalues.min().item():.6g} to {eigenvalues.max().item():.6g}. {STANDS}"
            "estimate from more rows, ask for a ridge, or fix or tie entries of K."
        )
