"""The Gaussian in natural parameters: log p = −½ xᵀKx + ηᵀx, K = Σ⁻¹ and η = Kμ.

Score matching on Euclidean space is maximum likelihood here (Hyvärinen 2005); truncated to any
other domain, K and η keep their meaning and only the normalising constant changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import AnyDomain, Euclidean
from scorematching.families.family import (
    FittedDensity,
    check_dimension,
    check_theta,
    columns,
)
from scorematching.families.normal import GaussianDensity, check_positive_definite
from scorematching.families.supports import interval_of, is_bounded, is_interval
from scorematching.families.triangles import (
    interaction_names,
    interaction_parts,
    interaction_theta,
    lower_by_rows,
)
from scorematching.families.truncated import TruncatedGaussian, TruncatedNormal


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
        return interaction_names(self.d)

    @property
    def domain(self) -> AnyDomain:
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
        return interaction_theta(precision, linear)

    def matrices(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """K ``(d, d)`` and η ``(d,)`` of θ ``(p,)``."""
        return interaction_parts(check_theta(theta, self.names), self.d)

    def model(self, theta: Tensor) -> GaussianDensity:
        """N(K⁻¹η, K⁻¹).

        Raises
        ------
        InvalidInput
            K is not positive definite: the estimate is no Gaussian on ℝᵈ.
        """
        return GaussianDensity(*self.matrices(theta))

    def model_on(self, theta: Tensor, domain: AnyDomain) -> FittedDensity:
        """The Gaussian truncated to a domain; normalised on intervals of one column.

        Raises
        ------
        InvalidInput
            The domain is not bounded and K is not positive definite.
        """
        precision, linear = self.matrices(theta)
        if not is_bounded(domain):
            check_positive_definite(precision)
        if is_interval(domain) and precision.item() > 0:
            mu, sigma = (linear / precision[0]).item(), precision.item() ** -0.5
            return TruncatedNormal(mu, sigma, *interval_of(domain))
        return TruncatedGaussian(precision, linear, domain)
