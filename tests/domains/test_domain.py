"""The surface divergence, the weighted field, and a domain of one's own in ten lines."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

import scorematching as sm
from domains.laws import in_ball, stokes_rows, three_fields, z_scores
from scorematching.domains import Euclidean, PositiveOrthant, Sphere, tangent_divergence
from scorematching.domains.domain import weighted_field
from scorematching.errors import InvalidInput
from scorematching.random import normal, seeded

DOUBLE = torch.float64
LIKE = torch.zeros(1, dtype=DOUBLE)
MATRIX = normal((3, 3), LIKE, seeded("matrix"))
X = normal((7, 3), LIKE, seeded("x"))
DIRECTIONS = X / X.norm(dim=1, keepdim=True)


def keep(x: Tensor, v: Tensor) -> Tensor:
    return v


def on_plane(x: Tensor, v: Tensor) -> Tensor:
    """The projection on the plane normal to (1, 2, 2)/3."""
    u = torch.tensor([1.0, 2.0, 2.0], dtype=v.dtype) / 3
    u = u.reshape(1, 3, *(1,) * (v.ndim - 2))
    return v - u * (u * v).sum(1, keepdim=True)


# ------------------------------------------------------------------------ tangent divergence


def test_the_divergence_of_a_linear_field_is_the_trace_of_its_matrix() -> None:
    measured = tangent_divergence(keep, lambda x: x @ MATRIX.mT, X)
    torch.testing.assert_close(measured, MATRIX.trace().expand(7))


def test_on_a_plane_it_is_the_trace_of_the_projected_matrix() -> None:
    p = on_plane(X[:1].expand(3, 3), torch.eye(3, dtype=DOUBLE))
    measured = tangent_divergence(on_plane, lambda x: on_plane(x, x @ MATRIX.mT), X)
    torch.testing.assert_close(measured, (p @ MATRIX).trace().expand(7))


def test_fields_at_once_are_the_fields_one_by_one() -> None:
    together = tangent_divergence(on_plane, three_fields, X)
    assert together.shape == (7, 3)
    for k in range(3):
        alone = tangent_divergence(on_plane, lambda x, k=k: three_fields(x)[:, :, k], X)
        torch.testing.assert_close(alone, together[:, k])


def test_it_does_not_matter_how_the_field_continues_off_the_surface() -> None:
    sphere = Sphere(3)

    def extended(x: Tensor) -> Tensor:
        length = x.norm(dim=1, keepdim=True)
        return sphere.project(x / length, x @ MATRIX.mT / length) * length**3

    plain = sphere.divergence(lambda x: sphere.project(x, x @ MATRIX.mT), DIRECTIONS)
    torch.testing.assert_close(sphere.divergence(extended, DIRECTIONS), plain)


def test_a_score_that_differentiates_inside_itself_has_the_same_divergence() -> None:
    orthant = PositiveOrthant(3)
    x = X.abs()
    inside = sm.score_of(lambda x: -(x**4).sum(1) / 4 + x.prod(1))

    def formula(x: Tensor) -> Tensor:
        return -(x**3) + torch.stack([x[:, 1] * x[:, 2], x[:, 0] * x[:, 2], x[:, 0] * x[:, 1]], 1)

    expected = orthant.divergence(lambda x: weighted_field(orthant, x, formula(x)), x)
    measured = orthant.divergence(lambda x: weighted_field(orthant, x, inside(x)), x)
    torch.testing.assert_close(measured, expected)
    with torch.no_grad():
        again = orthant.divergence(lambda x: weighted_field(orthant, x, inside(x)), x)
    assert not again.requires_grad


@pytest.mark.parametrize("inside", [False, True], ids=["forward", "backward"])
def test_the_divergence_is_differentiable_in_parameters(inside: bool) -> None:
    a = torch.tensor([0.3, 0.7], dtype=DOUBLE)

    def total(a: Tensor) -> Tensor:
        def log_density(x: Tensor) -> Tensor:
            return -a[0] * (x**4).sum(1) / 4 - a[1] * (x**2).prod(1)

        def gradient(x: Tensor) -> Tensor:
            return torch.func.grad(lambda x: log_density(x).sum())(x)

        field = sm.score_of(log_density) if inside else gradient
        return Euclidean(3).divergence(field, X).sum()

    assert torch.autograd.gradcheck(total, (a.requires_grad_(),))


def test_a_constant_field_has_divergence_zero() -> None:
    assert Euclidean(3).divergence(torch.ones_like, X).tolist() == [0.0] * 7
    steps = Euclidean(3).divergence(torch.sign, X)
    assert steps.tolist() == [0.0] * 7


def test_a_detached_field_is_refused() -> None:
    with pytest.raises(InvalidInput, match="carry no derivative"):
        Euclidean(3).divergence(lambda x: x.detach() ** 2, X)


@pytest.mark.parametrize("shape", [(7,), (7, 1), (7, 3, 2, 2), (6, 3)])
def test_a_field_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="a field must be shaped like x"):
        Euclidean(3).divergence(lambda x: x.sum() * torch.ones(shape, dtype=DOUBLE), X)


def test_a_mistake_inside_a_field_is_not_hidden() -> None:
    with pytest.raises(RuntimeError, match="size of tensor"):
        Euclidean(3).divergence(lambda x: x + torch.ones(5, dtype=DOUBLE), X)


# ---------------------------------------------------------------------------- weighted field


@dataclass(frozen=True)
class Weighted:
    """A plane in ℝ³ with any weight."""

    values: Tensor
    d: int = 3

    def check(self, x: Tensor) -> None: ...

    def weight(self, x: Tensor) -> Tensor:
        return self.values

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        return on_plane(x, v)

    def divergence(self, field, x: Tensor) -> Tensor:
        return tangent_divergence(self.project, field, x)


@pytest.mark.parametrize("shape", [(7,), (7, 3)])
def test_the_weighted_field_is_the_projected_weighted_projection(shape: tuple[int, ...]) -> None:
    w = normal(shape, LIKE, seeded("w")).abs()
    p = on_plane(X[:1].expand(3, 3), torch.eye(3, dtype=DOUBLE))
    s = normal((7, 3, 4), LIKE, seeded("s"))
    diagonal = torch.diag_embed(w if w.ndim == 2 else w[:, None].expand(7, 3))
    expected = p @ diagonal @ p @ s
    torch.testing.assert_close(weighted_field(Weighted(w), X, s), expected)
    torch.testing.assert_close(weighted_field(Weighted(w), X, s[:, :, 0]), expected[:, :, 0])


@pytest.mark.parametrize("shape", [(), (1,), (7, 1), (3,)])
def test_a_weight_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="a weight must be one number a row"):
        weighted_field(Weighted(torch.ones(shape, dtype=DOUBLE)), X, X)


# ----------------------------------------------------------------------- a domain of one's own


@dataclass(frozen=True)
class Disc:
    """The unit disc with the smooth weight 1 − ‖x‖², as the docstring of `domain` has it."""

    d = 2

    def check(self, x: Tensor) -> None:
        if not (x.square().sum(1) <= 1).all():
            raise ValueError("a row lies outside the disc")

    def weight(self, x: Tensor) -> Tensor:
        return 1 - x.square().sum(1)

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        return v

    def divergence(self, field, x: Tensor) -> Tensor:
        return tangent_divergence(self.project, field, x)


def test_nothing_is_left_at_the_boundary_of_a_domain_of_ones_own() -> None:
    rows = stokes_rows(Disc(), in_ball(40_000, [1.0, -0.5], 1.0, [0.0, 0.0]), three_fields)
    assert z_scores(rows).abs().max() < 4.5


def test_its_closed_form_estimate_finds_the_truth() -> None:
    """p ∝ e^{c·x} in the disc: T = x, A = E[w], b = E[∇w] = −2 E[x], so ĉ = 2 Σx/Σw."""
    law = in_ball(40_000, [1.0, -0.5], 1.0, [0.0, 0.0])
    x, disc = law.draws, Disc()
    identity = torch.eye(2, dtype=DOUBLE).expand(len(x), 2, 2)
    b = disc.divergence(lambda x: weighted_field(disc, x, identity[: len(x)]), x)
    torch.testing.assert_close(b, -2 * x)
    w = disc.weight(x)
    estimate = -b.mean(0) / w.mean()
    rows = w[:, None] * estimate + b  # the per-row gradient
    error = rows.std(0) / (w.mean() * len(x) ** 0.5)
    assert ((estimate - torch.tensor([1.0, -0.5])) / error).abs().max() < 4
