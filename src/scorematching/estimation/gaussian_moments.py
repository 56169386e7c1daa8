"""The Gaussian on ℝᵈ from its first two moments: score matching is maximum likelihood.

With x̄ and S = mean (x − x̄)(x − x̄)ᵀ the objective is ½ tr KSK + ½‖η − Kx̄‖² − tr K, minimal at
K = S⁻¹, η = Kx̄ (Hyvärinen 2005). Moments of portions of rows are merged by the rule of Chan,
Golub & LeVeque (1983), about a centre near the mean, so that rows far from the origin lose no
digits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from scorematching.domains import Euclidean
from scorematching.errors import NotIdentified
from scorematching.estimation.closed_form import factorise
from scorematching.estimation.rows import check_some, too_large
from scorematching.estimation.symmetric_blocks import assemble_matrix, assemble_vector, places
from scorematching.families import Gaussian
from scorematching.structured import QuadraticForm, quadratic_rule

ROWS = 2048  # at a time: what a processor's cache holds of some tens of columns
FOLD = 32  # rows summed as one
PROBE = 1024  # rows that say how far from the origin the others are
LARGEST = 2000  # parameters whose A is formed to name the directions that are not identified
NEAR = 16.0  # mean² over variance below which centring, another pass, would save but one digit


@dataclass(frozen=True, eq=False)
class GaussianMoments:
    """n, x̄ and Σ (x − x̄)(x − x̄)ᵀ of the rows; a `Statistic` and an `ExplicitMinimiser`.

    Parameters
    ----------
    family
        Names the parameters.
    n
        The number of rows.
    mean
        ``(d,)``.
    scatter
        ``(d, d)``.
    """

    family: Gaussian
    n: int
    mean: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, family: Gaussian) -> Self:
        """Of no rows."""
        zeros = torch.zeros(family.d, family.d, dtype=torch.float64)
        return cls(family, 0, zeros[0].clone(), zeros)

    def update(self, x: Tensor) -> Self:
        """With the rows x ``(m, d)`` as well; InvalidInput names a row that is not finite."""
        d = self.family.d
        Euclidean(d).check(x[:PROBE])
        centre = _centre(x[:PROBE])
        total, scatter = x.new_zeros(d), x.new_zeros(d, d)
        for part in torch.split(x, ROWS):
            rows = part if centre is None else part - centre
            total += column_sums(rows)
            scatter.addmm_(rows.mT, rows)
        # Finite sums have finite terms: to look at every term would take half as long again.
        if not bool(scatter.isfinite().all()):
            Euclidean(d).check(x)
            raise too_large()
        mean = total / len(x)
        scatter -= torch.outer(total, mean)
        mean = mean if centre is None else mean + centre
        return self.merge(replace(self, n=len(x), mean=mean, scatter=scatter))

    def merge(self, other: Self) -> Self:
        """Of the rows of both: the scatters, and that of the two means."""
        if self.n == 0 or other.n == 0:
            return other if self.n == 0 else self
        n = self.n + other.n
        gap = other.mean.to(self.mean) - self.mean
        between = self.n * other.n / n * torch.outer(gap, gap)
        scatter = self.scatter + other.scatter.to(gap) + between
        return replace(self, n=n, mean=self.mean + other.n / n * gap, scatter=scatter)

    def finalize(self) -> QuadraticForm:
        """The mean objective: row j of K and ηⱼ see uⱼ = (−x, 1), and b is −1 on K's diagonal."""
        d, S = self.family.d, self._covariance
        block = S.new_ones(d + 1, d + 1)
        block[:d, :d] = S + torch.outer(self.mean, self.mean)
        block[:d, d] = block[d, :d] = -self.mean
        parts = torch.cat([-torch.eye(d).to(S), S.new_zeros(d, 1)], 1)
        A = assemble_matrix(block.expand(d, d + 1, d + 1))
        return QuadraticForm(self.n, A, assemble_vector(parts), S.new_zeros(()))

    def minimiser(self) -> Tensor:
        """K = S⁻¹ and η = Kx̄.

        Raises
        ------
        NotIdentified
            S is singular: columns are constant or determined by others, or there are too few rows.
        """
        K = self._precision()
        return self.family.theta(K, K @ self.mean)

    def objective(self, theta: Tensor) -> float:
        """½ tr KSK + ½‖η − Kx̄‖² − tr K."""
        place = places(self.family.d).to(theta.device)
        K, linear = theta[place[:, :-1]], theta[place[:, -1]]
        spread = ((K @ self._covariance) * K).sum() / 2
        return (spread + (linear - K @ self.mean).square().sum() / 2 - K.trace()).item()

    def row_gradients(self, x: Tensor, theta: Tensor) -> Tensor:
        """∂/∂(K, η) of ½‖s‖² − tr K, s = η − Kx, ``(m, p)``."""
        K, linear = self.family.matrices(theta)
        s = linear - x @ K
        by_row = torch.cat([-s[:, :, None] * x[:, None, :], s[:, :, None]], 2)
        by_row[:, :, :-1] -= torch.eye(self.family.d).to(x)
        return assemble_vector(by_row)

    def row_influences(self, x: Tensor) -> Tensor:
        """dK = K − yyᵀ with y = K(x − x̄), and dη = dK x̄ + y, ``(m, p)``."""
        K = self._precision()
        y = (x - self.mean) @ K
        dK = K - y[:, :, None] * y[:, None, :]
        i, j = torch.tril_indices(self.family.d, self.family.d)
        return torch.cat([dK[:, i, j], dK @ self.mean + y], 1)

    @property
    def _covariance(self) -> Tensor:
        check_some(self.n)
        return self.scatter / self.n

    def _precision(self) -> Tensor:
        S = self._covariance
        columns = [f"x[{j + 1}]" for j in range(self.family.d)]
        try:
            return factorise(S, columns).solve(torch.eye(len(S)).to(S))
        except NotIdentified as error:
            # The same in terms of θ, whose flat directions those of the columns entail.
            if len(self.family.names) <= LARGEST:
                factorise(self.finalize().A, self.family.names)
            raise error


def column_sums(rows: Tensor) -> Tensor:
    """Σ over rows ``(m, d)``, ``(d,)``; several rows at a time, whose longer lines add faster."""
    m, d = rows.shape
    if m % FOLD or not rows.is_contiguous():
        return rows.sum(0)
    return rows.reshape(m // FOLD, FOLD * d).sum(0).reshape(FOLD, d).sum(0)


def _centre(rows: Tensor) -> Tensor | None:
    """About where the rows lie, ``(d,)``; None where that is near the origin for their spread."""
    mean = rows.mean(0)
    far = mean.square() > NEAR * (rows - mean).square().mean(0)
    return mean if bool(far.any()) else None


@quadratic_rule(Gaussian, Euclidean)
def gaussian_rule(family: Gaussian, domain: Euclidean) -> GaussianMoments:
    """Moments, for the Gaussian on ℝᵈ."""
    return GaussianMoments.of(family)
