"""DDIM and ancestral sampling: jump to E[x₀ | x_t], and noise that again to the next level.

J. Song, C. Meng & S. Ermon, "Denoising diffusion implicit models" (ICLR 2021); J. Ho, A. Jain &
P. Abbeel, "Denoising diffusion probabilistic models" (NeurIPS 2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.samplers.diffusion import Diffusion
from scorematching.samplers.walk import OnlyX, drawn


@dataclass(frozen=True)
class DDIM:
    """x ← α_next D + √(σ_next² − c²) ε + c z, ε = (x − αD)/σ, c = η σ_next √(1 − e^{−2h}).

    h = λ_next − λ with λ = ln(α/σ). η = 0 is deterministic, the first-order exponential integrator
    of the probability flow; η = 1 is ancestral sampling, with the variance of x_next given x and
    x₀. Between them it is of weak order 1 for dx = [f x − ½(1 + η²) g² s] dt + η g dw̄. All of them
    are exact while D is constant.

    Raises
    ------
    InvalidInput
        η is not in [0, 1].
    """

    eta: float = 0.0

    order: ClassVar[int] = 1
    evaluations: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 1:
            raise InvalidInput(
                f"eta must be in [0, 1]: got {self.eta!r}. 0 adds no noise, 1 is ancestral."
            )

    @property
    def draws(self) -> int:
        return int(self.eta > 0)

    def init(self, x: Tensor) -> OnlyX:
        return OnlyX(x)

    def __call__(
        self, diffusion: Diffusion, state: OnlyX, t: Tensor, t_next: Tensor, z: Tensor | None
    ) -> OnlyX:
        alpha, sigma = diffusion.scales(t)
        alpha_next, sigma_next = diffusion.scales(t_next)
        gain = -math.expm1(2 * (diffusion.log_ratio(t) - diffusion.log_ratio(t_next)))
        denoised = diffusion.denoised(state.x, t)
        kept = sigma_next * math.sqrt(1 - self.eta**2 * gain)
        x = alpha_next * denoised + kept / sigma * (state.x - alpha * denoised)
        return OnlyX(x + self.eta * sigma_next * math.sqrt(gain) * drawn(z) if self.eta else x)
