from __future__ import annotations

import pytest
import torch

from scorematching.errors import InvalidInput, NotIdentified
from scorematching.estimation.closed_form import check_ridge, factorise, minimise, with_ridge
from scorematching.random import normal, seeded
from scorematching.structured import QuadraticForm

LIKE = torch.zeros((), dtype=torch.float64)
NAMES = ("a", "b", "c", "d")


def form_of(A: torch.Tensor) -> QuadraticForm:
    return QuadraticForm(9, A, torch.tensor([1.0, -2.0, 0.5, 3.0]).double(), torch.zeros(()))


def definite(scale: float = 1.0) -> torch.Tensor:
    root = normal((4, 6), LIKE, seeded("root"))
    units = torch.tensor([1.0, scale, 1.0, 1 / scale]).double()
    return units[:, None] * (root @ root.mT) * units


@pytest.mark.parametrize("scale", [1.0, 1e9])
def test_the_gradient_vanishes_at_the_minimiser(scale: float) -> None:
    form = form_of(definite(scale))
    theta = minimise(form, NAMES)
    size = form.A.abs() @ theta.abs() + form.b.abs()
    assert (form.gradient(theta).abs() < 1e-10 * size).all()
    for step in torch.eye(4).double() * theta.abs() * 1e-3:
        assert form(theta + step) > form(theta)


def test_a_ridge_is_added_to_the_curvature() -> None:
    form = form_of(definite())
    expected = -torch.linalg.solve(form.A + 0.3 * torch.eye(4).double(), form.b)
    torch.testing.assert_close(minimise(form, NAMES, ridge=0.3), expected)
    assert torch.equal(with_ridge(form.A, 0.0), form.A)


def test_flat_directions_are_named_with_their_factors() -> None:
    flat = torch.tensor([1.0, -2.0, 0.0, 0.0]).double()
    project = torch.eye(4).double() - torch.outer(flat, flat) / flat.dot(flat)
    A = project @ definite() @ project
    with pytest.raises(NotIdentified, match=r"1 direction of the 4.*b − 0\.5 a\."):
        factorise(A, NAMES)
    A[3], A[:, 3] = 0, 0
    with pytest.raises(NotIdentified, match=r"2 directions.*d"):
        factorise(A, NAMES)
    factorise(with_ridge(A, 0.1), NAMES)


def test_an_ill_conditioned_but_determined_matrix_is_solved() -> None:
    A = torch.diag(torch.tensor([1.0, 1.0, 1.0, 1.0]).double())
    A[0, 1] = A[1, 0] = 1 - 1e-9
    x = factorise(A, NAMES).solve(A @ torch.ones(4).double())
    torch.testing.assert_close(x, torch.ones(4).double(), rtol=1e-6, atol=0)


def test_sums_that_are_not_finite_and_bad_ridges_are_refused() -> None:
    A = definite()
    A[2, 2] = float("inf")
    with pytest.raises(InvalidInput, match="not finite at c"):
        factorise(A, NAMES)
    for ridge in (-1.0, float("nan"), float("inf")):
        with pytest.raises(InvalidInput, match="ridge must be"):
            check_ridge(ridge)
