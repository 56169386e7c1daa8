"""Annealed Langevin: Langevin at one noise level after another, from the highest to the lowest.

Y. Song & S. Ermon, "Generative modeling by estimating gradients of the data distribution" (NeurIPS
2019). The high levels join the modes, so that each gets its share; the low ones sharpen. Consistent
annealed sampling (A. Jolicoeur-Martineau et al., "Adversarial score matching and improved sampling
for image generation", ICLR 2021) adds only as much noise as the next level has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from scorematching.calculus import at
from scorematching.errors import InvalidInput
from scorematching.hutchinson import check_count
from scorematching.noise import Process
from scorematching.samplers.diffusion import Diffusion, denoise_at
from scorematching.samplers.grids import Grid, LadderGrid
from scorematching.samplers.langevin import langevin_step
from scorematching.samplers.walk import OnlyX, Progress, Walk, drawn, walk
from scorematching.shapes import positive
from scorematching.typing import NoisyScore


@dataclass(frozen=True)
class AnnealedLangevin:
    """One Langevin step at level t, of size ratio·σ(t)², then the factor α_next/α of the process.

    In the unscaled rows y = x/α the step size is η = ratio·(σ/α)², in units of x₀².

    Raises
    ------
    InvalidInput
        The ratio is not positive and finite.
    """

    diffusion: Diffusion
    ratio: float

    order: ClassVar[int] = 1
    evaluations: ClassVar[int] = 1
    draws: ClassVar[int] = 1

    def __post_init__(self) -> None:
        positive(self.ratio, "the ratio η/σ²")

    def init(self, x: Tensor) -> OnlyX:
        return OnlyX(x)

    def __call__(self, state: OnlyX, t: Tensor, t_next: Tensor, z: Tensor | None) -> OnlyX:
        alpha, sigma = self.diffusion.scales(t)
        score = at(self.diffusion.noisy_score, t)
        moved = langevin_step(state.x, score, self.ratio * sigma**2, drawn(z))
        return OnlyX(self.diffusion.scales(t_next)[0] / alpha * moved)


@dataclass(frozen=True)
class ConsistentAnnealed:
    """y ← y + ρ(D − y) + √(σ_next² − (1 − ρ)²σ²) z: one score step, then noise up to σ_next.

    In the unscaled rows y = x/α with noise level σ, D = E[x₀ | x_t] and D − y = σ²s. The step
    leaves (1 − ρ)σ of the noise; in the paper ρ = ε/σ_L² and β² = 1 − (1 − ρ)²σ²/σ_next². Exact
    while D is constant; with ρ falling as 1/n, n the number of steps, of weak order 1 for
    dx = [f x − ½(1 + η²) g² s] dt + η g dw̄ with 1 + η² = ρ/ln(σ/σ_next). For `reverse_sde`, on the
    levels of a ladder (`LadderGrid`) or any others.

    Raises
    ------
    InvalidInput
        The ratio ρ is not in (0, 1]; in a step, (1 − ρ)σ is more noise than the next level has.
    """

    ratio: float

    order: ClassVar[int] = 1
    evaluations: ClassVar[int] = 1
    draws: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not 0 < self.ratio <= 1:
            raise InvalidInput(f"the ratio η/σ² must be in (0, 1]: got {self.ratio!r}.")

    def init(self, x: Tensor) -> OnlyX:
        return OnlyX(x)

    def __call__(
        self, diffusion: Diffusion, state: OnlyX, t: Tensor, t_next: Tensor, z: Tensor | None
    ) -> OnlyX:
        alpha, sigma = diffusion.scales(t)
        alpha_next, sigma_next = diffusion.scales(t_next)
        left, level = (1 - self.ratio) * sigma / alpha, sigma_next / alpha_next
        if left > level:
            raise InvalidInput(
                f"the step from level {sigma / alpha:g} to {level:g} leaves noise of {left:g}, "
                "more than that level has. "
                f"Pass a ratio of at least {1 - level * alpha / sigma:g}, or take more levels."
            )
        y = state.x / alpha
        y = y + self.ratio * (diffusion.denoised(state.x, t) - y)
        return OnlyX(alpha_next * (y + math.sqrt(level**2 - left**2) * drawn(z)))


def annealed_langevin(
    noisy_score: NoisyScore,
    process: Process,
    x: Tensor,
    grid: Grid | None = None,
    *,
    step_size: float,
    n_steps_each: int = 100,
    final_denoise: bool = True,
    generator: torch.Generator | None = None,
    callback: Callable[[Progress], None] | None = None,
    record_every: int | None = None,
) -> Walk:
    """Run n_steps_each Langevin steps at every level, with steps ηᵢ = ε σᵢ²/σ_L².

    Parameters
    ----------
    noisy_score
        s(x, t) = ∇ log p_t(x).
    process
        A `Ladder`, or any process together with a grid.
    x
        Rows ``(n, *event)`` at the highest level; the chains forget them if that level is high.
    grid
        The levels, as times; by default a ladder's own.
    step_size
        ε = η_L, the step at the lowest level σ_L, in units of x²; it is half of the ε of Song &
        Ermon, who write x + ½ε s + √ε z. Below 2σ_L² the chains are stable.
    n_steps_each
        Steps at each level.
    final_denoise
        Replace x by E[x₀ | x_t = x] at the last level, for one more evaluation.
    generator, callback, record_every
        As in `walk`; the record holds the steps, not the final denoising.

    Raises
    ------
    InvalidInput
        The step size or the number of steps is not positive, or x or the grid are unusable.
    Diverged
        Every chain became non-finite.
    """
    check_count(n_steps_each, "n_steps_each")
    positive(step_size, "step_size")
    diffusion = Diffusion(noisy_score, process)
    levels = (grid or LadderGrid())(process)
    last = levels[-1]
    ratio = float(step_size) / process.noise_level(last).item() ** 2
    result = walk(
        AnnealedLangevin(diffusion, ratio),
        x,
        torch.cat([levels.repeat_interleave(n_steps_each), last[None]]),
        generator=generator,
        callback=callback,
        record_every=record_every,
    )
    return denoise_at(result, diffusion, last) if final_denoise else result
