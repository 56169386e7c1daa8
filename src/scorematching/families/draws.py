"""Exact draws that torch makes without a generator only: gamma variates, directions, rejection."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.random import fresh, normal, uniform

WORST_ACCEPTANCE = 1e-5


def log_gamma_variates(shape: Tensor, n: int, generator: torch.Generator | None = None) -> Tensor:
    """log G, G ~ Gamma(shape, 1), for each shape parameter: ``(k,)`` → ``(n, k)``.

    Marsaglia & Tsang (2000) for α + 1, brought down to α by G(α) = G(α+1) U^{1/α}; in logarithms,
    since G itself underflows for small α.
    """
    generator = generator if generator is not None else fresh(shape.device)
    d = (shape + 1 - 1 / 3).expand(n, -1)
    c = 1 / (9 * d).sqrt()
    log_value = torch.full_like(d, math.nan)
    pending = torch.ones_like(d, dtype=torch.bool)
    while bool(pending.any()):
        m = int(pending.sum())
        z, u = normal((m,), shape, generator), uniform((m,), shape, generator)
        v = (1 + c[pending] * z) ** 3
        log_v = v.clamp(min=torch.finfo(shape.dtype).tiny).log()
        bound = z**2 / 2 + d[pending] * (1 - v + log_v)
        accepted = (v > 0) & (u.log() < bound)
        candidate = torch.where(accepted, d[pending].log() + log_v, math.nan)
        log_value[pending] = candidate
        pending = log_value.isnan()
    # 1 − U lies in (0, 1], where the logarithm is finite.
    return log_value + (1 - uniform((n, len(shape)), shape, generator)).log() / shape


def directions(n: int, d: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Uniform draws from the unit sphere in ℝᵈ, ``(n, d)``."""
    return unit(normal((n, d), like, generator))


def unit(x: Tensor) -> Tensor:
    """Rows ``(n, d)``, or one vector ``(d,)``, divided by their lengths."""
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / length


def rejection(
    propose: Callable[[int, torch.Generator], tuple[Tensor, Tensor]],
    n: int,
    like: Tensor,
    generator: torch.Generator | None = None,
) -> Tensor:
    """n draws by rejection.

    Parameters
    ----------
    propose
        (m, generator) → m proposals ``(m, d)`` and the logarithms ``(m,)`` ≤ 0 of the
        probabilities with which they are accepted.
    n
        Number of draws.
    like
        Gives dtype and device.
    generator
        Source of randomness.

    Returns
    -------
    Tensor
        ``(n, d)``.

    Raises
    ------
    InvalidInput
        Fewer than one proposal in 100,000 is accepted.
    """
    generator = generator if generator is not None else fresh(like.device)
    kept: list[Tensor] = []
    found, tried = 0, 0
    while found < n or not kept:
        rate = (found + 1) / (tried + 1)
        m = min(max(2 * int((n - found) / rate), 64), max(8 * n, 65_536))
        proposals, log_probability = propose(m, generator)
        accepted = proposals[uniform((m,), like, generator).log() < log_probability]
        kept.append(accepted)
        found, tried = found + len(accepted), tried + m
        if found < n and tried > 1e6 and found < WORST_ACCEPTANCE * tried:
            raise InvalidInput(
                f"exact sampling accepts too few proposals: {found} of {tried}. "
                "Langevin steps, sm.samplers.ula(model.score, x, step_size, n_steps), take every "
                "proposal, but do not keep to a boundary."
            )
    return torch.cat(kept)[:n]
