"""Denoising score matching: the score of the noised density, learned by removing noise."""

from __future__ import annotations

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.hutchinson import check_count
from scorematching.noise.kernels import GaussianKernel, NoiseKernel
from scorematching.random import fresh
from scorematching.shapes import check_like, check_rows, sum_event
from scorematching.typing import Score


def dsm(
    score: Score,
    x: Tensor,
    sigma: Tensor | float | None = None,
    n_noise: int = 1,
    generator: torch.Generator | None = None,
    *,
    kernel: NoiseKernel | None = None,
) -> Tensor:
    """½‖s_θ(x̃) − ∇_{x̃} log q(x̃|x)‖² per row, x̃ ~ q(·|x), averaged over n_noise draws.

    For the Gaussian kernel it is ½‖s_θ(x + σz) + z/σ‖². The mean is the Fisher divergence at the
    noised density plus a constant; its minimiser is the score of the noised density.

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
    Neural Computation 23 (2011), equation 9.
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
    losses = []
    for _ in range(n_noise):
        noised = noise.sample(x, generator)
        error = check_like(score(noised), x, "score") - noise.score(noised, x)
        losses.append(sum_event(error**2) / 2)
    return torch.stack(losses).mean(0)
