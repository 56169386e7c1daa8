"""The probability flow dx/dt = f x − ½ g² s(x, t), run from noise to data, and its solvers.

Y. Song et al., "Score-based generative modeling through stochastic differential equations" (ICLR
2021). Deterministic: the same start gives the same sample, and each x_t has the density p_t.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.noise import Process
from scorematching.samplers.diffusion import Diffusion, Solver, run_backwards
from scorematching.samplers.grids import Grid, KarrasGrid
from scorematching.samplers.multistep import DPMSolver2M
from scorematching.samplers.walk import OnlyX, Progress, Walk
from scorematching.typing import NoisyScore


@dataclass(frozen=True)
class Euler:
    """x ← x + h u(x, t), u = f x − ½ g² s and h = t_next − t."""

    order: ClassVar[int] = 1
    evaluations: ClassVar[int] = 1
    draws: ClassVar[int] = 0

    def init(self, x: Tensor) -> OnlyX:
        return OnlyX(x)

    def __call__(
        self, diffusion: Diffusion, state: OnlyX, t: Tensor, t_next: Tensor, z: Tensor | None
    ) -> OnlyX:
        h = (t_next - t).item()
        return OnlyX(state.x + h * diffusion.velocity(state.x, t))


@dataclass(frozen=True)
class Heun:
    """x ← x + ½h (u₁ + u₂), u₁ = u(x, t), u₂ = u(x + h u₁, t_next)."""

    order: ClassVar[int] = 2
    evaluations: ClassVar[int] = 2
    draws: ClassVar[int] = 0

    def init(self, x: Tensor) -> OnlyX:
        return OnlyX(x)

    def __call__(
        self, diffusion: Diffusion, state: OnlyX, t: Tensor, t_next: Tensor, z: Tensor | None
    ) -> OnlyX:
        h = (t_next - t).item()
        first = diffusion.velocity(state.x, t)
        second = diffusion.velocity(state.x + h * first, t_next)
        return OnlyX(state.x + h / 2 * (first + second))


@dataclass(frozen=True)
class RungeKutta4:
    """The classical fourth-order Runge–Kutta step, in t."""

    order: ClassVar[int] = 4
    evaluations: ClassVar[int] = 4
    draws: ClassVar[int] = 0

    def init(self, x: Tensor) -> OnlyX:
        return OnlyX(x)

    def __call__(
        self, diffusion: Diffusion, state: OnlyX, t: Tensor, t_next: Tensor, z: Tensor | None
    ) -> OnlyX:
        x, h, middle = state.x, (t_next - t).item(), (t + t_next) / 2
        first = diffusion.velocity(x, t)
        second = diffusion.velocity(x + h / 2 * first, middle)
        third = diffusion.velocity(x + h / 2 * second, middle)
        fourth = diffusion.velocity(x + h * third, t_next)
        return OnlyX(x + h / 6 * (first + 2 * second + 2 * third + fourth))


def probability_flow(
    noisy_score: NoisyScore,
    process: Process,
    x: Tensor,
    grid: Grid | None = None,
    *,
    step: Solver[Any] | None = None,
    final_denoise: bool = True,
    callback: Callable[[Progress], None] | None = None,
    record_every: int | None = None,
) -> Walk:
    """Follow the probability flow dx/dt = f x − ½ g² s from noise to data.

    Parameters
    ----------
    grid
        The times; ``KarrasGrid(20)`` by default.
    step
        ``DPMSolver2M()`` by default; any solver without noise.
    noisy_score, process, x, final_denoise, callback, record_every
        As in `run_backwards`.

    Raises
    ------
    InvalidInput
        The step draws noise, or x or the grid are unusable.
    Diverged
        Every row became non-finite.
    """
    solver = step if step is not None else DPMSolver2M()
    if solver.draws:
        raise InvalidInput(
            f"the probability flow takes a step without noise: got {solver}. "
            "Use reverse_sde for it, or step=DPMSolver2M()."
        )
    return run_backwards(
        solver,
        noisy_score,
        process,
        x,
        grid or KarrasGrid(20),
        final_denoise=final_denoise,
        callback=callback,
        record_every=record_every,
    )
