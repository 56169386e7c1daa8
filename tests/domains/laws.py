"""Laws on each domain whose density and score are known in closed form, with exact draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scorematching.domains import Domain, weighted_field
from scorematching.random import normal, seeded, uniform

DOUBLE = torch.float64
LIKE = torch.zeros(1, dtype=DOUBLE)


@dataclass(frozen=True)
class Law:
    """Draws ``(n, d)`` of a density on a domain, and its score, any extension off the surface."""

    draws: Tensor
    score: Callable[[Tensor], Tensor]


def thinned(proposals: Tensor, tilt: list[float], bound: float, generator: torch.Generator) -> Law:
    """Uniform proposals kept with probability e^{c·x − bound}: density ∝ e^{c·x}, score c."""
    c = torch.tensor(tilt, dtype=DOUBLE)
    exponent = proposals @ c - bound
    assert bool((exponent <= 0).all())
    keep = uniform((len(proposals),), proposals, generator) < exponent.exp()
    return Law(proposals[keep], lambda x: c.expand_as(x))


def on_sphere(n: int, tilt: list[float], positive: bool = False) -> Law:
    """Von Mises–Fisher e^{c·x} on the sphere, or on its positive part."""
    generator = seeded("on_sphere", n, len(tilt))
    z = normal((n, len(tilt)), LIKE, generator)
    z = z.abs() if positive else z
    bound = torch.tensor(tilt, dtype=DOUBLE).norm().item()
    return thinned(z / z.norm(dim=1, keepdim=True), tilt, bound, generator)


def in_ball(n: int, tilt: list[float], radius: float, centre: list[float]) -> Law:
    """Density ∝ e^{c·x} in a ball."""
    generator = seeded("in_ball", n)
    d = len(tilt)
    z = normal((n, d), LIKE, generator)
    length = radius * uniform((n, 1), LIKE, generator) ** (1 / d)
    c, m = torch.tensor(tilt, dtype=DOUBLE), torch.tensor(centre, dtype=DOUBLE)
    bound = (c @ m + radius * c.norm()).item()
    return thinned(m + length * z / z.norm(dim=1, keepdim=True), tilt, bound, generator)


def in_triangle(n: int, corners: list[list[float]], tilt: list[float]) -> Law:
    """Density ∝ e^{c·x} in a triangle."""
    generator = seeded("in_triangle", n)
    parts = -uniform((n, 3), LIKE, generator).log()
    vertices = torch.tensor(corners, dtype=DOUBLE)
    c = torch.tensor(tilt, dtype=DOUBLE)
    x = parts / parts.sum(1, keepdim=True) @ vertices
    return thinned(x, tilt, (vertices @ c).max().item() + 1e-9, generator)


def in_box(n: int, slope: float) -> Law:
    """e^{ax} on [0, 1], e^{−x/2} on [−1, ∞), N(0, 1) on ℝ: a box with 2, 1 and 0 sides."""
    generator = seeded("in_box", n)
    u = uniform((n, 2), LIKE, generator)
    first = (1 + u[:, 0] * (np.exp(slope) - 1)).log() / slope
    second = -1 - 2 * (1 - u[:, 1]).log()
    x = torch.stack([first, second, normal((n,), LIKE, generator)], 1)

    def score(x: Tensor) -> Tensor:
        one = torch.ones_like(x[:, 0])
        return torch.stack([slope * one, -one / 2, -x[:, 2]], 1)

    return Law(x, score)


def half_normal(n: int, d: int) -> Law:
    """|z|, z ~ N(0, I): the standard normal truncated to the positive orthant, score −x."""
    return Law(normal((n, d), LIKE, seeded("half_normal", n, d)).abs(), lambda x: -x)


def dirichlet(n: int, alpha: list[float]) -> Law:
    """Dirichlet compositions, score (α − 1)/x."""
    draws = np.random.default_rng(7).dirichlet(alpha, n)
    beta = torch.tensor(alpha, dtype=DOUBLE) - 1
    return Law(torch.from_numpy(draws), lambda x: beta / x)


def root_dirichlet(n: int, alpha: list[float]) -> Law:
    """Their square roots on the sphere, density ∝ ∏ z^(2α − 1)."""
    gamma = 2 * torch.tensor(alpha, dtype=DOUBLE) - 1
    return Law(dirichlet(n, alpha).draws.sqrt(), lambda z: gamma / z)


def von_mises(n: int, kappa: float, mean: float) -> Law:
    """Angles of density ∝ e^{κ cos(φ − μ)}."""
    draws = np.random.default_rng(7).vonmises(mean, kappa, (n, 1))
    return Law(torch.from_numpy(draws), lambda x: -kappa * (x - mean).sin())


def stokes_rows(domain: Domain, law: Law, directions: Field) -> Tensor:
    """s·v + div v in each row, v = P(w · P S): its mean is zero, ``(n, m)`` for m fields S."""
    x = law.draws
    domain.check(x)

    def field(x: Tensor) -> Tensor:
        return weighted_field(domain, x, directions(x))

    return torch.einsum("nd,ndm->nm", law.score(x), field(x)) + domain.divergence(field, x)


def z_scores(rows: Tensor) -> Tensor:
    """The means of the columns in standard errors."""
    return rows.mean(0) / (rows.std(0) / len(rows) ** 0.5)


Field = Callable[[Tensor], Tensor]


def three_fields(x: Tensor) -> Tensor:
    """Three smooth fields on ℝᵈ that are neither tangent nor gradients, ``(n, d, 3)``."""
    d = x.shape[1]
    k = torch.arange(1, d + 1, dtype=x.dtype)
    first = (k * 0.7).sin().expand_as(x)
    second = x.roll(1, 1) * k.cos() + x**2 / 3
    third = (x @ k.sin())[:, None].sin() * (1 + x.roll(-1, 1))
    return torch.stack([first, second, third], 2)


def periodic_fields(x: Tensor) -> Tensor:
    """Three smooth functions of an angle, ``(n, 1, 3)``."""
    return torch.stack([torch.ones_like(x), (x + 1).sin(), (2 * x).cos() * x.sin()], 2)
