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
from scorematching.estimation.matching import along, frame_of
from scorematching.estimation.rows import check_some, not_finite, too_large
from scorematching.estimation.slopes import Slopes
from scorematching.families import LinearFamily
from scorematching.structured import QuadraticForm

CELLS = 2**19  # numbers held at a time by the derivatives of a portion of rows


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
            parts.append(weighted_sum(slopes, weights) + generated)
        return torch.cat(parts)[:, :-1]

    def resampled(self, x: Tensor, counts: Tensor) -> list[QuadraticForm]:
        """The forms of rows x ``(m, d)`` taken as often as counts ``(B, m)`` says, B of them."""
        q = len(self.curved)
        total, curved = counts.new_zeros(len(counts), q * q), counts.new_zeros(len(counts), q)
        done = 0
        for slopes, generated in self._derivatives(x, q * q):
            portion = counts[:, done : done + len(generated)]
            outer = torch.einsum("jmq,jmr->mqr", slopes.dense(), slopes.dense())
            total += portion @ outer.flatten(1)
            curved += portion @ generated
            done += len(generated)
        each = zip(counts.sum(1), total.reshape(-1, q, q), curved, strict=True)
        return [replace(self, n=int(n), total=t, curved=c).finalize() for n, t, c in each]

    def _derivatives(self, x: Tensor, cells: int = 0) -> Iterator[tuple[Slopes, Tensor]]:
        """∂_{lⱼ}(T, r) ``(d, m, p + 1)`` and G(T, r) ``(m, p + 1)`` of a few rows at a time.

        So few that they and ``cells`` more numbers a row stay within `CELLS`.
        """
        inner, chart = coordinates(self.domain)
        rows = max(1, CELLS // max(cells, len(self.curved) * inner.d))

        def functions(z: Tensor) -> Tensor:
            x = chart.inverse(z)
            base = self.family.base(x) + chart.log_abs_det(z)
            return torch.cat([self.family.statistics(x), base[:, None]], 1)

        done = 0
        while done < len(x):
            z = own_columns(working_rows(self.domain, x[done : done + rows]))
            slopes, generated = along(functions, z, frame_of(inner, z))
            yield slopes, generated
            done += len(z)
            rows = max(1, CELLS // max(cells, slopes.values[:, 0].numel()))

    def _finite(self) -> Tensor:
        # c may be infinite: it does not matter to the estimate.
        return self.total[:-1].isfinite().all() & self.curved[:-1].isfinite().all()

    def _refuse(self, x: Tensor) -> None:
        """Raise InvalidInput for the first row whose loss is not finite."""
        for row in range(len(x)):
            slopes, generated = next(self._derivatives(x[row : row + 1]))
            dense = slopes.dense()[:, 0]
            products = dense[:, :-1, None] * dense[:, None, :]
            if not bool(products.isfinite().all() & generated[0, :-1].isfinite().all()):
                raise not_finite(x, row, self.domain)
        raise too_large()


def add_grams(total: Tensor, slopes: Slopes) -> None:
    """Add Σⱼ FⱼᵀFⱼ to total ``(q, q)``, Fⱼ ``(m, q)`` the derivatives along direction j."""
    if slopes.which is None:
        stacked = slopes.values.flatten(0, 1)
        total += stacked.mT @ stacked
        return
    # Those along one direction together, filled up to equal number with zeros of no direction.
    which = slopes.which[:, 0].flatten()
    counts = torch.bincount(which + 1, minlength=slopes.d + 1)
    order = which.argsort(stable=True)[int(counts[0]) :]
    widest = int(counts[1:].max())
    rank = (
        torch.arange(len(order), device=which.device)
        - (counts[1:].cumsum(0) - counts[1:])[which[order]]
    )
    columns = slopes.values.transpose(1, 2).flatten(0, 1)
    grouped = columns.new_zeros(slopes.d, widest, columns.shape[1])
    grouped[which[order], rank] = columns[order]
    place = torch.zeros(slopes.d, widest, dtype=torch.int64, device=which.device)
    place[which[order], rank] = order % len(total)
    grams = grouped @ grouped.mT
    total.index_put_((place[:, :, None], place[:, None, :]), grams, accumulate=True)


def weighted_sum(slopes: Slopes, weights: Tensor) -> Tensor:
    """Σⱼ Fⱼ (Fⱼ·weights) of each row, ``(m, q)``."""
    if slopes.which is None:
        return (slopes.values * (slopes.values @ weights)[:, :, None]).sum(0)
    which = slopes.which[:, 0]  # (k, q)
    along = slopes.values.new_zeros(slopes.d + 1, slopes.values.shape[1])
    columns = slopes.values.transpose(1, 2)
    along.index_add_(0, (which + 1).flatten(), (columns * weights[:, None]).flatten(0, 1))
    return (columns * along[which + 1]).sum(0).mT


def own_columns(z: Tensor) -> Tensor:
    """z ``(n, d)`` in memory of its own, each column in one piece.

    Products of columns run along rows. And torch's forward derivatives of a part of a tensor would
    take memory, and time to clear it, of the whole.
    """
    return z.mT.clone(memory_format=torch.contiguous_format).mT
