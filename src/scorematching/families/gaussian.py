"""The Gaussian in natural parameters: log p = −½ xᵀKx + ηᵀx, K = Σ⁻¹ and η = Kμ.

Score matching on Euclidean space is maximum likelihood here (Hyvärinen 2005); truncated to any
other domain, K and η keep their meaning and only the normalising constant changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import Euclidean
from scorematching.domains.domain import Domain
from scorematching.errors import InvalidInput
from scorematching.families.family import check_dimension, check_theta, columns
from scorematching.families.triangles import (
    entry_names,
    lower_by_rows,
    symmetric,
    vector_names,
)
from scorematching.random import normal


@dataclass(frozen=True)
class Gaussian:
    """log p(x; K, η) = −½ xᵀKx + ηᵀx + const on ℝᵈ, or truncated to a domain.

    θ is K's lower triangle row by row (K₁₁, K₂₁, K₂₂, …), then η.

    Parameters
    ----------
    d
        Number of columns of a row.

    Raises
    ------
    InvalidInput
        d is no positive integer.
    """

    d: int

    def __post_init__(self) -> None:
        check_dimension(self.d, 1, "Gaussian")

    @property
    def names(self) -> tuple[str, ...]:
        """K[1,1], K[2,1], K[2,2], …, eta[1], …, eta[d]."""
        return (*entry_names("K", *lower_by_rows(self.d)), *vector_names("eta", self.d))

    @property
    def domain(self) -> Domain:
        """ℝᵈ."""
        return Euclidean(self.d)

    def statistics(self, x: Tensor) -> Tensor:
        """T(x) = (−½xᵢ² on the diagonal, −xᵢxⱼ below it; x): ``(n, d)`` → ``(n, p)``."""
        x = columns(x, self.d)
        i, j = lower_by_rows(self.d)
        factor = torch.where(i == j, -0.5, -1.0).to(x)
        return torch.cat([factor * x[:, i] * x[:, j], x], dim=1)

    def base(self, x: Tensor) -> Tensor:
        """r(x) = 0."""
        return torch.zeros_like(columns(x, self.d)[:, 0])

    def theta(self, precision: Tensor, linear: Tensor) -> Tensor:
        """θ ``(p,)`` of K ``(d, d)`` and η ``(d,)``."""
        i, j = lower_by_rows(self.d)
        return torch.cat([precision[i, j], linear])

    def matrices(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """K ``(d, d)`` and η ``(d,)`` of θ ``(p,)``."""
        value = check_theta(theta, self.names)
        i, j = lower_by_rows(self.d)
        return symmetric(value[: len(i)], i, j, self.d), value[len(i) :]

    def model(self, theta: Tensor) -> GaussianDensity:
        """N(K⁻¹η, K⁻¹).

        Raises
        ------
        InvalidInput
            K is not positive definite: the estimate is no Gaussian on ℝᵈ.
        """
        return GaussianDensity(*self.matrices(theta))


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
        whitened = torch.linalg.solve_triangular(self._root.mT, z.mT, upper=True)
        return self.location + whitened.mT


def check_positive_definite(precision: Tensor) -> None:
    """Raise InvalidInput if K is not positive definite, to rounding."""
    eigenvalues = torch.linalg.eigvalsh(precision)
    limit = len(eigenvalues) * torch.finfo(precision.dtype).eps * eigenvalues.abs().max()
    if not bool(eigenvalues.min() > limit):
        raise InvalidInput(
            "K must be positive definite for a density on all of space: its smallest eigenvalue is "
            f"{eigenvalues.min().item():.6g} and its largest {eigenvalues.max().item():.6g}. "
            "The estimate theta stands; for a model, estimate from more rows, ask for a ridge, or "
            "fix or tie entries of K."
        )
