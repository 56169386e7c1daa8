"""What was measured: y = F(x) + σ_y ε, ε ~ N(0, I)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.calculus import differentiable, pullback
from scorematching.errors import InvalidInput
from scorematching.random import normal
from scorematching.shapes import check_rows, positive


@dataclass(frozen=True)
class Measurement:
    """y = F(x) + σ_y ε, with F given as a callable.

    Parameters
    ----------
    forward
        F, row by row: x ``(n, *event)`` → ``(n, *measured)``, differentiable by torch; for a matrix
        A ``(m, d)`` it is ``lambda x: x @ A.T``.
    noise
        σ_y, the standard deviation of the noise, in units of y.

    Raises
    ------
    InvalidInput
        The noise is not positive and finite.
    """

    forward: Callable[[Tensor], Tensor]
    noise: float

    def __post_init__(self) -> None:
        positive(self.noise, "noise", "Pass the standard deviation of y about F(x).")

    def score(self, x: Tensor, y: Tensor) -> Tensor:
        """∇ₓ log p(y|x) = Jᵀ(y − F(x))/σ_y² with J = ∂F/∂x, like x; y is ``(n, *measured)``.

        One vector–Jacobian product; no graph is kept.

        Raises
        ------
        InvalidInput
            F returns another shape than that of y, or a value that carries no gradient.
        """
        with differentiable(check_rows(x).detach()) as x:
            value = self.forward(x)
            if value.shape != y.shape:
                raise InvalidInput(
                    f"the forward map must return a tensor shaped like y, {tuple(y.shape)}: got "
                    f"{tuple(value.shape)} for x of shape {tuple(x.shape)}."
                )
            if not value.requires_grad:
                raise InvalidInput(
                    "the forward map must be differentiable: its value carries no gradient. "
                    "Compute it by torch, without no_grad, detach or a way through NumPy."
                )
            residual = (y - value.detach()) / self.noise**2
            return pullback(value, x, residual, keep_graph=False)

    def simulate(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A draw of y for each row of x, ``(n, *measured)``."""
        with torch.no_grad():
            value = self.forward(check_rows(x))
        return value + self.noise * normal(tuple(value.shape), value, generator)
