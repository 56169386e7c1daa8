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
from scorematching.estimation.rows import check_some, not_finite, too_large
from scorematching.estimation.symmetric_blocks import assemble_matrix, assemble_vector
from scorematching.families import Gaussian, PairwiseInteraction
from scorematching.structured import QuadraticForm, quadratic_rule

CELLS = 2**19  # products yₖy_l held at a time: what a processor's cache takes


class Terms(NamedTuple):
    """What rows x contribute, each ``(d, m)``: columns first, so that products run along rows."""

    y: Tensor
    wff: Tensor
    wfh: Tensor
    whh: Tensor
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
        width = max(1, CELLS // len(i))
        # Products yₖy_l, and under them y itself, which meets the same weights.
        products = x.new_empty(len(i) + d, width)
        grams, mixed = x.new_zeros(len(i) + d, d), x.new_zeros(d, d)
        for part in torch.split(x, width):
            columns = part.mT.contiguous()
            if not bool(columns.amin() >= 0):
                self.domain.check(x)
            self._add(columns, products[:, : len(part)], grams, mixed, blocks, parts)
        blocks[:, i, j] += grams[: len(i)].mT
        blocks[:, j, i] += torch.where(i == j, 0.0, grams[: len(i)].mT)
        crossed = grams[len(i) :].mT if self._one_power else mixed
        blocks[:, :d, d] -= crossed
        blocks[:, d, :d] -= crossed
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
        interaction, linear = K @ t.y, linear[:, None]
        # w s f and w s h, with s = ηh − f(Ky)
        wsf = linear * t.wfh - t.wff * interaction
        wsh = linear * t.whh - t.wfh * interaction
        by_row = torch.cat([-(wsf + t.slope_f)[:, None] * t.y, (wsh + t.slope_h)[:, None]], 1)
        j = torch.arange(self.family.d, device=x.device)
        by_row[j, j] -= self._steepness * t.wff
        return assemble_vector(by_row.permute(2, 0, 1))

    @property
    def _one_power(self) -> bool:
        """Whether a = b, so that f = h."""
        return self.powers[0] == self.powers[1]

    @property
    def _steepness(self) -> float:
        """y' = steepness · f."""
        return self.powers[0] or 1.0

    def _terms(self, x: Tensor) -> Terms:
        """Of columns x ``(d, m)``."""
        a, b = self.powers
        w, slope = weight_and_slope(self.domain.weight, x)
        y = x**a if a else x.log()
        f, wf, slope_f = _weighted(x, y, w, slope, a)
        wff = wf * f
        if self._one_power:
            return Terms(y, wff, wff, wff, slope_f, slope_f)
        h, wh, slope_h = _weighted(x, x**b, w, slope, b)
        return Terms(y, wff, wf * h, wh * h, slope_f, slope_h)

    def _add(
        self,
        x: Tensor,
        products: Tensor,
        grams: Tensor,
        mixed: Tensor,
        blocks: Tensor,
        parts: Tensor,
    ) -> None:
        """Add the sums over the rows of columns x ``(d, m)``."""
        d, t = len(x), self._terms(x)
        for k in range(d):
            first = k * (k + 1) // 2
            torch.mul(t.y[: k + 1], t.y[k], out=products[first : first + k + 1])
        products[-d:] = t.y
        grams.addmm_(products, t.wff.mT)
        if not self._one_power:
            mixed.addmm_(t.wfh, t.y.mT)
        blocks[:, d, d] += t.whh.sum(1)
        parts[:, :d].addmm_(t.slope_f, t.y.mT, alpha=-1)
        parts[:, :d].diagonal().sub_(t.wff.sum(1), alpha=self._steepness)
        parts[:, d] += t.slope_h.sum(1)

    def _refuse(self, x: Tensor) -> None:
        """Raise InvalidInput for the first row whose loss is not finite."""
        t = self._terms(x.mT.contiguous())
        sizes = torch.stack(list(t))
        bad = ~sizes.isfinite().all(0).all(0)
        if bool(bad.any()):
            raise not_finite(x, int(bad.nonzero()[0]), self.domain)
        raise too_large()


def _weighted(
    x: Tensor, power: Tensor, w: Tensor, slope: Tensor, a: float
) -> tuple[Tensor, Tensor, Tensor]:
    """f = x^{a−1}, wf and ∂(wf) = w'f + (a − 1) wf/x, given xᵃ, w and w'."""
    if a == 1:
        return torch.ones_like(x), w, slope
    f = power / x if a else 1 / x
    wf = w * f
    return f, wf, torch.addcdiv(slope * f, wf, x, value=a - 1)


def weight_and_slope(weight: Weight, x: Tensor) -> tuple[Tensor, Tensor]:
    """wⱼ and ∂ⱼwⱼ of columns x ``(d, m)``, each ``(d, m)``."""
    if isinstance(weight, MinPower):
        inside = x <= weight.cap
        low, p = torch.where(inside, x, weight.cap), weight.power
        if p == 1:
            return low, inside.to(x)
        less = low ** (p - 1)
        return low * less if p > 1 else low**p, p * less * inside
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
