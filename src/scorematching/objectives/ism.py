"""Implicit score matching (Hyvärinen): the Fisher divergence without the true score."""

from __future__ import annotations

from torch import Tensor

from scorematching.calculus import Exact
from scorematching.errors import InvalidInput
from scorematching.shapes import sum_event
from scorematching.typing import DiagonalTrace, Score, Trace


def ism(
    score: Score, x: Tensor, trace: Trace | None = None, *, regularisation: float = 0.0
) -> Tensor:
    """tr ∂s_θ(x) + ½‖s_θ(x)‖² + λ Σⱼ (∂ⱼs_θ,ⱼ(x))² per row; λ = 0 unless it is asked for.

    For λ = 0 its mean is D_F(p‖p_θ) − E½‖s‖² where p s_θ vanishes at the boundary of the domain;
    for an energy φ the row is ½‖∇φ‖² − Δφ. A λ > 0 keeps the model from putting ever sharper peaks
    on few or rounded rows: λ = σ²/2 stands for data blurred by N(0, σ²I), and does so exactly where
    the score is linear and its coordinates independent. It moves the minimum to smoother models.

    Parameters
    ----------
    score
        The model s_θ: x ``(n, *event)`` → like x, each row's value from that row alone.
    x
        Rows of the data, ``(n, *event)``.
    trace
        ``Exact()`` (the default) or ``Hutchinson(…)``, which is unbiased, also for λ > 0 (with two
        probes or more).
    regularisation
        λ ≥ 0, in squared units of x.

    Returns
    -------
    Tensor
        ``(n,)``, differentiable in the parameters of the model.

    Raises
    ------
    InvalidInput
        x is not a floating batch, the score returns another shape, or λ is negative, not finite,
        or asked for with a trace that does not know the diagonal.

    References
    ----------
    A. Hyvärinen, "Estimation of non-normalized statistical models by score matching",
    JMLR 6 (2005), theorem 1. λ: D. P. Kingma, Y. LeCun, "Regularized estimation of image
    statistics by score matching", NeurIPS 2010.
    """
    trace = trace or Exact()
    if not 0 <= regularisation < float("inf"):
        raise InvalidInput(
            f"regularisation must be zero or positive, and finite: got {regularisation!r}."
        )
    if not regularisation:
        value, divergence = trace(score, x)
    elif isinstance(trace, DiagonalTrace):
        value, divergence, squares = trace.with_squares(score, x)
        divergence = divergence + regularisation * squares
    else:
        raise InvalidInput(
            f"regularisation needs the diagonal of ∂s, which {trace} does not give. "
            "Use trace=Exact(), or Hutchinson(n_probes=2)."
        )
    return divergence + sum_event(value**2) / 2
