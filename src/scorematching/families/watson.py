"""The Watson distribution of axes: log p = κ(μᵀx)² on the unit sphere.

G. S. Watson, Biometrika 52 (1965); K. V. Mardia, J. T. Kent & A. K. Laha, "Score matching
estimators for directional distributions" (2016).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from scorematching.domains import AnyDomain, Sphere
from scorematching.errors import InvalidInput
from scorematching.families.bingham import FisherBinghamDensity
from scorematching.families.checks import STANDS
from scorematching.families.draws import unit
from scorematching.families.family import PrescribedFit, check_dimension, check_theta, columns
from scorematching.families.triangles import vector_names


@dataclass(frozen=True)
class Watson:
    """log p(x; κ, μ) = κ(μᵀx)² + const on the unit sphere of ℝᵈ, ‖μ‖ = 1; θ = (κ, μ).

    κ > 0 gathers the axes about ±μ, κ < 0 about the circle across it. The hybrid estimator: μ̂ is
    the first or the last eigenvector of mean xxᵀ, as in maximum likelihood, then κ is matched along
    it; of the two the one with the lower objective is kept. The sign of μ is free, so its largest
    entry is taken positive.

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
        check_dimension(self.d, 2, "Watson")

    @property
    def names(self) -> tuple[str, ...]:
        """kappa, mu[1], …, mu[d]."""
        return ("kappa", *vector_names("mu", self.d))

    @property
    def domain(self) -> AnyDomain:
        """The unit sphere."""
        return Sphere(self.d)

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """All free."""
        return ((-math.inf, math.inf),) * (self.d + 1)

    def log_density(self, x: Tensor, theta: Tensor) -> Tensor:
        """κ(μᵀx)²/‖μ‖² + const, ``(n,)``."""
        mu = unit(theta[1:])
        return theta[0] * (columns(x, self.d) @ mu) ** 2

    def starts(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The fits along the first and the last eigenvector, ``(2, p)``."""
        vectors = torch.linalg.eigh(scatter(columns(x, self.d)))[1]
        fits = [along(x, vectors[:, k]) for k in (-1, 0)]
        return torch.stack([torch.cat([fit.kappa[None], fit.mu]) for fit in fits])

    @property
    def prescribes(self) -> bool:
        """Always: the axis comes first."""
        return True

    def fit(self, x: Tensor) -> PrescribedFit:
        """The axis, then κ̂ = 2(d mean t² − 1)/(4 mean t²(1 − t²)), t = μ̂ᵀx.

        The influence of a row on μ̂ is that of an eigenvector, Σ_k v_k (v_kᵀx)(xᵀμ̂)/(λ − λ_k); by
        symmetry an error in μ̂ does not reach κ̂ to first order.

        Raises
        ------
        InvalidInput
            The eigenvalue of the axis is not apart from the next, so that there is no axis; or
            all rows lie along the axis or across it.
        """
        rows = columns(x, self.d)
        values, vectors = torch.linalg.eigh(scatter(rows))
        best = min((along(rows, vectors[:, k]) for k in (-1, 0)), key=lambda fit: fit.objective)
        k = self.d - 1 if best.kappa > 0 else 0
        others = [m for m in range(self.d) if m != k]
        gaps = values[k] - values[others]
        if not bool((gaps.abs() > 1e-12).all()):
            raise InvalidInput(
                "the axis is not identified: the eigenvalues of mean x xᵀ are "
                f"{[round(value, 6) for value in values.tolist()]}, without a single one at either "
                "end. Use more rows, or Bingham(d)."
            )
        t = rows @ best.mu
        of_mu = ((rows @ vectors[:, others]) * t[:, None] / gaps) @ vectors[:, others].mT
        of_kappa = (2 * self.d * t**2 - 2 - 4 * t**2 * (1 - t**2) * best.kappa) / best.curvature
        note = (
            "axis first, an eigenvector of mean x xᵀ, then κ by score matching (Mardia, Kent & "
            "Laha 2016)"
        )
        theta = torch.cat([best.kappa[None], best.mu])
        return PrescribedFit(theta, torch.cat([of_kappa[:, None], of_mu], dim=1), note)

    def model(self, theta: Tensor) -> WatsonDensity:
        """The density at θ.

        Raises
        ------
        InvalidInput
            μ is not of unit length.
        """
        value = check_theta(theta, self.names)
        length = value[1:].norm().item()
        if not abs(length - 1) < 1e-6:
            raise InvalidInput(
                f"mu must have unit length: got {length:.9g}. {STANDS}divide mu by its length."
            )
        return WatsonDensity(value[0].item(), value[1:] / length)


@dataclass(frozen=True, eq=False)
class AxisFit:
    """κ matched along a given axis μ: the objective is ½κ²·curvature + κ·slope."""

    mu: Tensor
    kappa: Tensor
    curvature: Tensor
    objective: float


def scatter(x: Tensor) -> Tensor:
    """mean xxᵀ, ``(n, d)`` → ``(d, d)``."""
    return x.mT @ x / len(x)


def along(x: Tensor, axis: Tensor) -> AxisFit:
    """κ along an axis, whose largest entry is made positive.

    T = t², t = μᵀx, has ‖P∇T‖² = 4t²(1 − t²) and the surface Laplacian 2 − 2d t².

    Raises
    ------
    InvalidInput
        All rows lie along the axis or across it, where κ is infinite.
    """
    mu = axis * axis[axis.abs().argmax()].sign()
    square = (x @ mu) ** 2
    curvature = (4 * square * (1 - square)).mean()
    if not curvature > len(square) * torch.finfo(square.dtype).eps:
        raise InvalidInput(
            "the concentration is infinite: all rows lie along one axis, or across it. Estimate "
            "from rows that differ."
        )
    slope = (2 - 2 * x.shape[1] * square).mean()
    return AxisFit(mu, -slope / curvature, curvature, -(slope**2 / curvature / 2).item())


@dataclass(frozen=True, eq=False)
class WatsonDensity:
    """Watson with concentration κ and axis μ ``(d,)``, in the surface measure of the sphere."""

    kappa: float
    axis: Tensor
    normalised = True

    @cached_property
    def bingham(self) -> FisherBinghamDensity:
        """The same density as a Bingham one, A = κμμᵀ."""
        matrix = self.kappa * torch.outer(self.axis, self.axis)
        return FisherBinghamDensity(matrix, torch.zeros_like(self.axis))

    @property
    def mean(self) -> Tensor:
        """E x = 0, ``(d,)``."""
        return torch.zeros_like(self.axis)

    @property
    def covariance(self) -> Tensor:
        """E xxᵀ, ``(d, d)``."""
        return self.bingham.covariance

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) = κ(μᵀx)² − ln c, ``(n,)`` in nats."""
        t = columns(x, len(self.axis)) @ self.axis.to(x)
        return self.kappa * t**2 - self.bingham.integral.log_value

    def score(self, x: Tensor) -> Tensor:
        """2κ(μᵀx)μ, like x: the gradient in all d columns, which a domain projects."""
        mu = self.axis.to(x)
        return 2 * self.kappa * (columns(x, len(self.axis)) @ mu)[:, None] * mu

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws, ``(n, d)``."""
        return self.bingham.sample(n, generator)
