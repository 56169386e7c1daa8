"""Denoising score matching: the score of the noised density, learned by removing noise."""

from __future__ import annotations

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.hutchinson import check_count
from scorematching.noise.kernels import GaussianKernel, NoiseKernel
from scorematching.random import fresh
from scorematching.shapes import check_like, check_rows, per_row, sum_event
from scorematching.typing import Score


def dsm(
    score: Score,
    x: Tensor,
    sigma: Tensor | float | None = None,
    n_noise: int = 1,
    generator: torch.Generator | None = None,
    *,
    kernel: NoiseKernel | None = None,
    control_variate: bool = False,
) -> Tensor:
    """½‖s_θ(x̃) − ∇_{x̃} log q(x̃|x)‖² per row, x̃ ~ q(·|x), averaged over n_noise draws.

    For the Gaussian kernel it is ½‖s_θ(x + σz) + z/σ‖². The mean is the Fisher divergence at the
    noised density plus a constant; its minimiser is the score of the noised density.

    As σ → 0 the variance of its gradient grows as 1/σ², by the term zᵀs_θ(x)/σ, whose mean is
    zero. The control variate takes that term away, and (‖z‖² − d)/(2σ²) with it:

        ½‖s_θ(x̃)‖² + zᵀ(s_θ(x̃) − s_θ(x))/σ + d/(2σ²)

    has the same mean, and the variance of sliced score matching with v = z in the limit.

    Parameters
    ----------
    score
        The model s_θ of the noised density: x̃ ``(n, *event)`` → like x̃.
    x
        Clean rows, ``(n, *event)``.
    sigma
        The standard deviation of Gaussian noise, a number or one per row ``(n,)``.
    n_noise
        Noise draws a row.
    generator
        The source of randomness.
    kernel
        Another noise kernel, in place of `sigma`.
    control_variate
        Whether to subtract the term of mean zero, for one more evaluation, at x. It pays while σ
        is below the scale of the data, and costs variance above it.

    Returns
    -------
    Tensor
        ``(n,)``, differentiable in the parameters of the model.

    Raises
    ------
    InvalidInput
        Neither or both of sigma and kernel are given, sigma is not positive, n_noise is below 1,
        x is not a floating batch, or the score returns another shape.

    References
    ----------
    P. Vincent, "A connection between score matching and denoising autoencoders",
    Neural Computation 23 (2011), equation 9. The control variate: Z. Wang, S. Cheng, Y. Li, J. Zhu,
    B. Zhang, "A Wasserstein minimum velocity approach to learning unnormalized models", AISTATS
    2020; Y. Song, D. P. Kingma, "How to train your energy-based models" (2021).
    """
    check_rows(x)
    check_count(n_noise, "n_noise")
    if (sigma is None) == (kernel is None):
        got = "neither" if sigma is None else "both"
        raise InvalidInput(
            f"expected sigma or kernel: got {got}. Pass sigma=0.1 for Gaussian noise, or "
            "kernel=LaplaceKernel(0.1) for another law."
        )
    noise = kernel if kernel is not None else GaussianKernel(sigma)  # type: ignore[arg-type]
    generator = generator or fresh(x.device)
    clean = check_like(score(x), x, "score") if control_variate else None
    losses = []
    for _ in range(n_noise):
        noised = noise.sample(x, generator)
        value = check_like(score(noised), x, "score")
        target = noise.score(noised, x)
        if clean is None:
            losses.append(sum_event((value - target) ** 2) / 2)
        else:
            change = sum_event(target * (value - clean))
            losses.append(sum_event(value**2) / 2 - change + _mean_square(noise, x, target) / 2)
    return torch.stack(losses).mean(0)


def _mean_square(noise: NoiseKernel, x: Tensor, target: Tensor) -> Tensor:
    """E‖∇_{x̃} log q(x̃|x)‖², d/σ² for the Gaussian kernel; of another law, the draw's own square.

    It does not depend on the model, so that its variance is none of the gradient's.
    """
    if isinstance(noise, GaussianKernel):
        return sum_event(torch.ones_like(x) / per_row(noise.sigma, x) ** 2)
    return sum_event(target**2)
