"""Charts: square roots and log-ratios of compositions, logarithms, logits of an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from scorematching.domains.checks import check_inside, refuse
from scorematching.errors import InvalidInput


@dataclass(frozen=True)
class SquareRoot:
    """z = √x from the simplex to the positive part of the unit sphere, x = z².

    dS(x) = ∏ⱼ 2zⱼ dS(z) up to a constant: log |det| = Σⱼ log zⱼ. (In the first d−1 coordinates
    dx = ∏_{j<d} 2zⱼ dz, and the sphere's own volume is dz/z_d.)
    """

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` where a value is negative."""
        check_inside(x, x, "every part must be at least 0", "A square root needs it.")

    def forward(self, x: Tensor) -> Tensor:
        """√x."""
        return x.sqrt()

    def inverse(self, z: Tensor) -> Tensor:
        """z²."""
        return z**2

    def log_abs_det(self, z: Tensor) -> Tensor:
        """Σⱼ log zⱼ, ``(n,)``."""
        return z.log().sum(1)


@dataclass(frozen=True)
class AdditiveLogRatio:
    """zⱼ = log(xⱼ/x_d), j < d, from the inside of the simplex to ℝᵈ⁻¹ (Aitchison 1982).

    xⱼ = e^{zⱼ}/(1 + Σ e^{z}), log |det| = Σⱼ log xⱼ over all d parts.
    """

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` where a part is not positive."""
        refuse(
            x <= 0,
            x,
            "a log-ratio needs every part to be positive",
            "Use FlatSimplex(d) or SqrtSimplex(d), which take zeros.",
        )

    def forward(self, x: Tensor) -> Tensor:
        """log(xⱼ/x_d), ``(n, d−1)``."""
        logs = x.log()
        return logs[:, :-1] - logs[:, -1:]

    def inverse(self, z: Tensor) -> Tensor:
        """The softmax of (z, 0), ``(n, d)``."""
        return _with_zero(z).softmax(1)

    def log_abs_det(self, z: Tensor) -> Tensor:
        """Σⱼ log xⱼ, ``(n,)``."""
        return _with_zero(z).log_softmax(1).sum(1)


@dataclass(frozen=True)
class Log:
    """z = log x per column, from (0, ∞)ᵈ to ℝᵈ: x = e^z, log |det| = Σ zⱼ."""

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` where a value is not positive."""
        refuse(
            x <= 0,
            x,
            "a logarithm needs every value to be positive",
            "Use PositiveOrthant(d), which takes zeros.",
        )

    def forward(self, x: Tensor) -> Tensor:
        """log x."""
        return x.log()

    def inverse(self, z: Tensor) -> Tensor:
        """e^z."""
        return z.exp()

    def log_abs_det(self, z: Tensor) -> Tensor:
        """Σ zⱼ, ``(n,)``."""
        return z.sum(1)


@dataclass(frozen=True)
class Logit:
    """z = log((x − low)/(high − x)) per column, from an interval to ℝ.

    x = low + (high − low)/(1 + e^{−z}), log |det| = Σ log σ(z) + log σ(−z) up to a constant, σ the
    logistic function.

    Raises
    ------
    InvalidInput
        Not −∞ < low < high < ∞.
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise InvalidInput(
                f"expected −∞ < low < high < ∞: got low = {self.low!r}, high = {self.high!r}. "
                "Use Log() for a half-line."
            )

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` where a value is not strictly between the sides."""
        refuse(
            (x <= self.low) | (x >= self.high),
            x,
            f"a logit needs every value strictly between {self.low:g} and {self.high:g}",
            "Use Box(low, high), which takes values on its sides.",
        )

    def forward(self, x: Tensor) -> Tensor:
        """log((x − low)/(high − x))."""
        return (x - self.low).log() - (self.high - x).log()

    def inverse(self, z: Tensor) -> Tensor:
        """low + (high − low) σ(z)."""
        return self.low + (self.high - self.low) * z.sigmoid()

    def log_abs_det(self, z: Tensor) -> Tensor:
        """Σ log σ(z) + log σ(−z), ``(n,)``."""
        return (logsigmoid(z) + logsigmoid(-z)).sum(1)


def _with_zero(z: Tensor) -> Tensor:
    return torch.cat([z, z.new_zeros(z.shape[0], 1)], 1)
