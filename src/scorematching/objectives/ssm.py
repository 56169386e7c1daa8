"""Sliced score matching: the Fisher divergence along random directions."""

from __future__ import annotations

import torch
from torch import Tensor

from scorematching.calculus import differentiable, quadratic_form
from scorematching.hutchinson import Hutchinson, Probes, Rademacher, check_count
from scorematching.random import fresh
from scorematching.shapes import check_like, check_rows, sum_event
from scorematching.typing import Score


def ssm(
    score: Score,
    x: Tensor,
    n_probes: int = 1,
    variance_reduced: bool = True,
    probes: Probes | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """vᵀ∂s_θ v + ½(vᵀs_θ)² per row, averaged over n_probes directions v.

    Averages to the implicit objective for E[vvᵀ] = I. For any E[vvᵀ] ≻ 0 the plain form keeps the
    minimiser of the Fisher divergence; for a singular E[vvᵀ] it does not. The variance-reduced
    form replaces the second term by its mean ½‖s_θ‖², which holds for E[vvᵀ] = I only.

    Parameters
    ----------
    score
        The model s_θ: x ``(n, *event)`` → like x, each row's value from that row alone.
    x
        Rows of the data, ``(n, *event)``.
    n_probes
        Directions a row.
    variance_reduced
        Whether to integrate the second term over v in closed form.
    probes
        The law of v, `Rademacher()` by default.
    generator
        The source of randomness.

    Returns
    -------
    Tensor
        ``(n,)``, differentiable in the parameters of the model.

    Raises
    ------
    InvalidInput
        x is not a floating batch, the score returns another shape, or n_probes is below 1.

    References
    ----------
    Y. Song, S. Garg, J. Shi, S. Ermon, "Sliced score matching", UAI 2019, equations 7 and 8.
    """
    check_count(n_probes, "n_probes")
    probes = probes or Rademacher()
    if variance_reduced:
        value, divergence = Hutchinson(n_probes, probes, generator)(score, x)
        return divergence + sum_event(value**2) / 2
    generator = generator or fresh(x.device)
    keep = torch.is_grad_enabled()
    with differentiable(check_rows(x)) as x:
        value = check_like(score(x), x, "score")
        losses = []
        for _ in range(n_probes):
            v = probes(x, generator).detach()
            slope = quadratic_form(value, x, v, keep_graph=keep)
            losses.append(slope + sum_event(v * value) ** 2 / 2)
        mean = torch.stack(losses).mean(0)
    return mean if keep else mean.detach()
