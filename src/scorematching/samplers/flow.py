"""The probability flow dx/dt = f x − ½ g² s(x, t), run from noise to data, and its solvers.

Y. Song et al., "Score-based generative modeling through stochastic differential equations" (ICLR
2021). Deterministic: the same start gives the same sample, and each x_t has the density p_t.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.noise import Process
from scorematching.samplers.diffusion import Diffusion, Solver, run_backwards
from scorematching.samplers.grids import Grid, KarrasGrid
from scorematching.samplers.walk import OnlyX, Progress, Walk
from scorematching.typing import NoisyScore


@dataclass(frozen=True)
class Euler:
    """x ← x + h u(x, t), u = f x − ½ g² s and h = t_next − t."""

    order: ClassVar[int] = 1
    evaluations: ClassVar[int] = 1
    noisy: ClassVar[bool] = False

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
    noisy: ClassVar[bool] = False

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
    noisy: ClassVar[bool] = False

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


class Multistep(NamedTuple):
    """x, and the denoiser and the log-ratio λ of the step before."""

    x: Tensor
    denoised: Tensor | None = None
    log_ratio: float | None = None


def extrapolated(state: Multistep, denoised: Tensor, now: float, then: float) -> Tensor:
    """½ (D − D_before)/r, r = h_before/h: half the expected change of D; zero in the first step."""
    if state.denoised is None or state.log_ratio is None:
        return denoised.new_zeros(())
    ratio = (now - state.log_ratio) / (then - now)
    return (denoised - state.denoised) / (2 * ratio)


@dataclass(frozen=True)
class DPMSolver2M:
    """DPM-Solver++(2M), an exponential integrator on the denoiser D, exact for constant D.

    With λ = ln(α/σ), h = λ_next − λ and r = h_before/h,

        D̄ = (1 + 1/(2r)) D − 1/(2r) D_before,   x ← (σ_next/σ) x − α_next (e^{−h} − 1) D̄,

    and D̄ = D in the first step. C. Lu et al., "DPM-Solver++: fast solver for guided sampling of
    diffusion probabilistic models" (2022).
    """

    order: ClassVar[int] = 2
    evaluations: ClassVar[int] = 1
    noisy: ClassVar[bool] = False

    def init(self, x: Tensor) -> Multistep:
        return Multistep(x)

    def __call__(
        self, diffusion: Diffusion, state: Multistep, t: Tensor, t_next: Tensor, z: Tensor | None
    ) -> Multistep:
        now, then = diffusion.log_ratio(t), diffusion.log_ratio(t_next)
        _, sigma = diffusion.scales(t)
        alpha_next, sigma_next = diffusion.scales(t_next)
        denoised = diffusion.denoised(state.x, t)
        target = denoised + extrapolated(state, denoised, now, then)
        gain = -math.expm1(now - then)
        return Multistep(sigma_next / sigma * state.x + alpha_next * gain * target, denoised, now)


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
    noisy_score
        s(x, t) = ∇ log p_t(x).
    process
        What the noise did.
    x
        Rows ``(n, *event)`` at the first time of the grid, from `prior_sample`, say.
    grid
        The times; ``KarrasGrid(20)`` by default.
    step
        ``DPMSolver2M()`` (the default), ``Heun()``, ``Euler()`` or ``RungeKutta4()``.
    final_denoise
        Replace x by E[x₀ | x_t = x] at the last time, for one more evaluation. Without it x is
        left as α x₀ + σ z at that time.
    callback, record_every
        As in `walk`; the record holds the steps, not the final denoising.

    Raises
    ------
    InvalidInput
        The step draws noise, or x or the grid are unusable.
    Diverged
        Every row became non-finite.
    """
    solver = step if step is not None else DPMSolver2M()
    if solver.noisy:
        raise InvalidInput(
            f"the probability flow takes a step without noise: got {solver}. "
            "Use reverse_sde for it, or step=DPMSolver2M()."
        )
    return run_backwards(
        solver,
        Diffusion(noisy_score, process),
        x,
        grid or KarrasGrid(20),
        final_denoise=final_denoise,
        generator=None,
        callback=callback,
        record_every=record_every,
    )
