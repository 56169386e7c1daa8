"""The Dirichlet distribution on compositions: log p = Σ βⱼ log xⱼ, β = α − 1."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import AnyDomain, SqrtSimplex
from scorematching.families.checks import check_above
from scorematching.families.draws import log_gamma_variates
from scorematching.families.family import check_dimension, check_theta, columns
from scorematching.families.supports import zero_outside
from scorematching.families.triangles import vector_names

REMEDY = (
    "use another of the simplex geometries, whose estimates differ in small samples, or fix the "
    'parameter, as in fixed={"beta[1]": -0.8}.'
)


@dataclass(frozen=True)
class Dirichlet:
    """log p(x; β) = Σ βⱼ log xⱼ + const on the simplex of d parts; θ = β = α − 1.

    On any of the geometries `SqrtSimplex` (its own), `FlatSimplex` and `LogRatioSimplex`; zeros
    are taken by the weights `MinSq` and `ProdSq`.

    Parameters
    ----------
    d
        The number of parts.

    Raises
    ------
    InvalidInput
        d is not an integer of at least 2.
    """

    d: int

    def __post_init__(self) -> None:
        check_dimension(self.d, 2, "Dirichlet")

    @property
    def names(self) -> tuple[str, ...]:
        """beta[1], …, beta[d]."""
        return vector_names("beta", self.d)

    @property
    def domain(self) -> AnyDomain:
        """Square roots on the sphere, weight min(minⱼ zⱼ², 0.1²)."""
        return SqrtSimplex(self.d)

    def statistics(self, x: Tensor) -> Tensor:
        """T(x) = log x: ``(n, d)`` → ``(n, d)``."""
        return columns(x, self.d).log()

    def base(self, x: Tensor) -> Tensor:
        """r(x) = 0."""
        return torch.zeros_like(columns(x, self.d)[:, 0])

    def model(self, theta: Tensor) -> DirichletDensity:
        """Dirichlet(β + 1).

        Raises
        ------
        InvalidInput
            Some βⱼ ≤ −1.
        """
        beta = check_theta(theta, self.names)
        check_tilt(beta)
        return DirichletDensity(beta + 1)


def check_tilt(beta: Tensor) -> None:
    """Raise InvalidInput unless every βⱼ > −1: ∏ xⱼ^βⱼ has an infinite integral otherwise."""
    for name, value in zip(vector_names("beta", len(beta)), beta.tolist(), strict=True):
        check_above(value, -1, name, REMEDY)


@dataclass(frozen=True, eq=False)
class DirichletDensity:
    """Dirichlet(α), a density in the first d−1 parts; α ``(d,)``, positive."""

    alpha: Tensor
    normalised = True

    @property
    def mean(self) -> Tensor:
        """α/Σα, ``(d,)``."""
        return self.alpha / self.alpha.sum()

    @property
    def covariance(self) -> Tensor:
        """(diag m − m mᵀ)/(1 + Σα) with m the mean, ``(d, d)``."""
        m = self.mean
        return (m.diag() - torch.outer(m, m)) / (1 + self.alpha.sum())

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) = Σ (αⱼ − 1) log xⱼ + ln Γ(Σα) − Σ ln Γ(αⱼ), ``(n,)`` in nats; −∞ if xⱼ < 0."""
        rows = columns(x, len(self.alpha))
        constant = self.alpha.sum().lgamma() - self.alpha.lgamma().sum()
        value = rows.log() @ (self.alpha - 1).to(rows) + constant.to(rows)
        return zero_outside(value, (rows >= 0).all(1))

    def score(self, x: Tensor) -> Tensor:
        """(α − 1)/x, like x: the gradient in all d columns, which a domain projects."""
        return (self.alpha - 1).to(x) / x

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws, gamma variates over their sum, ``(n, d)``."""
        return log_gamma_variates(self.alpha, n, generator).softmax(1)
