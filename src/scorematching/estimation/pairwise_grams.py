"""Pairwise interactions on the positive orthant from d weighted Gram matrices.

With y = xᵃ (log x for a = 0), f = x^{a−1}, h = x^{b−1}, the jth score is sⱼ = ηⱼhⱼ − fⱼ(Ky)ⱼ,
linear in the jth row of (K, η) with coefficients uⱼ = (−fⱼy, hⱼ) (Yu, Drton & Shojaie 2019). So A
is made of

    Mⱼ = E[wⱼ uⱼuⱼᵀ] = E [ wⱼfⱼ² yyᵀ   −wⱼfⱼhⱼ y ]
                         [ −wⱼfⱼhⱼ yᵀ    wⱼhⱼ²   ]

and b of E[∂ⱼ(wⱼuⱼ)]. All d Gram matrices of y are one product of the weights with the products
yₖy_l, k ≤ l: half of what d products of d columns with d take.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import torch
from torch import Tensor

from scorematching.domains import Log1p, MinPower, PositiveOrthant, Power, Weight
from scorematching.estimation.matching import diagonal_slopes
from scorematching.estimation.quadratic import check_some, not_finite, too_large
from scorematching.estimation.symmetric_blocks import assemble_matrix, assemble_vector
from scorematching.families import Gaussian, PairwiseInteraction
from scorematching.structured import QuadraticForm, quadratic_rule

CELLS = 2**17  # products yₖy_l held at a time: what a processor's cache takes


class Terms(NamedTuple):
    """What rows x contribute, each ``(d, m)``: columns first, so that products run along rows."""

    y: Tensor
    f: Tensor
    h: Tensor
    w: Tensor
    slope_f: Tensor  # ∂ⱼ(wⱼfⱼ)
    slope_h: Tensor  # ∂ⱼ(wⱼhⱼ)


@dataclass(frozen=True, eq=False)
class PairwiseGrams:
    """Sums of wⱼuⱼuⱼᵀ and ∂ⱼ(wⱼuⱼ) over rows; a `Statistic`.

    Parameters
    ----------
    family
        A pairwise interaction; a Gaussian is that of a = b = 1.
    domain
        The orthant and its weight.
    n
        The number of rows.
    blocks
        ``(d, d + 1, d + 1)``.
    parts
        ``(d, d + 1)``.
    """

    family: PairwiseInteraction | Gaussian
    domain: PositiveOrthant
    n: int
    blocks: Tensor
    parts: Tensor

    @classmethod
    def of(cls, family: PairwiseInteraction | Gaussian, domain: PositiveOrthant) -> Self:
        """Of no rows."""
        d = family.d
        zeros = torch.zeros(d, d + 1, d + 1, dtype=torch.float64)
        return cls(family, domain, 0, zeros, zeros[0, :d].clone())

    @property
    def powers(self) -> tuple[float, float]:
        """a and b."""
        family = self.family
        return (1.0, 1.0) if isinstance(family, Gaussian) else (family.a, family.b)

    def update(self, x: Tensor) -> Self:
        """With the rows x ``(m, d)`` as well.

        Raises
        ------
        InvalidInput
            A row lies outside the orthant, or its loss is not finite.
        """
        d = self.family.d
        self.domain.check(x[:1])
        blocks, parts = self.blocks.to(x.device, copy=True), self.parts.to(x.device, copy=True)
        i, j = torch.tril_indices(d, d, device=x.device)
        products = x.new_empty(len(i), max(1, CELLS // len(i)))
        grams = x.new_zeros(len(i), d)
        for part in torch.split(x, products.shape[1]):
            columns = part.mT.contiguous()
            if not bool(columns.amin() >= 0):
                self.domain.check(x)
            terms = self._terms(columns)
            self._add(terms, products[:, : len(part)], grams, blocks, parts)
        blocks[:, i, j] += grams.mT
        blocks[:, j, i] += torch.where(i == j, 0.0, grams.mT)
        updated = replace(self, n=self.n + len(x), blocks=blocks, parts=parts)
        if not bool(blocks.isfinite().all() & parts.isfinite().all()):
            self.domain.check(x)
            self._refuse(x)
        return updated

    def merge(self, other: Self) -> Self:
        """Of the rows of both."""
        return replace(
            self,
            n=self.n + other.n,
            blocks=self.blocks + other.blocks.to(self.blocks),
            parts=self.parts + other.parts.to(self.parts),
        )

    def finalize(self) -> QuadraticForm:
        """The mean objective; InvalidInput where there are no rows."""
        check_some(self.n)
        A, b = assemble_matrix(self.blocks / self.n), assemble_vector(self.parts / self.n)
        return QuadraticForm(self.n, A, b, b.new_zeros(()))

    def row_gradients(self, x: Tensor, theta: Tensor) -> Tensor:
        """gᵢ: row j of (K, η) gets wⱼsⱼuⱼ + ∂ⱼ(wⱼuⱼ), ``(m, p)``."""
        K, linear = self.family.matrices(theta)
        t = self._terms(x.mT.contiguous())
        ws = t.w * (linear[:, None] * t.h - t.f * (K @ t.y))
        by_row = torch.cat(
            [-(ws * t.f + t.slope_f)[:, None] * t.y, (ws * t.h + t.slope_h)[:, None]], 1
        )
        j = torch.arange(self.family.d, device=x.device)
        by_row[j, j] -= self._steepness * t.w * t.f**2
        return assemble_vector(by_row.permute(2, 0, 1))

    @property
    def _steepness(self) -> float:
        """y' = steepness · f."""
        return self.powers[0] or 1.0

    def _terms(self, x: Tensor) -> Terms:
        """Of columns x ``(d, m)``."""
        a, b = self.powers
        y = x**a if a else x.log()
        f = _lowered(x, y, a)
        h = f if b == a else _lowered(x, x**b, b)
        w, slope = weight_and_slope(self.domain.weight, x)
        # ∂(wf) = w'f + (a − 1) wf/x
        slope_f = slope * f + (a - 1) * w * f / x if a != 1 else slope * f
        if b == a:
            return Terms(y, f, h, w, slope_f, slope_f)
        slope_h = slope * h + (b - 1) * w * h / x if b != 1 else slope * h
        return Terms(y, f, h, w, slope_f, slope_h)

    def _add(
        self, t: Terms, products: Tensor, grams: Tensor, blocks: Tensor, parts: Tensor
    ) -> None:
        """Add the sums over the rows of the terms."""
        d = len(t.y)
        wf = t.w * t.f
        q, mixed = wf * t.f, wf * t.h
        for k in range(d):
            first = k * (k + 1) // 2
            torch.mul(t.y[: k + 1], t.y[k], out=products[first : first + k + 1])
        grams.addmm_(products, q.mT)
        crossed = mixed @ t.y.mT
        blocks[:, :d, d] -= crossed
        blocks[:, d, :d] -= crossed
        blocks[:, d, d] += (t.w * t.h * t.h).sum(1)
        parts[:, :d] -= t.slope_f @ t.y.mT
        parts[:, :d].diagonal().sub_(q.sum(1), alpha=self._steepness)
        parts[:, d] += t.slope_h.sum(1)

    def _refuse(self, x: Tensor) -> None:
        """Raise InvalidInput for the first row whose loss is not finite."""
        t = self._terms(x.mT.contiguous())
        sizes = torch.stack([t.w * t.f**2, t.w * t.h**2, t.slope_f, t.slope_h, t.y])
        bad = ~sizes.isfinite().all(0).all(0)
        raise not_finite(x, int(bad.nonzero()[0])) if bool(bad.any()) else too_large()


def _lowered(x: Tensor, power: Tensor, a: float) -> Tensor:
    """x^{a−1}, given xᵃ."""
    return torch.ones_like(x) if a == 1 else (power / x if a else 1 / x)


def weight_and_slope(weight: Weight, x: Tensor) -> tuple[Tensor, Tensor]:
    """wⱼ and ∂ⱼwⱼ of columns x ``(d, m)``, each ``(d, m)``."""
    if isinstance(weight, MinPower):
        inside = x <= weight.cap
        low, p = torch.where(inside, x, weight.cap), weight.power
        return (low, inside.to(x)) if p == 1 else (low**p, p * low ** (p - 1) * inside)
    if isinstance(weight, Power):
        p = weight.p
        return (x, torch.ones_like(x)) if p == 1 else (x**p, p * x ** (p - 1))
    if isinstance(weight, Log1p):
        return x.log1p(), 1 / (1 + x)
    rows = x.mT.contiguous()
    w = weight(rows)
    w = w[:, None].expand_as(rows) if w.ndim == 1 else w
    return w.mT, diagonal_slopes(weight, rows).mT


@quadratic_rule(PairwiseInteraction, PositiveOrthant)
@quadratic_rule(Gaussian, PositiveOrthant)
def pairwise_rule(family: PairwiseInteraction | Gaussian, domain: PositiveOrthant) -> PairwiseGrams:
    """Weighted Gram matrices, for pairwise interactions and truncated Gaussians."""
    return PairwiseGrams.of(family, domain)
