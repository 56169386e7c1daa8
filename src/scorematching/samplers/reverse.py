"""The reverse SDE dx = [f x − g² s(x, t)] dt + g dw̄, run from noise to data, and its solvers.

B. D. O. Anderson, "Reverse-time diffusion equation models", Stochastic Processes and their
Applications 12 (1982); Y. Song et al. (ICLR 2021).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.noise import Process
from scorematching.samplers.diffusion import Diffusion, Solver, run_backwards
from scorematching.samplers.grids import Grid, KarrasGrid
from scorematching.samplers.multistep import Multistep, extrapolated
from scorematching.samplers.walk import Noise, OnlyX, Progress, Walk, drawn
from scorematching.typing import NoisyScore


@dataclass(frozen=True)
class EulerMaruyama:
    """x ← x + h (f x − g² s) + √|h| g z, h = t_next − t < 0; weak order 1."""

    order: ClassVar[int] = 1
    evaluations: ClassVar[int] = 1
    draws: ClassVar[int] = 1

    def init(self, x: Tensor) -> OnlyX:
        return OnlyX(x)

    def __call__(
        self, diffusion: Diffusion, state: OnlyX, t: Tensor, t_next: Tensor, z: Tensor | None
    ) -> OnlyX:
        h = (t_next - t).item()
        rate, squared = diffusion.rates(t)
        drift = rate * state.x - squared * diffusion.score(state.x, t)
        return OnlyX(state.x + h * drift + math.sqrt(-h * squared) * drawn(z))


@dataclass(frozen=True)
class SDEDPMSolver2M:
    """SDE-DPM-Solver++(2M), an exponential integrator on the denoiser D, exact for constant D.

    With λ = ln(α/σ), h = λ_next − λ and r = h_before/h,

        x ← (σ_next/σ) e^{−h} x + α_next (1 − e^{−2h}) [D + (D − D_before)/(2r)]
            + σ_next √(1 − e^{−2h}) z,

    without the difference in the first step. C. Lu et al., "DPM-Solver++" (2022). As in a two-step
    Adams–Bashforth scheme, the noise in D_before makes up for the noise that D meets within the
    step, so the mean and the covariance are of order 2.
    """

    order: ClassVar[int] = 2
    evaluations: ClassVar[int] = 1
    draws: ClassVar[int] = 1

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
        gain = -math.expm1(2 * (now - then))
        kept = sigma_next / sigma * math.exp(now - then) * state.x
        fresh = sigma_next * math.sqrt(gain) * drawn(z)
        return Multistep(kept + alpha_next * gain * target + fresh, denoised, now)


def reverse_sde(
    noisy_score: NoisyScore,
    process: Process,
    x: Tensor,
    grid: Grid | None = None,
    *,
    step: Solver[Any] | None = None,
    final_denoise: bool = True,
    generator: torch.Generator | None = None,
    noise: Noise | None = None,
    callback: Callable[[Progress], None] | None = None,
    record_every: int | None = None,
) -> Walk:
    """Run the process backwards, dx = [f x − g² s] dt + g dw̄, from noise to data.

    Parameters
    ----------
    grid
        The times; ``KarrasGrid(50)`` by default.
    step
        ``SDEDPMSolver2M()`` by default; any solver that draws noise.
    noisy_score, process, x, final_denoise, generator, noise, callback, record_every
        As in `run_backwards`.

    Raises
    ------
    InvalidInput
        The step draws no noise, or x or the grid are unusable.
    Diverged
        Every row became non-finite.
    """
    solver = step if step is not None else SDEDPMSolver2M()
    if not solver.draws:
        raise InvalidInput(
            f"the reverse SDE takes a step that draws noise: got {solver}. "
            "Use probability_flow for it, or step=SDEDPMSolver2M()."
        )
    return run_backwards(
        solver,
        noisy_score,
        process,
        x,
        grid or KarrasGrid(50),
        final_denoise=final_denoise,
        generator=generator,
        noise=noise,
        callback=callback,
        record_every=record_every,
    )
