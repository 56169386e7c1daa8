"""Implicit score matching (Hyvärinen): the Fisher divergence without the true score."""

from __future__ import annotations

from torch import Tensor

from scorematching.calculus import Exact
from scorematching.shapes import sum_event
from scorematching.typing import Score, Trace


def ism(score: Score, x: Tensor, trace: Trace | None = None) -> Tensor:
    """tr ∂s_θ(x) + ½‖s_θ(x)‖² per row.

    Its mean is D_F(p‖p_θ) − E½‖s‖² where p s_θ vanishes at the boundary of the domain; for an
    energy φ the row is ½‖∇φ‖² − Δφ.

    Parameters
    ----------
    score
        The model s_θ: x ``(n, *event)`` → like x, each row's value from that row alone.
    x
        Rows of the data, ``(n, *event)``.
    trace
        ``Exact()`` (the default) or ``Hutchinson(…)``, which is unbiased.

    Returns
    -------
    Tensor
        ``(n,)``, differentiable in the parameters of the model.

    Raises
    ------
    InvalidInput
        x is not a floating batch, or the score returns another shape.

    References
    ----------
    A. Hyvärinen, "Estimation of non-normalized statistical models by score matching",
    JMLR 6 (2005), theorem 1.
    """
    value, divergence = (trace or Exact())(score, x)
    return divergence + sum_event(value**2) / 2
