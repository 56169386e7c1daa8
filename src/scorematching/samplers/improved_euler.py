"""The improved Euler step of the reverse SDE, whose first half is an Euler step to compare with.

In the unscaled rows y = x/α with noise level σ let c = 1/σ² be the clock and u = c y. Then the
reverse SDE dx = [f x − g² s] dt + g dw̄ of every process is

    du = D(u/c, σ) dc + dB,   D = E[x₀ | y],   B a Brownian motion in c:

what is known of x₀ grows by D dc, and the noise is white (A. Montanari, "Sampling, diffusions, and
stochastic localization", 2023). The step is that of A. Jolicoeur-Martineau et al., "Gotta go fast
when generating data with score-based models" (2021), in this clock,

    u′ = u + D Δ + ΔB,   u″ = u + ½ (D + D′) Δ + ΔB,   D′ = D at u′.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from scorematching.samplers.diffusion import Diffusion
from scorematching.samplers.walk import OnlyX, drawn
from scorematching.shapes import per_row


@dataclass(frozen=True)
class ImprovedEuler:
    """The step u″ = u + ½ (D + D′) Δ + √Δ z, Δ = c_next − c; of weak order 2."""

    order: ClassVar[int] = 2
    evaluations: ClassVar[int] = 2
    draws: ClassVar[int] = 1

    def init(self, x: Tensor) -> OnlyX:
        return OnlyX(x)

    def __call__(
        self, diffusion: Diffusion, state: OnlyX, t: Tensor, t_next: Tensor, z: Tensor | None
    ) -> OnlyX:
        clock, later = (diffusion.process.noise_level(s) ** -2 for s in (t, t_next))
        y = state.x / diffusion.scales(t)[0]
        increment = (later - clock).sqrt().item() * drawn(z)
        _, improved = both(diffusion, y, (clock, later), (t, t_next), increment)
        return OnlyX(diffusion.scales(t_next)[0] * improved)


def both(
    diffusion: Diffusion,
    y: Tensor,
    clocks: tuple[Tensor, Tensor],
    times: tuple[Tensor, Tensor],
    increment: Tensor,
) -> tuple[Tensor, Tensor]:
    """y at the end of a step, by Euler and by the improved step, with the noise ΔB, like y.

    The clocks and times of its ends are numbers or one per row ``(n,)``, in float64.
    """
    clock, later = clocks
    kept, gain = per_row(clock / later, y), per_row((later - clock) / later, y)
    noise = increment / per_row(later, y)
    denoised = diffusion.denoised_unscaled(y, times[0])
    euler = kept * y + gain * denoised + noise
    after = diffusion.denoised_unscaled(euler, times[1])
    return euler, kept * y + gain * (denoised + after) / 2 + noise
