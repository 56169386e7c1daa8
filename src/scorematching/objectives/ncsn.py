"""The noise-conditional objective: weighted denoising score matching over all noise levels."""

from __future__ import annotations

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.noise.ladder import Ladder
from scorematching.noise.process import Process
from scorematching.objectives.times import Times, UniformLevels, UniformTimes
from scorematching.objectives.weights import SigmaSquared, Weight
from scorematching.random import fresh
from scorematching.shapes import check_like, check_rows, per_row, sum_event
from scorematching.typing import NoisyScore


def ncsn(
    noisy_score: NoisyScore,
    x: Tensor,
    process: Process,
    weight: Weight | None = None,
    generator: torch.Generator | None = None,
    *,
    times: Times | None = None,
    every_level: bool = False,
) -> Tensor:
    """λ(t) ½‖s_θ(x_t, t) + z/σ(t)‖² per row, x_t = α(t) x + σ(t) z.

    At one random time a row, or summed over the levels of a `Ladder`: Σᵢ λ(σᵢ) · loss at σᵢ.

    Parameters
    ----------
    noisy_score
        The model s_θ: x_t ``(n, *event)``, t ``(n,)`` → like x_t.
    x
        Clean rows, ``(n, *event)``.
    process
        The noise process.
    weight
        λ; `SigmaSquared()` by default. Others: `Likelihood`, `EDMWeight`, `MinSNR`.
    generator
        The source of randomness.
    times
        The law of t; by default uniform over the levels of a ladder, else over [t_min, t_max].
    every_level
        Sum over all levels of a ladder instead of drawing one a row.

    Returns
    -------
    Tensor
        ``(n,)``, differentiable in the parameters of the model.

    Raises
    ------
    InvalidInput
        x is not a floating batch, the score returns another shape, or every_level is asked for
        without a ladder or together with times.

    References
    ----------
    Y. Song, S. Ermon, "Generative modeling by estimating gradients of the data distribution",
    NeurIPS 2019, equations 5 and 6; Y. Song et al., ICLR 2021, equation 7.
    """
    check_rows(x)
    weight = weight or SigmaSquared()
    generator = generator or fresh(x.device)
    if not every_level:
        times = times or (UniformLevels() if isinstance(process, Ladder) else UniformTimes())
        t = times(process, x.shape[0], x, generator)
        return _loss_at(t, noisy_score, x, process, weight, generator)
    if not isinstance(process, Ladder) or times is not None:
        raise InvalidInput(
            f"every_level sums over the levels of a Ladder and takes no times: got {process} and "
            f"times = {times}. Use Ladder.geometric(sigma_min, sigma_max, n_levels), or leave "
            "every_level out."
        )
    levels = torch.arange(len(process.levels), dtype=x.dtype, device=x.device)
    losses = [
        _loss_at(level.expand(x.shape[0]), noisy_score, x, process, weight, generator)
        for level in levels
    ]
    return torch.stack(losses).sum(0)


def _loss_at(
    t: Tensor,
    noisy_score: NoisyScore,
    x: Tensor,
    process: Process,
    weight: Weight,
    generator: torch.Generator,
) -> Tensor:
    noised, z = process.perturb(x, t, generator)
    score = check_like(noisy_score(noised, t), x, "noisy_score")
    error = score + z / per_row(process.sigma(t), x)
    loss = sum_event(error**2) / 2
    return per_row(weight(process, t), loss) * loss
