"""Integrals for checking normalisation, by rules that know nothing of the families."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.special import roots_legendre
from torch import Tensor

Function = Callable[[Tensor], Tensor]


def panels(low: float, high: float, count: int = 200, order: int = 10) -> tuple[Tensor, Tensor]:
    """Nodes and weights of the composite Gauss–Legendre rule on (low, high)."""
    nodes, weights = roots_legendre(order)
    edges = np.linspace(low, high, count + 1)
    half = (high - low) / count / 2
    at = (edges[:-1, None] + half * (nodes[None] + 1)).ravel()
    return torch.from_numpy(at), torch.from_numpy(np.tile(half * weights, count))


def on_line(function: Function, low: float, high: float, count: int = 200) -> Tensor:
    """∫ of a function of x ``(n, 1)`` → ``(n,)`` or ``(n, m)``."""
    x, w = panels(low, high, count)
    return torch.tensordot(w, function(x[:, None]), dims=1)


def on_half_line(function: Function, low: float = -200.0, high: float = 20.0) -> Tensor:
    """∫₀^∞ of a function of x ``(n, 1)``, through x = e^y, y in (low, high)."""
    y, w = panels(low, high, 1200)
    x = y.exp()
    return torch.tensordot(w * x, function(x[:, None]), dims=1)


def on_sphere(function: Function, count: int = 60) -> Tensor:
    """∫ over the unit sphere in ℝ³, of x ``(n, 3)`` → ``(n,)`` or ``(n, m)``."""
    z, w = panels(-1, 1, count)
    k = 8 * count
    angle = 2 * math.pi * torch.arange(k, dtype=torch.float64) / k
    r = (1 - z**2).sqrt()
    x = torch.stack(
        [
            torch.outer(r, angle.cos()).flatten(),
            torch.outer(r, angle.sin()).flatten(),
            z.repeat_interleave(k),
        ],
        dim=1,
    )
    return torch.tensordot((w * 2 * math.pi / k).repeat_interleave(k), function(x), dims=1)


def on_triangle(function: Function) -> Tensor:
    """∫ dx₁dx₂ over compositions of three parts, log-ratios within ± 60, to about 1e-6."""
    u, w = panels(-60, 60, 50, 8)
    grid = torch.cartesian_prod(u, u)
    weight = torch.outer(w, w).flatten()
    x = torch.cat([grid, torch.zeros(len(grid), 1).double()], dim=1).softmax(1)
    return torch.tensordot(weight * x.prod(1), function(x), dims=1)
