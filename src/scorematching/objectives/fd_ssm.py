"""Finite-difference sliced score matching: slopes along a direction without a derivative in x."""

from __future__ import annotations

import torch
from torch import Tensor

from scorematching.calculus import EnergyScore, LogDensityScore
from scorematching.errors import InvalidInput
from scorematching.hutchinson import Probes, Rademacher, check_count
from scorematching.random import fresh
from scorematching.shapes import check_rows, positive, sum_event
from scorematching.typing import Score


def fd_ssm(
    score: Score,
    x: Tensor,
    n_probes: int = 1,
    variance_reduced: bool | None = None,
    probes: Probes | None = None,
    generator: torch.Generator | None = None,
    *,
    epsilon: float | None = None,
) -> Tensor:
    """The sliced objective by central differences along v, averaged over n_probes directions v.

    Of a score, with s± = s_θ(x ± εv) and s̄ = (s₊ + s₋)/2,

        vᵀ(s₊ − s₋)/(2ε) + ½(vᵀs̄)², variance-reduced: ½‖s̄‖² in place of ½(vᵀs̄)²;

    of a log-density f known up to a constant, with f± = f(x ± εv) and without any derivative in x,

        (f₊ + f₋ − 2f(x))/ε² + ½((f₊ − f₋)/(2ε))².

    Both differ from `ssm` by O(ε²); on a Gaussian model they equal it at any ε.

    Parameters
    ----------
    score
        The model s_θ: x ``(n, *event)`` → like x; ``score_of(log_density)`` or
        ``from_energy(energy)`` for a log-density.
    x
        Rows of the data, ``(n, *event)``.
    n_probes
        Directions a row, each two evaluations; a log-density is evaluated once more, at x.
    variance_reduced
        Whether the second term is integrated over v in closed form, which needs E[vvᵀ] = I and
        the whole score: that of a log-density is then differentiated after all. By default true,
        and false for a log-density.
    probes
        The law of v, `Rademacher()` by default.
    generator
        The source of randomness.
    epsilon
        ε, in units of x. By default the cube root of the rounding unit for a score and its
        fourth root for a log-density, which suit rows of order one: 0.005 and 0.02 in float32.

    Returns
    -------
    Tensor
        ``(n,)``, differentiable in the parameters of the model.

    Raises
    ------
    InvalidInput
        x is not a floating batch, the model returns another shape, n_probes is below 1, or
        epsilon is not positive.

    References
    ----------
    T. Pang, K. Xu, C. Li, Y. Song, S. Ermon, J. Zhu, "Efficient learning of generative models via
    finite-difference score matching", NeurIPS 2020. Their v has length ε, so that their trace is
    divided by d; here E[vvᵀ] = I.
    """
    check_rows(x)
    check_count(n_probes, "n_probes")
    probes, generator = probes or Rademacher(), generator or fresh(x.device)
    directions = [probes(x, generator).detach() for _ in range(n_probes)]
    rounding = torch.finfo(x.dtype).eps
    if isinstance(score, LogDensityScore | EnergyScore) and not variance_reduced:
        step = _step(epsilon, rounding ** (1 / 4))
        centre = _log_density(score, x)
        losses = [_of_density(score, x, v, step, centre) for v in directions]
    else:
        step = _step(epsilon, rounding ** (1 / 3))
        whole = variance_reduced is None or variance_reduced
        losses = [_of_score(score, x, v, step, whole=whole) for v in directions]
    return torch.stack(losses).mean(0)


def _step(epsilon: float | None, default: float) -> float:
    return default if epsilon is None else positive(epsilon, "epsilon").item()


def _of_score(score: Score, x: Tensor, v: Tensor, step: float, *, whole: bool) -> Tensor:
    """vᵀ(s₊ − s₋)/(2ε) + ½‖s̄‖², or ½(vᵀs̄)² if not the whole s̄ is used."""
    up, down = _score(score, x + step * v), _score(score, x - step * v)
    slope = sum_event(v * (up - down)) / (2 * step)
    mean = (up + down) / 2
    square = sum_event(mean**2) if whole else sum_event(v * mean) ** 2
    return slope + square / 2


def _of_density(
    score: LogDensityScore | EnergyScore, x: Tensor, v: Tensor, step: float, centre: Tensor
) -> Tensor:
    """(f₊ + f₋ − 2f)/ε² + ½((f₊ − f₋)/(2ε))²."""
    up, down = _log_density(score, x + step * v), _log_density(score, x - step * v)
    curvature = ((up - centre) + (down - centre)) / step**2
    along = (up - down) / (2 * step)
    return curvature + along**2 / 2


def _score(score: Score, x: Tensor) -> Tensor:
    """s(x), refused unless it is like x."""
    value = score(x)
    if value.shape != x.shape:
        hint = "" if value.shape != x.shape[:1] else " For a log-density, pass score_of(f)."
        raise InvalidInput(
            f"score must return a tensor shaped like x, {tuple(x.shape)}: "
            f"got {tuple(value.shape)}.{hint}"
        )
    return value


def _log_density(score: LogDensityScore | EnergyScore, x: Tensor) -> Tensor:
    """f(x) ``(n,)``, refused unless it has that shape."""
    of_energy = isinstance(score, EnergyScore)
    value = -score.energy(x) if isinstance(score, EnergyScore) else score.log_density(x)
    if value.shape != x.shape[:1]:
        name = "an energy" if of_energy else "a log-density"
        raise InvalidInput(
            f"{name} must return one number per row, shape ({x.shape[0]},): "
            f"got {tuple(value.shape)}. Sum over the event axes, not over the rows."
        )
    return value
