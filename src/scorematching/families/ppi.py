"""The polynomially tilted pairwise interaction model of compositions (PPI).

J. L. Scealy & A. T. A. Wood, "Score matching for compositional distributions", JASA 118 (2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import AnyDomain, SqrtSimplex
from scorematching.families.dirichlet import DirichletDensity, check_tilt
from scorematching.families.draws import rejection
from scorematching.families.family import check_dimension, check_theta, columns
from scorematching.families.supports import zero_outside
from scorematching.families.triangles import (
    diagonal_then_upper_by_columns,
    entry_names,
    symmetric,
    vector_names,
)


@dataclass(frozen=True)
class PPI:
    """log p(x) = x_LᵀA_L x_L + b_Lᵀx_L + Σ βⱼ log xⱼ + const, x_L the first d−1 of d parts.

    θ is the diagonal of A_L, its upper triangle column by column, b_L, β. On any of the geometries
    `SqrtSimplex` (its own), `FlatSimplex` and `LogRatioSimplex`; zeros are taken by the weights
    `MinSq` and `ProdSq`. With many zeros fix their β, as in ``fixed={"beta[1]": -0.8}``.

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
        check_dimension(self.d, 2, "PPI")

    @property
    def names(self) -> tuple[str, ...]:
        """A_L[1,1], …, A_L[1,2], A_L[1,3], A_L[2,3], …, b_L[1], …, beta[1], …, beta[d]."""
        return (
            *entry_names("A_L", *diagonal_then_upper_by_columns(self.d - 1)),
            *vector_names("b_L", self.d - 1),
            *vector_names("beta", self.d),
        )

    @property
    def domain(self) -> AnyDomain:
        """Square roots on the sphere, weight min(minⱼ zⱼ², 0.1²)."""
        return SqrtSimplex(self.d)

    def statistics(self, x: Tensor) -> Tensor:
        """T(x) = (xᵢ²; 2xᵢxⱼ; x_L; log x): ``(n, d)`` → ``(n, p)``."""
        x = columns(x, self.d)
        i, j = diagonal_then_upper_by_columns(self.d - 1)
        factor = torch.where(i == j, 1.0, 2.0).to(x)
        return torch.cat([factor * x[:, i] * x[:, j], x[:, :-1], x.log()], dim=1)

    def base(self, x: Tensor) -> Tensor:
        """r(x) = 0."""
        return torch.zeros_like(columns(x, self.d)[:, 0])

    def theta(self, matrix: Tensor, linear: Tensor, beta: Tensor) -> Tensor:
        """θ ``(p,)`` of A_L ``(d−1, d−1)``, b_L ``(d−1,)`` and β ``(d,)``."""
        i, j = diagonal_then_upper_by_columns(self.d - 1)
        return torch.cat([matrix[i, j], linear, beta])

    def parts(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A_L ``(d−1, d−1)``, b_L ``(d−1,)`` and β ``(d,)`` of θ ``(p,)``."""
        value = check_theta(theta, self.names)
        i, j = diagonal_then_upper_by_columns(self.d - 1)
        m = len(i)
        matrix = symmetric(value[:m], i, j, self.d - 1)
        return matrix, value[m : m + self.d - 1], value[m + self.d - 1 :]

    def model(self, theta: Tensor) -> PPIDensity:
        """The density at θ, up to a constant.

        Raises
        ------
        InvalidInput
            Some βⱼ ≤ −1.
        """
        matrix, linear, beta = self.parts(theta)
        check_tilt(beta)
        return PPIDensity(matrix, linear, beta)


@dataclass(frozen=True, eq=False)
class PPIDensity:
    """PPI with A_L ``(d−1, d−1)``, b_L ``(d−1,)`` and β ``(d,)``, up to a constant."""

    matrix: Tensor
    linear: Tensor
    beta: Tensor
    normalised = False

    def log_density(self, x: Tensor) -> Tensor:
        """x_LᵀA_L x_L + b_Lᵀx_L + Σ βⱼ log xⱼ, ``(n,)`` in nats, up to a constant; −∞ if xⱼ < 0."""
        rows = columns(x, len(self.beta))
        value = self._tilt(rows) + rows.log() @ self.beta.to(rows)
        return zero_outside(value, (rows >= 0).all(1))

    def score(self, x: Tensor) -> Tensor:
        """(2A_L x_L + b_L, 0) + β/x, like x: in all d columns, which a domain projects."""
        x_l = columns(x, len(self.beta))[:, :-1]
        tilt = 2 * x_l @ self.matrix.to(x) + self.linear.to(x)
        return torch.cat([tilt, torch.zeros_like(x[:, :1])], dim=1) + self.beta.to(x) / x

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws by rejection from Dirichlet(β + 1), ``(n, d)``.

        On the simplex x_LᵀA_L x_L + b_Lᵀx_L = xᵀMx with M = A + ½(b1ᵀ + 1bᵀ), padded by zeros, is
        at most the largest entry of M.

        Raises
        ------
        InvalidInput
            Fewer than one proposal in 100,000 is accepted.
        """
        d = len(self.beta)
        padded = torch.zeros(d, d, dtype=self.matrix.dtype)
        padded[:-1, :-1] = self.matrix
        b = torch.cat([self.linear, self.linear.new_zeros(1)])
        bound = (padded + (b[:, None] + b[None, :]) / 2).max()
        dirichlet = DirichletDensity(self.beta + 1)

        def propose(m: int, source: torch.Generator) -> tuple[Tensor, Tensor]:
            x = dirichlet.sample(m, source)
            return x, self._tilt(x) - bound

        return rejection(propose, n, self.beta, generator)

    def _tilt(self, x: Tensor) -> Tensor:
        x_l = x[:, :-1]
        return ((x_l @ self.matrix.to(x)) * x_l).sum(1) + x_l @ self.linear.to(x)
