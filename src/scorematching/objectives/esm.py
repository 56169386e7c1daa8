"""Explicit score matching: the Fisher divergence against a known score."""

from __future__ import annotations

from torch import Tensor

from scorematching.shapes import check_like, check_rows, sum_event
from scorematching.typing import Score


def esm(score: Score, x: Tensor, true_score: Score) -> Tensor:
    """½‖s_θ(x) − s(x)‖² per row; its mean over data of p is D_F(p‖p_θ).

    Parameters
    ----------
    score
        The model s_θ: x ``(n, *event)`` → like x.
    x
        Rows of the data, ``(n, *event)``.
    true_score
        The score ∇ₓ log p of the data, a callable like `score`.

    Returns
    -------
    Tensor
        ``(n,)``, differentiable in the parameters of the model.

    Raises
    ------
    InvalidInput
        x is not a floating batch, or a score returns another shape.

    References
    ----------
    A. Hyvärinen, "Estimation of non-normalized statistical models by score matching",
    JMLR 6 (2005), equation 2.
    """
    check_rows(x)
    modelled = check_like(score(x), x, "score")
    true = check_like(true_score(x), x, "true_score")
    return sum_event((modelled - true) ** 2) / 2
