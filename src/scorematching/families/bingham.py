"""The Bingham and Fisher–Bingham distributions on the unit sphere: log p = xᵀAx + bᵀx.

C. Bingham, Ann. Statist. 2 (1974); K. V. Mardia, J. T. Kent & A. K. Laha, "Score matching
estimators for directional distributions" (2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from scorematching.domains import AnyDomain, Sphere
from scorematching.families.angular import sample_fisher_bingham
from scorematching.families.family import check_dimension, check_theta, columns
from scorematching.families.sphere_integral import SphereIntegral, sphere_integral
from scorematching.families.triangles import (
    entry_names,
    symmetric,
    upper_by_rows,
    vector_names,
)


@dataclass(frozen=True)
class Bingham:
    """log p(x; A) = xᵀAx + const on the unit sphere of ℝᵈ, tr A = 0; of axes, p(−x) = p(x).

    θ is A's upper triangle row by row without A_dd = −Σ A_jj.

    Parameters
    ----------
    d
        Number of columns of a row, a unit vector.

    Raises
    ------
    InvalidInput
        d is not an integer of at least 2.
    """

    d: int

    def __post_init__(self) -> None:
        check_dimension(self.d, 2, "Bingham")

    @property
    def names(self) -> tuple[str, ...]:
        """A[1,1], A[1,2], …, A[1,d], A[2,2], …, A[d−1,d]."""
        return quadratic_names(self.d)

    @property
    def domain(self) -> AnyDomain:
        """The unit sphere."""
        return Sphere(self.d)

    def statistics(self, x: Tensor) -> Tensor:
        """T(x) = (xⱼ² − x_d² on the diagonal, 2xᵢxⱼ above it): ``(n, d)`` → ``(n, p)``."""
        return quadratic_statistics(columns(x, self.d))

    def base(self, x: Tensor) -> Tensor:
        """r(x) = 0."""
        return torch.zeros_like(columns(x, self.d)[:, 0])

    def theta(self, matrix: Tensor) -> Tensor:
        """θ ``(p,)`` of A ``(d, d)``, less its mean diagonal, which changes nothing."""
        return quadratic_theta(matrix)

    def model(self, theta: Tensor) -> FisherBinghamDensity:
        """The density at θ, with b = 0; every θ has one."""
        matrix = quadratic_matrix(check_theta(theta, self.names), self.d)
        return FisherBinghamDensity(matrix, matrix.new_zeros(self.d))


@dataclass(frozen=True)
class FisherBingham:
    """log p(x; A, b) = xᵀAx + bᵀx + const on the unit sphere of ℝᵈ, tr A = 0.

    θ is A's upper triangle row by row without A_dd = −Σ A_jj, then b.

    Parameters
    ----------
    d
        Number of columns of a row, a unit vector.

    Raises
    ------
    InvalidInput
        d is not an integer of at least 2.
    """

    d: int

    def __post_init__(self) -> None:
        check_dimension(self.d, 2, "FisherBingham")

    @property
    def names(self) -> tuple[str, ...]:
        """A[1,1], A[1,2], …, A[d−1,d], b[1], …, b[d]."""
        return (*quadratic_names(self.d), *vector_names("b", self.d))

    @property
    def domain(self) -> AnyDomain:
        """The unit sphere."""
        return Sphere(self.d)

    def statistics(self, x: Tensor) -> Tensor:
        """T(x) = (xⱼ² − x_d², 2xᵢxⱼ; x): ``(n, d)`` → ``(n, p)``."""
        x = columns(x, self.d)
        return torch.cat([quadratic_statistics(x), x], dim=1)

    def base(self, x: Tensor) -> Tensor:
        """r(x) = 0."""
        return torch.zeros_like(columns(x, self.d)[:, 0])

    def theta(self, matrix: Tensor, linear: Tensor) -> Tensor:
        """θ ``(p,)`` of A ``(d, d)`` and b ``(d,)``."""
        return torch.cat([quadratic_theta(matrix), linear])

    def model(self, theta: Tensor) -> FisherBinghamDensity:
        """The density at θ; every θ has one."""
        value = check_theta(theta, self.names)
        return FisherBinghamDensity(quadratic_matrix(value[: -self.d], self.d), value[-self.d :])


def quadratic_names(d: int) -> tuple[str, ...]:
    """The names of A's upper triangle row by row without the last entry."""
    return entry_names("A", *upper_by_rows(d))[:-1]


def quadratic_statistics(x: Tensor) -> Tensor:
    """xⱼ² − x_d² for A_jj and 2xᵢxⱼ for A_ij: ``(n, d)`` → ``(n, d(d+1)/2 − 1)``."""
    i, j = (index[:-1] for index in upper_by_rows(x.shape[1]))
    diagonal = (i == j).to(x)
    return (2 - diagonal) * x[:, i] * x[:, j] - diagonal * x[:, -1:] ** 2


def quadratic_theta(matrix: Tensor) -> Tensor:
    """A's upper triangle row by row without the last entry, of A less its mean diagonal."""
    d = matrix.shape[0]
    i, j = (index[:-1] for index in upper_by_rows(d))
    traceless = matrix - torch.eye(d, dtype=matrix.dtype) * matrix.trace() / d
    return traceless[i, j]


def quadratic_matrix(entries: Tensor, d: int) -> Tensor:
    """A ``(d, d)``, symmetric with trace zero, of its upper triangle without A_dd."""
    i, j = (index[:-1] for index in upper_by_rows(d))
    matrix = symmetric(entries, i, j, d)
    matrix[-1, -1] = -matrix.trace()
    return matrix


@dataclass(frozen=True, eq=False)
class FisherBinghamDensity:
    """exp(xᵀAx + bᵀx)/c in the surface measure of the sphere; A ``(d, d)``, b ``(d,)``.

    c and the moments come from a one-dimensional integral, exact to rounding.
    """

    matrix: Tensor
    linear: Tensor
    normalised = True

    @cached_property
    def integral(self) -> SphereIntegral:
        """ln c and the moments."""
        return sphere_integral(self.matrix, self.linear)

    @property
    def mean(self) -> Tensor:
        """E x, ``(d,)``; zero where b is."""
        return self.integral.mean

    @property
    def covariance(self) -> Tensor:
        """E xxᵀ − E x E xᵀ, ``(d, d)``."""
        return self.integral.second_moment - torch.outer(self.mean, self.mean)

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) = xᵀAx + bᵀx − ln c, ``(n,)`` in nats."""
        rows = columns(x, len(self.linear))
        quadratic = ((rows @ self.matrix.to(rows)) * rows).sum(1)
        return quadratic + rows @ self.linear.to(rows) - self.integral.log_value

    def score(self, x: Tensor) -> Tensor:
        """2Ax + b, like x: the gradient in all d columns, which a domain projects."""
        return 2 * columns(x, len(self.linear)) @ self.matrix.to(x) + self.linear.to(x)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws, ``(n, d)``, by rejection (Kent, Ganeiber & Mardia 2018)."""
        return sample_fisher_bingham(self.matrix, self.linear, n, generator)
