"""Weights that vanish at the boundary: functions of the distance from it, one per coordinate.

A weight multiplies the squared score difference. It takes rows of distances u ``(n, k)``: x itself
on the positive orthant and on the simplex, z = √x on the square-root simplex, the distances from
the sides of a box. `MinPower`, `Power` and `Log1p` give a weight per coordinate ``(n, k)``;
`MinSq` and `ProdSq` one per row ``(n,)``.

Where a minimum has a kink, the derivative is one of the one-sided ones, always the same: at the cap
that of the rising side, at a tie that of the last of the tied coordinates (so that rows with
several zeros agree with the R package scorematchingad).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from scorematching.errors import InvalidInput


class Weight(Protocol):
    """w(u) ≥ 0 of distances u ``(n, k)``: one per coordinate ``(n, k)``, or per row ``(n,)``."""

    def __call__(self, u: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class MinPower:
    """w = min(u, cap)**power per coordinate (Yu, Drton & Shojaie 2019; they advise min(x, 3)).

    Bounded, so that rows far from the boundary count alike and heavy tails do no harm.

    Raises
    ------
    InvalidInput
        The power or the cap is not positive and finite.
    """

    power: float = 1.0
    cap: float = 3.0

    def __post_init__(self) -> None:
        _positive(self.power, "power", "A power of 0 is the weight 1, which leaves the boundary in")
        _positive(self.cap, "cap", "For no cap use Power(p)")

    def __call__(self, u: Tensor) -> Tensor:
        capped = torch.where(u <= self.cap, u, self.cap)
        return capped if self.power == 1 else capped**self.power


@dataclass(frozen=True)
class Power:
    """w = u**p per coordinate; Hyvärinen (2007) has p = 2 on the positive orthant.

    Raises
    ------
    InvalidInput
        p is not positive and finite.
    """

    p: float = 2.0

    def __post_init__(self) -> None:
        _positive(self.p, "p", "A power of 0 is the weight 1, which leaves the boundary in")

    def __call__(self, u: Tensor) -> Tensor:
        return u if self.p == 1 else u**self.p


@dataclass(frozen=True)
class Log1p:
    """w = log(1 + u) per coordinate (Yu, Drton & Shojaie 2019)."""

    def __call__(self, u: Tensor) -> Tensor:
        return u.log1p()


@dataclass(frozen=True)
class MinSq:
    """w = min(minⱼ uⱼ², c²), one per row (Scealy & Wood 2023).

    Raises
    ------
    InvalidInput
        c is not positive and finite.
    """

    c: float = 0.1

    def __post_init__(self) -> None:
        _positive(self.c, "c", "It is the distance from the boundary beyond which rows count alike")

    def __call__(self, u: Tensor) -> Tensor:
        return capped_square(last_minimum(u), self.c)


@dataclass(frozen=True)
class ProdSq:
    """w = min(∏ⱼ uⱼ², c²), one per row (Scealy & Wood 2023).

    For a few coordinates: with a hundred the product underflows, and every weight is zero.

    Raises
    ------
    InvalidInput
        c is not positive and finite.
    """

    c: float = 0.1

    def __post_init__(self) -> None:
        _positive(self.c, "c", "It caps the product of the distances from the sides")

    def __call__(self, u: Tensor) -> Tensor:
        return capped_square(u.prod(1), self.c)


def capped_square(u: Tensor, cap: float) -> Tensor:
    """min(u², cap²)."""
    return torch.where(u <= cap, u, cap) ** 2


def last_minimum(u: Tensor) -> Tensor:
    """minⱼ uⱼ in each row of ``(n, k)``, ``(n,)``; at a tie the derivative is the last one's."""
    at = u.shape[1] - 1 - u.flip(1).argmin(1)  # argmin is the first of equals
    return u.gather(1, at[:, None])[:, 0]


def _positive(value: float, name: str, remedy: str) -> None:
    if not 0 < value < float("inf"):
        raise InvalidInput(f"{name} must be positive and finite: got {value!r}. {remedy}.")
