"""The currency of the house: what flows between rooms, as protocols nothing has to subclass."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


class Score(Protocol):
    """∇ₓ log p: x ``(n, *event)`` → tensor like x."""

    def __call__(self, x: Tensor, /) -> Tensor: ...


class NoisyScore(Protocol):
    """∇ₓ log p_t: x ``(n, *event)``, t ``(n,)`` or ``()`` → tensor like x."""

    def __call__(self, x: Tensor, t: Tensor, /) -> Tensor: ...


class Denoiser(Protocol):
    """E[x₀ | x₀ + σz = x]: x ``(n, *event)``, σ ``(n,)`` or ``()`` → tensor like x."""

    def __call__(self, x: Tensor, sigma: Tensor, /) -> Tensor: ...


class LogDensity(Protocol):
    """log p, up to a constant: x ``(n, *event)`` → ``(n,)`` in nats."""

    def __call__(self, x: Tensor, /) -> Tensor: ...


class HasLogProb(Protocol):
    """Anything with ``log_prob``, such as a member of ``torch.distributions``."""

    def log_prob(self, x: Tensor, /) -> Tensor: ...


class Trace(Protocol):
    """A way to the trace of ∂s/∂x: returns the score, like x, and its trace ``(n,)``."""

    def __call__(self, score: Score, x: Tensor, /) -> tuple[Tensor, Tensor]: ...


@runtime_checkable
class DiagonalTrace(Protocol):
    """A trace that also knows the squares of the diagonal: the score, like x, Σⱼ ∂ⱼsⱼ ``(n,)`` and
    Σⱼ (∂ⱼsⱼ)² ``(n,)``."""

    def with_squares(self, score: Score, x: Tensor, /) -> tuple[Tensor, Tensor, Tensor]: ...


class Density(Protocol):
    """Asked for only where log p itself is used: MALA, AIS, held-out likelihood."""

    def log_density(self, x: Tensor, /) -> Tensor: ...

    def score(self, x: Tensor, /) -> Tensor: ...


class Sampleable(Protocol):
    """A density that can be drawn from: n rows ``(n, *event)``."""

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor: ...
