from __future__ import annotations

import math

import pytest
import torch
from scipy.special import hyp1f1

from families import quadrature
from families.cases import A3, vector
from scorematching.families import VonMisesFisherDensity
from scorematching.families.sphere_integral import sphere_integral


@pytest.mark.parametrize("d", [2, 3, 10, 80])
@pytest.mark.parametrize("kappa", [0.0, 0.3, 5.0, 200.0, 1e5])
def test_without_a_matrix_it_is_the_von_mises_fisher_constant(d: int, kappa: float) -> None:
    theta = kappa * torch.linspace(1, 2, d).double() / math.sqrt(d)
    model = VonMisesFisherDensity(theta)
    found = sphere_integral(torch.zeros(d, d).double(), theta)
    assert found.log_value == pytest.approx(model.log_normaliser, rel=1e-12, abs=1e-12)
    torch.testing.assert_close(found.mean, model.mean, atol=1e-11, rtol=1e-11)
    second = model.covariance + torch.outer(model.mean, model.mean)
    torch.testing.assert_close(found.second_moment, second, atol=1e-11, rtol=1e-11)


@pytest.mark.parametrize("d", [2, 3, 7])
@pytest.mark.parametrize("kappa", [-300.0, -2.0, 0.5, 40.0])
def test_with_one_axis_it_is_kummers_function(d: int, kappa: float) -> None:
    matrix = torch.zeros(d, d).double()
    matrix[0, 0] = kappa
    area = math.log(2) + d / 2 * math.log(math.pi) - math.lgamma(d / 2)
    expected = area + math.log(hyp1f1(0.5, d / 2, kappa))
    found = sphere_integral(matrix, torch.zeros(d).double())
    assert found.log_value == pytest.approx(expected, rel=1e-12)
    # E x₁² = c'/c = M(3/2, d/2 + 1, κ)/(d M(½, d/2, κ))
    moment = hyp1f1(1.5, d / 2 + 1, kappa) / hyp1f1(0.5, d / 2, kappa) / d
    assert found.second_moment[0, 0].item() == pytest.approx(moment, rel=1e-10)


@pytest.mark.parametrize("scale", [1.0, 8.0])
def test_with_both_it_is_the_quadrature_over_the_sphere(scale: float) -> None:
    linear = scale * vector(0.5, -1.0, 2.0)

    def moments(x: torch.Tensor) -> torch.Tensor:
        density = (((x @ (scale * A3)) * x).sum(1) + x @ linear).exp()
        rows = torch.cat([torch.ones(len(x), 1).double(), x], dim=1)
        return density[:, None, None] * rows[:, :, None] * rows[:, None, :]

    expected = quadrature.on_sphere(moments)
    found = sphere_integral(scale * A3, linear)
    assert found.log_value == pytest.approx(expected[0, 0].log().item(), rel=1e-12)
    torch.testing.assert_close(found.mean, expected[0, 1:] / expected[0, 0], atol=1e-12, rtol=0)
    second = expected[1:, 1:] / expected[0, 0]
    torch.testing.assert_close(found.second_moment, second, atol=1e-12, rtol=0)


def test_moments_are_derivatives_and_have_trace_one() -> None:
    matrix = torch.diag(torch.linspace(-40, 3, 12).double())
    linear = torch.linspace(-2, 5, 12).double()
    found = sphere_integral(matrix, linear)
    assert found.second_moment.trace().item() == pytest.approx(1, rel=1e-12)
    step = 1e-4
    for k in (0, 11):
        shift = torch.zeros(12).double()
        shift[k] = step
        up, down = (sphere_integral(matrix, linear + s * shift).log_value for s in (1, -1))
        assert (up - down) / (2 * step) == pytest.approx(found.mean[k].item(), abs=1e-8)
        up, down = (sphere_integral(matrix + s * shift.diag(), linear).log_value for s in (1, -1))
        moment = found.second_moment[k, k].item()
        assert (up - down) / (2 * step) == pytest.approx(moment, abs=1e-8)
