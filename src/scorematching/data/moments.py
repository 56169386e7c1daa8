"""Means, standard deviations and correlations of rows that come a group at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from scorematching.data.standardise import Standardise, standardise


@dataclass
class Moments:
    """The moments of rows ``(n, d)``, merged by Chan's rule: n, mean and scatter Σ (z − z̄)(z − z̄)ᵀ.

    With m more rows of mean m̄ and scatter M, δ = m̄ − z̄,

        z̄ ← z̄ + δ m/(n + m),        S ← S + M + δδᵀ nm/(n + m).

    z are the rows centred and scaled by the first group's moments, so that no digits are lost where
    the mean is far above the spread, and no square over- or underflows.

    Parameters
    ----------
    full
        Whether the whole scatter matrix ``(d, d)`` is kept, or its diagonal ``(d,)``.

    References
    ----------
    T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance", The
    American Statistician 37 (1983).
    """

    full: bool = True
    n: int = 0
    unit: Standardise | None = None
    centre: Tensor = field(default_factory=lambda: torch.empty(0))
    scatter: Tensor = field(default_factory=lambda: torch.empty(0))

    def add(self, rows: Tensor) -> None:
        """Take in the rows ``(m, d)`` that come next, in float64."""
        if not len(rows):
            return
        if self.unit is None:
            self.unit = standardise(rows)
            d = rows.shape[1]
            self.centre = torch.zeros(d, dtype=torch.float64)
            self.scatter = torch.zeros((d, d) if self.full else (d,), dtype=torch.float64)
        z = self.unit.forward(rows)
        m, mean = len(z), z.mean(0)
        z = z - mean
        shift = mean - self.centre
        share = m / (self.n + m)
        if self.full:
            self.scatter += z.T @ z + torch.outer(shift, shift) * (self.n * share)
        else:
            self.scatter += z.square().sum(0) + shift.square() * (self.n * share)
        self.centre = self.centre + shift * share
        self.n += m

    @property
    def mean(self) -> Tensor:
        """``(d,)``."""
        assert self.unit is not None
        return self.unit.inverse(self.centre)

    @property
    def deviations(self) -> Tensor:
        """Standard deviations (divisor n), ``(d,)``; 0 where all rows agree."""
        assert self.unit is not None
        return self.unit.scale * (self._diagonal() / self.n).sqrt()

    def correlations(self) -> Tensor:
        """``(d, d)``; rows and columns of coordinates that never change are 0."""
        assert self.full
        root = self._diagonal().sqrt()
        inverse = torch.where(root > 0, 1 / root, torch.zeros_like(root))
        return inverse[:, None] * self.scatter * inverse

    def _diagonal(self) -> Tensor:
        return self.scatter.diagonal() if self.full else self.scatter
