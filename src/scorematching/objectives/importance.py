"""Importance-sampled times: the mean loss of uniform times, with less variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from scorematching.noise.process import Process
from scorematching.objectives.times import Times, quantiles
from scorematching.objectives.weights import Weight


class TimesWithDensity(Times, Protocol):
    """A law of times that can be corrected for: it knows its density p(t)."""

    def density(self, process: Process, t: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class LikelihoodTimes:
    """t with density p(t) = g²/(σ²Z) on [t_min, t_max], which is ln SNR uniform on its range.

    g²/σ² = −d ln SNR/dt, so that Z = ln SNR(t_min) − ln SNR(t_max) and a draw is the time at which
    ln SNR has fallen by uZ. It takes out of the likelihood-weighted loss, g²/σ² · ½‖σs_θ + z‖², the
    factor that explodes as σ → 0; `ImportanceWeight` keeps its mean.

    References
    ----------
    Y. Song, C. Durkan, I. Murray, S. Ermon, "Maximum likelihood training of score-based diffusion
    models", NeurIPS 2021, section 5.
    """

    stratified: bool = True

    def __call__(
        self, process: Process, n: int, like: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        u = quantiles(n, like, generator, stratified=self.stratified)
        least, most = _ends(process, u)
        # Linear in ln(σ/α) = −½ ln SNR; kept within the levels of the ends against rounding.
        level = torch.exp(torch.lerp(least.log(), most.log(), u))
        return process.time_of(level.clamp(least, most))

    def density(self, process: Process, t: Tensor) -> Tensor:
        """p(t) within [t_min, t_max], ``(n,)`` → ``(n,)``."""
        least, most = _ends(process, t)
        z = 2 * (most / least).log()
        return process.diffusion_squared(t) / (process.sigma(t) ** 2 * z)


@dataclass(frozen=True)
class ImportanceWeight:
    """λ(t)/(p(t)(t_max − t_min)): under times of density p, the mean that λ has under uniform ones.

    With `Likelihood` and `LikelihoodTimes` it is σ²Z/(t_max − t_min).

    Parameters
    ----------
    weight
        λ.
    times
        The law that the times are drawn from: pass the same to `ncsn`.
    """

    weight: Weight
    times: TimesWithDensity

    def __call__(self, process: Process, t: Tensor) -> Tensor:
        length = process.t_max - process.t_min
        return self.weight(process, t) / (self.times.density(process, t) * length)


def _ends(process: Process, like: Tensor) -> tuple[Tensor, Tensor]:
    """σ/α at t_min and t_max."""
    t = torch.as_tensor([process.t_min, process.t_max], dtype=like.dtype, device=like.device)
    least, most = process.noise_level(t).unbind()
    return least, most
