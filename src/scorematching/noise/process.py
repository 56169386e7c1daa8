"""Noise processes x_t = α(t) x + σ(t) z, z ~ N(0, I), and all that follows from α and σ.

The process solves dx = f x dt + g dw with f = α̇/α and g² = dσ²/dt − 2 f σ² (Song et al., "Score-
based generative modeling through stochastic differential equations", ICLR 2021; Kingma et al.,
"Variational diffusion models", NeurIPS 2021).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from scorematching.calculus import differentiable
from scorematching.errors import InvalidInput
from scorematching.random import normal
from scorematching.shapes import per_row

_BISECTIONS = 80


class Process(ABC):
    """x_t = α(t) x + σ(t) z on t_min ≤ t ≤ t_max; the noise grows with t.

    A process gives α, σ and its range of times; the rest is derived here. Times are tensors
    ``(n,)`` or ``()``; dtype and device follow them.
    """

    @property
    @abstractmethod
    def t_min(self) -> float:
        """The smallest time, where least noise is left."""

    @property
    @abstractmethod
    def t_max(self) -> float:
        """The largest time, where hardly anything but noise is left."""

    @abstractmethod
    def alpha(self, t: Tensor) -> Tensor:
        """α(t) > 0, the factor on the data."""

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor:
        """σ(t) > 0, the standard deviation of the noise in x_t."""

    def drift_rate(self, t: Tensor) -> Tensor:
        """f(t) = d ln α/dt, the drift of dx = f x dt + g dw."""
        return _slope(lambda s: self.alpha(s).log(), t)

    def diffusion_squared(self, t: Tensor) -> Tensor:
        """g(t)² = dσ²/dt − 2 f σ² = 2 σ² d ln(σ/α)/dt."""
        return 2 * self.sigma(t) ** 2 * _slope(lambda s: self.noise_level(s).log(), t)

    def path_velocity(self, x: Tensor, z: Tensor, t: Tensor | float) -> Tensor:
        """dx_t/dt = α̇ x + σ̇ z along the path of one row x and one noise z, like x.

        Its mean given x_t is the velocity of the probability flow, which makes it the target of
        flow matching; t is a number or one per row.
        """
        t = torch.as_tensor(t, dtype=x.dtype, device=x.device)
        return per_row(_slope(self.alpha, t), x) * x + per_row(_slope(self.sigma, t), x) * z

    def noise_level(self, t: Tensor) -> Tensor:
        """σ(t)/α(t), the noise standard deviation of the unscaled x = x_t/α."""
        return self.sigma(t) / self.alpha(t)

    def log_snr(self, t: Tensor) -> Tensor:
        """The logarithm of the signal-to-noise ratio, 2 ln(α/σ)."""
        return -2 * self.noise_level(t).log()

    def time_of(self, noise_level: Tensor) -> Tensor:
        """The time t at which σ/α equals the given level, by bisection.

        Raises
        ------
        InvalidInput
            A level lies outside those of t_min and t_max (beyond rounding).
        """
        target = self._within_range(noise_level)
        low = torch.full_like(target, self.t_min)
        high = torch.full_like(target, self.t_max)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            above = self.noise_level(middle) > target
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return (low + high) / 2

    def _within_range(self, noise_level: Tensor) -> Tensor:
        """The levels as a tensor, none beyond those of t_min and t_max but by rounding."""
        target = torch.as_tensor(noise_level)
        ends = target.new_tensor([self.t_min, self.t_max])
        smallest, largest = self.noise_level(ends)
        slack = 1 + 64 * torch.finfo(target.dtype).eps
        bad = ~((target >= smallest / slack) & (target <= largest * slack))
        if bool(bad.any()):
            raise InvalidInput(
                f"noise levels must lie in [{smallest.item():g}, {largest.item():g}], "
                f"the range of {self}: got {target[bad].flatten()[0].item():g}."
            )
        return target

    def perturb(
        self, x: Tensor, t: Tensor | float, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """x_t = α(t) x + σ(t) z and z, both like x; t is a number or one per row."""
        t = torch.as_tensor(t, dtype=x.dtype, device=x.device)
        z = normal(tuple(x.shape), x, generator)
        return per_row(self.alpha(t), x) * x + per_row(self.sigma(t), x) * z, z


def _slope(function: Callable[[Tensor], Tensor], t: Tensor) -> Tensor:
    """d function/dt, entry by entry, without touching an outer graph."""
    with differentiable(t.detach()) as t:
        value = function(t)
        if not value.requires_grad:
            return torch.zeros_like(t)
        (slope,) = torch.autograd.grad(value.sum(), t, materialize_grads=True)
    return slope
