"""Noise kernels q(x̃ | x): draws, and the score ∇_{x̃} log q(x̃ | x) that denoising matches.

A kernel may have any law whose score is known; P. Vincent, "A connection between score matching
and denoising autoencoders", Neural Computation 23 (2011).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from scorematching.random import normal, uniform
from scorematching.shapes import per_row, positive


class NoiseKernel(Protocol):
    """q(x̃ | x), with draws and scores like x."""

    def sample(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor: ...

    def score(self, noised: Tensor, x: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class GaussianKernel:
    """N(x, σ² I): score (x − x̃)/σ². σ is a number or one per row ``(n,)``.

    Raises
    ------
    InvalidInput
        σ is not positive and finite.
    """

    sigma: Tensor | float

    def __post_init__(self) -> None:
        positive(self.sigma, "sigma", "Pass the noise standard deviation, not its variance.")

    def sample(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return x + per_row(self.sigma, x) * normal(tuple(x.shape), x, generator)

    def score(self, noised: Tensor, x: Tensor) -> Tensor:
        return (x - noised) / per_row(self.sigma, x) ** 2


@dataclass(frozen=True)
class LaplaceKernel:
    """Independent Laplace noise of scale b a coordinate: score sign(x − x̃)/b; variance 2b².

    Raises
    ------
    InvalidInput
        The scale is not positive and finite.
    """

    scale: Tensor | float

    def __post_init__(self) -> None:
        positive(self.scale, "scale")

    def sample(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        u = uniform((2, *x.shape), x, generator)
        exponential = -torch.log1p(-u)
        return x + per_row(self.scale, x) * (exponential[0] - exponential[1])

    def score(self, noised: Tensor, x: Tensor) -> Tensor:
        return torch.sign(x - noised) / per_row(self.scale, x)
