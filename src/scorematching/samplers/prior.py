"""Where sampling starts and the flow of a log-density ends: a Gaussian, noised.

If x₀ ~ N(μ, C) then x₀ + σz ~ N(μ, C + σ²I); at a high noise level any density with that mean and
covariance is close to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from scorematching.densities import GaussianMixture, gaussian
from scorematching.errors import InvalidInput
from scorematching.noise import Process
from scorematching.random import normal
from scorematching.samplers.grids import ends
from scorematching.shapes import positive, sum_event


@dataclass(frozen=True, eq=False)
class NoisedGaussian:
    """N(μ, C + σ²I) on rows of any event shape.

    Parameters
    ----------
    mean
        μ, of the event's shape; dtype and device follow it.
    covariance
        C ``(d, d)`` of the flattened row; None is the identity, for standardised rows, and costs
        nothing in any dimension.
    noise_level
        σ, in the units of x₀.

    Raises
    ------
    InvalidInput
        σ is not positive, or the covariance has another shape or is not positive definite.
    """

    mean: Tensor
    covariance: Tensor | None
    noise_level: float
    _flat: GaussianMixture | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        positive(self.noise_level, "noise_level")
        flat = None
        if self.covariance is not None:
            d = self.mean.numel()
            if self.covariance.shape != (d, d):
                raise InvalidInput(
                    f"expected a covariance of shape ({d}, {d}) for a mean of shape "
                    f"{tuple(self.mean.shape)}: got {tuple(self.covariance.shape)}."
                )
            noise = self.noise_level**2 * torch.eye(d).to(self.mean)
            flat = gaussian(self.mean.reshape(-1), self.covariance.to(self.mean) + noise)
        object.__setattr__(self, "_flat", flat)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws, ``(n, *event)``."""
        if self._flat is not None:
            return self._flat.sample(n, generator).reshape(n, *self.mean.shape)
        scale = math.sqrt(1 + self.noise_level**2)
        return self.mean + scale * normal((n, *self.mean.shape), self.mean, generator)

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) in nats, ``(n, *event)`` → ``(n,)``.

        Raises
        ------
        InvalidInput
            The rows have another shape than the mean.
        """
        if x.shape[1:] != self.mean.shape:
            raise InvalidInput(
                f"expected rows of the shape of the mean, {tuple(self.mean.shape)}: "
                f"got x of shape {tuple(x.shape)}."
            )
        if self._flat is not None:
            return self._flat.log_density(x.reshape(len(x), -1))
        variance = 1 + self.noise_level**2
        d = self.mean.numel()
        return (
            -(sum_event((x - self.mean) ** 2) / variance + d * math.log(2 * math.pi * variance)) / 2
        )


def prior_sample(
    n: int,
    process: Process,
    mean: Tensor,
    covariance: Tensor | None = None,
    *,
    noise_level: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """n rows to start from, α·N(μ, C + (σ/α)²I) at the process's highest noise level.

    Parameters
    ----------
    n
        The number of rows.
    process
        What the noise does.
    mean, covariance
        Of the data, as in `NoisedGaussian`; ``torch.zeros(event)`` and None for standardised data.
    noise_level
        σ/α of the first time of the grid, if the grid starts lower than the process ends.
    generator
        The source of randomness; without one, fresh entropy.

    Returns
    -------
    Tensor
        ``(n, *event)``, in the dtype and on the device of the mean.
    """
    level = ends(process, None, noise_level)[1]
    t = torch.tensor(process.t_max, dtype=torch.float64)
    if noise_level is not None:
        t = process.time_of(torch.tensor(level, dtype=torch.float64))
    alpha = process.alpha(t).item()
    return alpha * NoisedGaussian(mean, covariance, level).sample(n, generator)
