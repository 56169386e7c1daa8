"""Embedded Runge–Kutta pairs: two solutions from the same slopes, whose difference is an error.

P. Bogacki & L. F. Shampine, "A 3(2) pair of Runge–Kutta formulas", Applied Mathematics Letters 2
(1989); J. R. Dormand & P. J. Prince, "A family of embedded Runge–Kutta formulae", Journal of
Computational and Applied Mathematics 6 (1980).

What is integrated is v = y/ρ with y = x/α, ρ = √(1 + σ²) and the noise level σ (of y), in ln σ.
For data of unit variance v has variance near one at every level, so that one tolerance means the
same all the way; and every process gives the same equation,

    dv/d ln σ = (v/ρ − D(ρv, σ))/ρ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from scorematching.noise import Process
from scorematching.samplers.diffusion import Diffusion
from scorematching.samplers.walk import OnlyX
from scorematching.shapes import per_row


@dataclass(frozen=True)
class Pair:
    """A Butcher tableau whose last stage is the slope at the end of the step.

    Attributes
    ----------
    nodes
        cᵢ of the second to the last stage; the last is 1.
    matrix
        aᵢⱼ of the same stages; the last row holds the weights of the solution.
    error
        The weights of the solution less those of the embedded one, for all stages.
    order
        The order of the solution; the embedded one has one less.
    """

    nodes: tuple[float, ...] = field(repr=False)
    matrix: tuple[tuple[float, ...], ...] = field(repr=False)
    error: tuple[float, ...] = field(repr=False)
    order: int


BOGACKI_SHAMPINE = Pair(
    nodes=(1 / 2, 3 / 4, 1.0),
    matrix=((1 / 2,), (0.0, 3 / 4), (2 / 9, 1 / 3, 4 / 9)),
    error=(2 / 9 - 7 / 24, 1 / 3 - 1 / 4, 4 / 9 - 1 / 3, -1 / 8),
    order=3,
)

DORMAND_PRINCE = Pair(
    nodes=(1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0),
    matrix=(
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    ),
    error=(
        71 / 57600,
        0.0,
        -71 / 16695,
        71 / 1920,
        -17253 / 339200,
        22 / 525,
        -1 / 40,
    ),
    order=5,
)


@dataclass(frozen=True)
class EmbeddedRungeKutta:
    """A pair's solution on the steps of a grid; `adaptive_flow` chooses the steps by its error."""

    pair: Pair = DORMAND_PRINCE

    draws: ClassVar[int] = 0

    @property
    def order(self) -> int:
        return self.pair.order

    @property
    def evaluations(self) -> int:
        return len(self.pair.nodes)

    def init(self, x: Tensor) -> OnlyX:
        return OnlyX(x)

    def __call__(
        self, diffusion: Diffusion, state: OnlyX, t: Tensor, t_next: Tensor, z: Tensor | None
    ) -> OnlyX:
        process = diffusion.process
        start, end = (process.noise_level(each).log() for each in (t, t_next))
        levels, times = stages(self.pair, process, start, end)
        v = state.x / (process.alpha(t) * radius(start)).item()
        v, _ = advanced(self.pair, diffusion, v, levels, times)
        return OnlyX((process.alpha(t_next) * radius(end)).item() * v)


def stages(pair: Pair, process: Process, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """ln σ and t of each stage of a step from one ln σ to another, numbers or one per row each."""
    nodes = torch.tensor([0.0, *pair.nodes], dtype=start.dtype, device=start.device)
    levels = torch.lerp(start, end, nodes.reshape(-1, *(1,) * start.ndim))
    return levels, process.time_of(levels.exp())


def advanced(
    pair: Pair,
    diffusion: Diffusion,
    v: Tensor,
    levels: Tensor,
    times: Tensor,
    first: Tensor | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """v at the end of a step through its stages, and the slopes of all but the last of them.

    `first` is the slope at the start, where that is known.
    """
    h = levels[-1] - levels[0]
    slopes = [slope(diffusion, v, levels[0], times[0]) if first is None else first]
    for i, row in enumerate(pair.matrix[:-1], 1):
        slopes.append(slope(diffusion, combined(v, h, row, slopes), levels[i], times[i]))
    return combined(v, h, pair.matrix[-1], slopes), slopes


def combined(v: Tensor, h: Tensor, weights: Sequence[float], slopes: Sequence[Tensor]) -> Tensor:
    """v + h Σ wⱼ uⱼ."""
    terms = [w * u for w, u in zip(weights, slopes, strict=True) if w]
    return v + per_row(h, v) * torch.stack(terms).sum(0)


def slope(diffusion: Diffusion, v: Tensor, log_level: Tensor, t: Tensor) -> Tensor:
    """dv/d ln σ = (v/ρ − D(ρv, σ))/ρ, like v."""
    rho = per_row(radius(log_level), v)
    return (v / rho - diffusion.denoised_unscaled(rho * v, t)) / rho


def radius(log_level: Tensor) -> Tensor:
    """ρ = √(1 + σ²)."""
    return (2 * log_level).exp().add(1).sqrt()
