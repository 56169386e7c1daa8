from __future__ import annotations

import pytest
import torch

from families import quadrature
from families.cases import A3, A4, SPHERE3, vector
from families.matching import rows_of
from families.moments import assert_moments
from scorematching.families import Bingham, FisherBingham, FisherBinghamDensity

LINEAR = vector(0.5, -1.0, 2.0)


def test_theta_is_the_upper_triangle_without_the_last_entry_of_a_traceless_matrix() -> None:
    theta = vector(1.0, 0.2, -0.3, -2.0, 0.4)
    matrix = Bingham(3).model(theta).matrix
    expected = [[1.0, 0.2, -0.3], [0.2, -2.0, 0.4], [-0.3, 0.4, 1.0]]
    torch.testing.assert_close(matrix, torch.tensor(expected).double())
    torch.testing.assert_close(Bingham(3).theta(matrix), theta)
    shifted = matrix + 7 * torch.eye(3)
    torch.testing.assert_close(Bingham(3).theta(shifted), theta)


def test_the_exponent_is_the_quadratic_form() -> None:
    x = SPHERE3[0]
    traceless = A3 - A3.trace() / 3 * torch.eye(3)
    bingham = Bingham(3).statistics(x[None])[0] @ Bingham(3).theta(A3)
    torch.testing.assert_close(bingham, x @ traceless @ x)
    both = FisherBingham(3).statistics(x[None])[0] @ FisherBingham(3).theta(A3, LINEAR)
    torch.testing.assert_close(both, x @ traceless @ x + LINEAR @ x)


@pytest.mark.parametrize("linear", [torch.zeros(3).double(), LINEAR, 10 * LINEAR])
def test_densities_integrate_to_one(linear: torch.Tensor) -> None:
    model = FisherBinghamDensity(A3, linear)
    assert quadrature.on_sphere(lambda x: model.log_density(x).exp()).item() == pytest.approx(1)


def test_a_multiple_of_the_identity_changes_nothing() -> None:
    one, other = (FisherBinghamDensity(A3 + c * torch.eye(3), LINEAR) for c in (0.0, 5.0))
    torch.testing.assert_close(one.log_density(SPHERE3), other.log_density(SPHERE3))


@pytest.mark.parametrize("linear", [torch.zeros(4), vector(1.0, -2.0, 0.5, 0.3)])
def test_draws_have_the_moments(linear: torch.Tensor, generator: torch.Generator) -> None:
    model = FisherBinghamDensity(A4, linear.double())
    assert_moments(model.sample(20_000, generator), model.mean, model.covariance)


def test_estimates_have_mean_zero_gradient_at_the_truth(generator: torch.Generator) -> None:
    for family, theta in (
        (Bingham(3), Bingham(3).theta(A3)),
        (FisherBingham(3), FisherBingham(3).theta(A3, LINEAR)),
    ):
        rows = rows_of(family, family.model(theta).sample(6_000, generator))
        assert ((rows.solve() - theta) / rows.standard_errors()).abs().max() < 4


def test_the_mean_of_axes_is_zero() -> None:
    assert torch.equal(Bingham(3).model(Bingham(3).theta(A3)).mean, torch.zeros(3).double())
