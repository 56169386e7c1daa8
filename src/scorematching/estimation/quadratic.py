"""The quadratic objective of a linear family, accumulated over rows by automatic differentiation.

For log p = θᵀT(x) + r(x) − log Z(θ), with lⱼ and m the frame of the domain (`matching`), the loss
of a row is ½ θᵀAᵢθ + bᵢᵀθ + cᵢ (Hyvärinen 2007),

    Aᵢ = Σⱼ (∂_{lⱼ}T)(∂_{lⱼ}T)ᵀ,    bᵢ = Σⱼ (∂_{lⱼ}T)(∂_{lⱼ}r) + GT,    cᵢ = Σⱼ ½ (∂_{lⱼ}r)² + Gr,

Gf = ∂_m f + Σⱼ ∂²_{lⱼ}f.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from scorematching.domains import AnyDomain, coordinates, working_rows
from scorematching.errors import InvalidInput
from scorematching.estimation.matching import along, frame_of
from scorematching.families import LinearFamily
from scorematching.structured import QuadraticForm

CELLS = 2**20  # numbers held at a time by the derivatives of a portion of rows


@dataclass(frozen=True, eq=False)
class Quadratic:
    """Sums of Aᵢ, bᵢ and cᵢ over rows; a `Statistic` for every linear family on every domain.

    Parameters
    ----------
    family, domain
        T and r, and where the rows live.
    n
        The number of rows.
    total
        ``(p + 1, p + 1)``, Σᵢ Σⱼ of the outer products of ∂_{lⱼ}(T, r).
    curved
        ``(p + 1,)``, Σᵢ G(T, r).
    """

    family: LinearFamily
    domain: AnyDomain
    n: int
    total: Tensor
    curved: Tensor

    @classmethod
    def of(cls, family: LinearFamily, domain: AnyDomain) -> Self:
        """The statistic of no rows."""
        q = len(family.names) + 1
        zeros = torch.zeros(q, q, dtype=torch.float64)
        return cls(family, domain, 0, zeros, zeros[0].clone())

    def update(self, x: Tensor) -> Self:
        """With the rows x ``(m, d)`` as well.

        Raises
        ------
        InvalidInput
            A row lies outside the domain, or its loss is not finite.
        """
        self.domain.check(x)
        total, curved = self.total.to(x.device, copy=True), self.curved.to(x.device, copy=True)
        for slopes, generated in self._derivatives(x):
            add_grams(total, slopes)
            curved += generated.sum(0)
        updated = replace(self, n=self.n + len(x), total=total, curved=curved)
        if not bool(updated._finite()):
            self._refuse(x)
        return updated

    def merge(self, other: Self) -> Self:
        """Of the rows of both."""
        return replace(
            self,
            n=self.n + other.n,
            total=self.total + other.total.to(self.total),
            curved=self.curved + other.curved.to(self.curved),
        )

    def finalize(self) -> QuadraticForm:
        """The mean objective ½ θᵀAθ + bᵀθ + c.

        Raises
        ------
        InvalidInput
            There are no rows.
        """
        check_some(self.n)
        total, curved = self.total / self.n, self.curved / self.n
        linear = total[:-1, -1] + curved[:-1]
        return QuadraticForm(self.n, total[:-1, :-1], linear, total[-1, -1] / 2 + curved[-1])

    def row_gradients(self, x: Tensor, theta: Tensor) -> Tensor:
        """gᵢ = Aᵢθ + bᵢ, ``(m, p)``."""
        weights = torch.cat([theta, theta.new_ones(1)])
        parts = []
        for slopes, generated in self._derivatives(x):
            along = slopes @ weights
            parts.append((slopes * along[:, :, None]).sum(0) + generated)
        return torch.cat(parts)[:, :-1]

    def resampled(self, x: Tensor, counts: Tensor) -> list[QuadraticForm]:
        """The forms of rows x ``(m, d)`` taken as often as counts ``(B, m)`` says, B of them."""
        q = len(self.curved)
        total, curved = counts.new_zeros(len(counts), q * q), counts.new_zeros(len(counts), q)
        done = 0
        for slopes, generated in self._derivatives(x):
            portion = counts[:, done : done + len(generated)]
            outer = torch.einsum("jmq,jmr->mqr", slopes, slopes)
            total += portion @ outer.flatten(1)
            curved += portion @ generated
            done += len(generated)
        each = zip(counts.sum(1), total.reshape(-1, q, q), curved, strict=True)
        return [replace(self, n=int(n), total=t, curved=c).finalize() for n, t, c in each]

    def _derivatives(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """∂_{lⱼ}(T, r) ``(d, m, p + 1)`` and G(T, r) ``(m, p + 1)`` of a few rows at a time."""
        inner, chart = coordinates(self.domain)
        rows = max(1, CELLS // (len(self.curved) * max(inner.d, len(self.curved))))

        def functions(z: Tensor) -> Tensor:
            x = chart.inverse(z)
            base = self.family.base(x) + chart.log_abs_det(z)
            return torch.cat([self.family.statistics(x), base[:, None]], 1)

        for part in torch.split(x, rows):
            z = working_rows(self.domain, part)
            yield along(functions, z, frame_of(inner, z))

    def _finite(self) -> Tensor:
        # c may be infinite: it does not matter to the estimate.
        return self.total[:-1].isfinite().all() & self.curved[:-1].isfinite().all()

    def _refuse(self, x: Tensor) -> None:
        """Raise InvalidInput for the first row whose loss is not finite."""
        for row in range(len(x)):
            slopes, generated = next(self._derivatives(x[row : row + 1]))
            products = slopes[:, 0, :-1, None] * slopes[:, 0, None, :]
            if not bool(products.isfinite().all() & generated[0, :-1].isfinite().all()):
                raise not_finite(x, row)
        raise too_large()


def add_grams(total: Tensor, first: Tensor) -> None:
    """Add Σⱼ FⱼᵀFⱼ to total ``(q, q)``, F ``(d, m, q)``, leaving out columns that are zero.

    A statistic that does not depend on a coordinate has no derivative along it; with pairs of
    coordinates, all but 1/d of F is zero.
    """
    used = (first != 0).any(1)
    widest = int(used.sum(1).max())
    if 2 * widest > first.shape[2]:
        stacked = first.flatten(0, 1)
        total += stacked.mT @ stacked
        return
    # The columns in use, padded to equal number by columns that are zero anyway.
    order = used.to(torch.uint8).sort(dim=1, descending=True, stable=True)[1][:, :widest]
    kept = first.gather(2, order[:, None, :].expand(-1, first.shape[1], -1))
    total.index_put_((order[:, :, None], order[:, None, :]), kept.mT @ kept, accumulate=True)


def not_finite(x: Tensor, row: int) -> InvalidInput:
    """The error for a row whose loss is not finite."""
    return InvalidInput(
        f"the loss of row {row} is not finite: got x = {x[row].tolist()}. The score is infinite "
        "there and the weight does not make up for it; choose a weight that falls faster towards "
        "the boundary, or drop the row."
    )


def too_large() -> InvalidInput:
    """The error for sums that overflow though each term is finite."""
    return InvalidInput(
        "the sums over the rows overflow: values are too large for double precision. Rescale the "
        "columns."
    )


def check_some(n: int) -> None:
    """Raise InvalidInput if there are no rows."""
    if n == 0:
        raise InvalidInput("there are no rows: got n = 0. An estimate needs two rows or more.")
