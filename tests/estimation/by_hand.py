"""Estimates in NumPy, from the formulas as they are printed: nothing here is of the package.

With ∇ and Δ the gradient and the Laplacian of the domain, log p = θᵀT + r, w one weight a row,

    A = mean w ∇T·∇T,    b = mean w (∇T·∇r + ΔT) + ∇w·∇T,    θ̂ = −A⁻¹b,

on ℝᵈ also with a weight in each coordinate. On the unit sphere ∇f = P∂f, P = I − xxᵀ, and
Δf = tr(P ∂²f) − (d − 1) x·∂f; on the flat simplex P = I − 11ᵀ/d. Gradients are complex steps,
second derivatives differences of them of fourth order: right to about ten digits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Function = Callable[[NDArray], NDArray]  # rows (n, d), real or complex → (n, q)

# ----------------------------------------------------------------------------------- statistics


def gaussian(x: NDArray) -> NDArray:
    """−½ xᵀKx + ηᵀx by K's lower triangle row by row, then η."""
    d = x.shape[1]
    products = [-x[:, i] * x[:, j] / (1 + (i == j)) for i in range(d) for j in range(i + 1)]
    return np.stack([*products, *x.T], 1)


def pairwise(a: float, b: float) -> Function:
    """−(xᵃ)ᵀK xᵃ/(2a) + ηᵀ(xᵇ − 1)/b; logarithms for a = 0 and b = 0."""

    def statistics(x: NDArray) -> NDArray:
        d = x.shape[1]
        y, scale = (x**a, a) if a else (np.log(x), 1)
        linear = (x**b - 1) / b if b else np.log(x)
        each = [-y[:, i] * y[:, j] / (1 + (i == j)) for i in range(d) for j in range(i + 1)]
        return np.stack([*(product / scale for product in each), *linear.T], 1)

    return statistics


def directions(x: NDArray) -> NDArray:
    """θᵀx."""
    return x


def bingham(x: NDArray) -> NDArray:
    """xᵀAx, A_dd = −Σ A_jj, by A's upper triangle row by row without A_dd."""
    d = x.shape[1]
    entries = [
        x[:, i] ** 2 - x[:, -1] ** 2 if i == j else 2 * x[:, i] * x[:, j]
        for i in range(d)
        for j in range(i, d)
    ]
    return np.stack(entries[:-1], 1)


def fisher_bingham(x: NDArray) -> NDArray:
    """xᵀAx + bᵀx."""
    return np.concatenate([bingham(x), x], 1)


def dirichlet(x: NDArray) -> NDArray:
    """Σ βⱼ log xⱼ."""
    return np.log(x)


def ppi(x: NDArray) -> NDArray:
    """x_LᵀA_L x_L + b_Lᵀx_L + Σ βⱼ log xⱼ: diag A_L, its upper triangle by columns, b_L, β."""
    m = x.shape[1] - 1
    squares = [x[:, i] ** 2 for i in range(m)]
    mixed = [2 * x[:, i] * x[:, j] for j in range(m) for i in range(j)]
    return np.stack([*squares, *mixed, *x[:, :m].T, *np.log(x).T], 1)


def angles(x: NDArray) -> NDArray:
    """κ cos μ cos φ + κ sin μ sin φ."""
    return np.concatenate([np.cos(x), np.sin(x)], 1)


def powers(degree: int) -> Function:
    """Σ θ_k xᵏ."""
    return lambda x: np.concatenate([x ** (k + 1) for k in range(degree)], 1)


def none(x: NDArray) -> NDArray:
    """r = 0."""
    return 0 * x[:, 0]


# -------------------------------------------------------------------------------------- weights


@dataclass(frozen=True)
class Weighed:
    """w and its slopes: per coordinate both ``(n, d)``; per row ``(n,)`` and ``(n, d)``."""

    w: Array
    slope: Array


def min_power(u: Array, power: float = 1.0, cap: float = 3.0) -> Weighed:
    """min(u, cap)**power."""
    low = np.minimum(u, cap)
    return Weighed(low**power, power * low ** (power - 1) * (u <= cap))


def power_of(u: Array, p: float) -> Weighed:
    """u**p."""
    return Weighed(u**p, p * u ** (p - 1))


def log_one_plus(u: Array) -> Weighed:
    """log(1 + u)."""
    return Weighed(np.log(1 + u), 1 / (1 + u))


def min_square(u: Array, c: float) -> Weighed:
    """min(minⱼ uⱼ², c²); of several smallest the last has the slope."""
    least = u.min(1)
    at = np.arange(u.shape[1]) == u.shape[1] - 1 - u[:, ::-1].argmin(1)[:, None]
    return Weighed(np.minimum(least, c) ** 2, 2 * least[:, None] * at * (least <= c)[:, None])


def product_square(u: Array, c: float) -> Weighed:
    """min(∏ⱼ uⱼ², c²)."""
    product = u.prod(1)
    slope = 2 * product[:, None] ** 2 / u * (product <= c)[:, None]
    return Weighed(np.minimum(product, c) ** 2, slope)


def one(x: Array) -> Weighed:
    """1 in every row."""
    return Weighed(np.ones(len(x)), np.zeros_like(x))


# ------------------------------------------------------------------------------------ estimation


@dataclass(frozen=True)
class ByHand:
    """Aᵢ ``(n, p, p)`` and bᵢ ``(n, p)`` of each row."""

    A: Array
    b: Array

    def estimate(
        self, fixed: Sequence[tuple[int, float]] = (), tied: Sequence[tuple[int, int]] = ()
    ) -> tuple[Array, Array]:
        """θ̂ and standard errors, Σ with divisor n − 1; places are counted from 0."""
        n, p = self.b.shape
        offset, basis = np.zeros(p), np.eye(p)
        for place, other in tied:
            basis[:, place] += basis[:, other]
        for place, value in fixed:
            offset[place] = value
        kept = [
            k for k in range(p) if k not in [f[0] for f in fixed] and k not in [t[1] for t in tied]
        ]
        basis = basis[:, kept]
        A, b = self.A.mean(0), self.b.mean(0)
        free = np.linalg.solve(basis.T @ A @ basis, -basis.T @ (b + A @ offset))
        theta = basis @ free + offset
        gradients = (self.A @ theta + self.b) @ basis
        sigma = np.cov(gradients.T).reshape(len(kept), -1)
        bread = np.linalg.inv(basis.T @ A @ basis)
        return theta, np.sqrt(np.diag(basis @ bread @ sigma @ bread @ basis.T / n).clip(0))


def slopes(function: Function, x: NDArray) -> NDArray:
    """∂ⱼf, ``(n, d, q)``, by complex steps."""
    step = 1e-30
    each = [function(x + 1j * step * e).imag / step for e in np.eye(x.shape[1])]
    return np.stack(each, 1)


def curvatures(function: Function, x: Array) -> Array:
    """∂ᵢ∂ⱼf, ``(n, d, d, q)``, by differences of fourth order, in units of x where x > 0."""
    size = 1e-3 * (x if (x > 0).all() else np.ones_like(x))
    rows = []
    for e in np.eye(x.shape[1]):
        h = size * e
        near = slopes(function, x + h) - slopes(function, x - h)
        far = slopes(function, x + 2 * h) - slopes(function, x - 2 * h)
        rows.append((8 * near - far) / (12 * h.sum(1)[:, None, None]))
    return np.stack(rows, 1)


def on_space(x: Array, statistics: Function, weighed: Weighed, base: Function = none) -> ByHand:
    """ℝᵈ or a part of it, weights per coordinate or per row."""
    dT, dr = slopes(statistics, x), slopes(lambda z: base(z)[:, None], x)[..., 0]
    second = np.einsum("njjq->njq", curvatures(statistics, x))
    w = weighed.w if weighed.w.ndim == 2 else np.repeat(weighed.w[:, None], x.shape[1], 1)
    A = np.einsum("nj,njp,njq->npq", w, dT, dT)
    b = np.einsum("nj,njp->np", w, dT * dr[..., None] + second)
    return ByHand(A, b + np.einsum("nj,njp->np", weighed.slope, dT))


def projected(
    x: Array, statistics: Function, weighed: Weighed, base: Function, P: Array, bend: float
) -> ByHand:
    """A surface with projections P ``(n, d, d)``; −bend x·∂f is the Laplacian's part off it."""
    dT, dr = slopes(statistics, x), slopes(lambda z: base(z)[:, None], x)[..., 0]
    tangent = np.einsum("nij,njp->nip", P, dT)
    second = np.einsum("nij,nijp->np", P, curvatures(statistics, x))
    second -= bend * np.einsum("nj,njp->np", x, dT)
    A = weighed.w[:, None, None] * np.einsum("nip,niq->npq", tangent, tangent)
    b = weighed.w[:, None] * (np.einsum("nip,ni->np", tangent, dr) + second)
    return ByHand(A, b + np.einsum("nip,ni->np", tangent, weighed.slope))


def on_sphere(
    x: Array, statistics: Function, weighed: Weighed | None = None, base: Function = none
) -> ByHand:
    """The unit sphere."""
    P = np.eye(x.shape[1]) - x[:, :, None] * x[:, None, :]
    weighed = weighed or one(x)
    return projected(x, statistics, weighed, base, P, x.shape[1] - 1)


def on_flat_simplex(x: Array, statistics: Function, weighed: Weighed) -> ByHand:
    """The simplex as a piece of a hyperplane."""
    d = x.shape[1]
    P = np.broadcast_to(np.eye(d) - 1 / d, (len(x), d, d))
    return projected(x, statistics, weighed, none, P, 0.0)


def on_sqrt_simplex(x: Array, statistics: Function, weight: Callable[[Array], Weighed]) -> ByHand:
    """z = √x on the sphere, weight of z; the density of z has the factor ∏ zⱼ."""
    z = np.sqrt(x)
    return on_sphere(z, lambda z: statistics(z**2), weight(z), lambda z: np.log(z).sum(1))


def on_log_ratios(x: Array, statistics: Function) -> ByHand:
    """zⱼ = log(xⱼ/x_d) on ℝᵈ⁻¹; the density of z has the factor ∏ xⱼ."""

    def parts(z: NDArray) -> NDArray:
        e = np.exp(np.concatenate([z, 0 * z[:, :1]], 1))
        return e / e.sum(1, keepdims=True)

    z = np.log(x[:, :-1] / x[:, -1:])
    return on_space(z, lambda z: statistics(parts(z)), one(z), lambda z: np.log(parts(z)).sum(1))
