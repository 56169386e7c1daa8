"""Denoising autoencoders: reconstructing the clean row is denoising score matching.

A reconstruction r(x̃) of x from x̃ = x + σz and a model s of the score of the noised density are one
thing in two units, s(x̃) = (r(x̃) − x̃)/σ² and r(x̃) = x̃ + σ² s(x̃) (Tweedie's formula), and so are
their losses,

    ½‖r(x̃) − x‖² = σ⁴ · ½‖s(x̃) + z/σ‖².

P. Vincent, "A connection between score matching and denoising autoencoders", Neural Computation 23
(2011); G. Alain, Y. Bengio, "What regularized auto-encoders learn from the data-generating
distribution", JMLR 15 (2014).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.hutchinson import check_count
from scorematching.noise.kernels import GaussianKernel
from scorematching.random import fresh
from scorematching.shapes import check_like, check_rows, per_row, sum_event
from scorematching.typing import Score


def dae(
    reconstruction: Callable[[Tensor], Tensor],
    x: Tensor,
    sigma: Tensor | float,
    n_noise: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """½‖r_θ(x + σz) − x‖² per row, averaged over n_noise draws of z; σ⁴ times `dsm`.

    Its minimiser is r(x̃) = E[x | x̃]; `ReconstructionScore` makes a score of it.

    Parameters
    ----------
    reconstruction
        The model r_θ: x̃ ``(n, *event)`` → like x̃, `TiedAutoencoder`, say.
    x
        Clean rows, ``(n, *event)``.
    sigma
        The standard deviation of the noise, a number or one per row ``(n,)``.
    n_noise
        Noise draws a row.
    generator
        The source of randomness.

    Returns
    -------
    Tensor
        ``(n,)``, in squared units of x, differentiable in the parameters of the model.

    Raises
    ------
    InvalidInput
        sigma is not positive, n_noise is below 1, x is not a floating batch, or the
        reconstruction has another shape.

    References
    ----------
    P. Vincent, Neural Computation 23 (2011), section 4.
    """
    check_rows(x)
    check_count(n_noise, "n_noise")
    noise, generator = GaussianKernel(sigma), generator or fresh(x.device)
    losses = []
    for _ in range(n_noise):
        rebuilt = check_like(reconstruction(noise.sample(x, generator)), x, "a reconstruction")
        losses.append(sum_event((rebuilt - x) ** 2) / 2)
    return torch.stack(losses).mean(0)


@dataclass(frozen=True)
class ReconstructionScore:
    """The score (r(x) − x)/σ² of a reconstruction; σ is a number or one per row ``(n,)``."""

    reconstruction: Callable[[Tensor], Tensor]
    sigma: Tensor | float

    def __call__(self, x: Tensor) -> Tensor:
        rebuilt = check_like(self.reconstruction(x), x, "a reconstruction")
        return (rebuilt - x) / per_row(self.sigma, x) ** 2


@dataclass(frozen=True)
class ScoreReconstruction:
    """The reconstruction x + σ² s(x) of a score; the inverse of `ReconstructionScore`."""

    score: Score
    sigma: Tensor | float

    def __call__(self, x: Tensor) -> Tensor:
        return x + per_row(self.sigma, x) ** 2 * check_like(self.score(x), x, "a score")
