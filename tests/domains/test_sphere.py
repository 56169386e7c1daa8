"""The sphere: spherical harmonics under the Laplace–Beltrami operator, and polar angles."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from domains.laws import on_sphere, root_dirichlet
from scorematching.domains import MinPower, MinSq, PositiveSphere, Power, Sphere, weighted_field
from scorematching.errors import InvalidInput
from scorematching.random import normal, seeded

DOUBLE = torch.float64
LIKE = torch.zeros(1, dtype=DOUBLE)


def directions(n: int, d: int) -> Tensor:
    z = normal((n, d), LIKE, seeded("directions", n, d))
    return z / z.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("d", [2, 3, 5])
def test_a_linear_function_is_a_harmonic_of_degree_one(d: int) -> None:
    """Δ_S a·x = −(d − 1) a·x."""
    x, a, sphere = directions(20, d), normal((d,), LIKE, seeded("a", d)), Sphere(d)
    measured = sphere.divergence(lambda x: sphere.project(x, a.expand_as(x)), x)
    torch.testing.assert_close(measured, -(d - 1) * (x @ a))


@pytest.mark.parametrize("d", [2, 3, 5])
def test_a_trace_free_quadratic_form_is_a_harmonic_of_degree_two(d: int) -> None:
    """Δ_S xᵀAx = 2 tr A − 2d xᵀAx for symmetric A."""
    x, sphere = directions(20, d), Sphere(d)
    a = normal((d, d), LIKE, seeded("A", d))
    a = a + a.mT
    measured = sphere.divergence(lambda x: sphere.project(x, 2 * x @ a), x)
    expected = 2 * a.trace() - 2 * d * torch.einsum("ni,ij,nj->n", x, a, x)
    torch.testing.assert_close(measured, expected)


def test_harmonics_at_once_are_those_one_by_one() -> None:
    x, sphere = directions(20, 4), Sphere(4)
    a = normal((4, 3), LIKE, seeded("a"))
    measured = sphere.divergence(lambda x: sphere.project(x, a.expand(len(x), 4, 3)), x)
    torch.testing.assert_close(measured, -3 * (x @ a))


@pytest.mark.parametrize("d", [2, 3, 7])
def test_the_projection_is_orthogonal_and_takes_the_normal_out(d: int) -> None:
    x = directions(5, d)
    p = Sphere(d).project(x, torch.eye(d, dtype=DOUBLE).expand(5, d, d))
    torch.testing.assert_close(p, p.mT)
    torch.testing.assert_close(p @ p, p)
    torch.testing.assert_close(
        p.diagonal(dim1=1, dim2=2).sum(1), torch.full((5,), d - 1.0).double()
    )
    assert (p @ x[:, :, None]).abs().max() < 1e-15


def test_the_weighted_divergence_on_a_quarter_circle_is_that_in_the_angle() -> None:
    """z = (cos φ, sin φ): the loss is ½ w s_φ² + (w s_φ)′, s_φ = ∂ log p/∂φ."""
    phi = torch.linspace(0.05, 1.5, 40, dtype=DOUBLE)
    z = torch.stack([phi.cos(), phi.sin()], 1)
    part, g = PositiveSphere(2, weight=MinSq(0.4)), torch.tensor([1.5, -0.4], dtype=DOUBLE)

    def field(z: Tensor) -> Tensor:
        return weighted_field(part, z, g / z)  # log p = Σ gⱼ log zⱼ

    loss = ((g / z) * field(z)).sum(1) / 2 + part.divergence(field, z)

    def w(phi: Tensor) -> Tensor:
        return torch.minimum(phi.cos(), phi.sin()).clamp(max=0.4) ** 2

    def s(phi: Tensor) -> Tensor:
        return g[1] / phi.tan() - g[0] * phi.tan()

    _, slope = torch.func.jvp(lambda phi: w(phi) * s(phi), (phi,), (torch.ones_like(phi),))
    torch.testing.assert_close(loss, w(phi) * s(phi) ** 2 / 2 + slope)


def test_the_closed_form_estimate_on_the_sphere_finds_the_concentration() -> None:
    """T = x: A = I − E[xxᵀ], b = −(d − 1) E[x] (Mardia, Kent & Laha 2016)."""
    truth = torch.tensor([1.0, -0.7, 0.4], dtype=DOUBLE)
    x, sphere = on_sphere(40_000, truth.tolist()).draws, Sphere(3)
    n, eye = len(x), torch.eye(3, dtype=DOUBLE)
    v = weighted_field(sphere, x, eye.expand(n, 3, 3))
    b = sphere.divergence(lambda x: weighted_field(sphere, x, eye.expand(n, 3, 3)), x)
    torch.testing.assert_close(v.mean(0), eye - x.mT @ x / n)
    torch.testing.assert_close(b, -2 * x)
    estimate = -torch.linalg.solve(v.mean(0), b.mean(0))
    gradients = v @ estimate + b
    inverse = v.mean(0).inverse()
    covariance = inverse @ (gradients.mT @ gradients / n) @ inverse / n
    assert ((estimate - truth) / covariance.diagonal().sqrt()).abs().max() < 4


def test_lengths_off_by_rounding_pass_and_others_are_named() -> None:
    x = directions(6, 3)
    Sphere(3).check(x)
    Sphere(3).check(x.float().double())
    Sphere(3).check(x.mul(1e6).round() / 1e6)
    with pytest.raises(
        InvalidInput, match=r"within 1e-06: got length 2 \(row 3\)\. If only the dir"
    ):
        Sphere(3).check(x * torch.tensor([1, 1, 1, 2, 1, 1.0])[:, None])
    with pytest.raises(InvalidInput, match=r"normalise: x / x\.norm\(dim=1, keepdim=True\)"):
        Sphere(3).check(x.mul(1e3).round() / 1e3)
    with pytest.raises(InvalidInput, match="got length 0"):
        Sphere(3).check(0 * x)
    with pytest.raises(InvalidInput, match=r"Sphere\(d\) needs an integer d of at least 2"):
        Sphere(1)


def test_the_positive_part_refuses_negative_coordinates_and_weights_that_do_not_vanish() -> None:
    PositiveSphere(3).check(root_dirichlet(50, [0.7, 1.5, 2.5]).draws)
    x = directions(6, 3).abs()
    x[4, 1] *= -1
    with pytest.raises(
        InvalidInput, match=r"at least 0: got -\S+ \(row 4, column 1\)\. Use Sphere"
    ):
        PositiveSphere(3).check(x)
    with pytest.raises(InvalidInput, match="must be zero at the boundary"):
        PositiveSphere(3, weight=torch.ones_like)
    for weight in (MinPower(), Power(2.0), MinSq()):
        PositiveSphere(3, weight=weight)
