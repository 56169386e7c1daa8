"""Scores from densities and their derivatives, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from scorematching.calculus import (
    EnergyScore,
    Exact,
    LogDensityScore,
    ScoreAt,
    at,
    divergence,
    from_energy,
    gradient,
    laplacian,
    score_of,
)
from scorematching.errors import InvalidInput
from scorematching.hutchinson import Hutchinson
from scorematching.random import normal

DOUBLE = torch.float64
THREE = torch.tensor(3.0, dtype=DOUBLE)
EVENTS = [(), (3,), (2, 3), (2, 1, 3), (2, 2, 1, 2)]
PRECISION = torch.tensor([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 1.5]], dtype=DOUBLE)


def draw(*shape: int, dtype: torch.dtype = DOUBLE) -> Tensor:
    return normal(shape, torch.empty(0, dtype=dtype), torch.Generator().manual_seed(7))


def quartic(x: Tensor) -> Tensor:
    """log p = −Σ x⁴/4 + ½(Σ x)²: score −x³ + Σx, Laplacian −3Σx² + d."""
    flat = x.reshape(len(x), math.prod(x.shape[1:]))
    return -(flat**4).sum(1) / 4 + flat.sum(1) ** 2 / 2


class Energy(nn.Module):
    """φ(x) = ½ xᵀKx with K a parameter."""

    def __init__(self, k: Tensor) -> None:
        super().__init__()
        self.k = nn.Parameter(k.clone())

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("ni,ij,nj->n", x, self.k, x) / 2


# -------------------------------------------------------------------------------------- scores


@pytest.mark.parametrize("event", EVENTS)
def test_the_score_of_a_log_density_is_its_gradient_at_every_event_rank(
    event: tuple[int, ...],
) -> None:
    x = draw(5, *event)
    total = x.reshape(5, -1).sum(1).reshape(5, *(1,) * len(event))
    torch.testing.assert_close(score_of(quartic)(x), -(x**3) + total, rtol=1e-13, atol=1e-13)


def test_an_energy_has_the_opposite_sign_of_a_log_density() -> None:
    x = draw(5, 3)
    torch.testing.assert_close(from_energy(Energy(PRECISION))(x), -x @ PRECISION)
    torch.testing.assert_close(from_energy(quartic)(x), -score_of(quartic)(x))


@pytest.mark.parametrize(
    ("distribution", "event", "score"),
    [
        (torch.distributions.Normal(1.0, 2.0), (), lambda x: (1 - x) / 4),
        (
            torch.distributions.MultivariateNormal(torch.zeros(3).double(), PRECISION.inverse()),
            (3,),
            lambda x: -x @ PRECISION,
        ),
        (torch.distributions.Gamma(THREE, THREE), (), lambda x: 2 / x - 3),
        (torch.distributions.Laplace(0.0, 0.5), (), lambda x: -2 * x.sign()),
        (
            torch.distributions.StudentT(THREE),
            (),
            lambda x: -4 * x / (3 + x**2),
        ),
    ],
)
def test_anything_with_log_prob_has_a_score(
    distribution: torch.distributions.Distribution, event: tuple[int, ...], score: object
) -> None:
    x = draw(6, *event).abs() + 0.1
    torch.testing.assert_close(score_of(distribution)(x), score(x))


def test_scores_are_frozen_and_say_what_they_are_made_of() -> None:
    distribution = torch.distributions.Normal(0.0, 1.0)
    assert score_of(quartic) == LogDensityScore(quartic)
    assert score_of(distribution).log_density == distribution.log_prob
    assert from_energy(quartic) == EnergyScore(quartic)
    assert at(quartic, 0.5) == ScoreAt(quartic, 0.5)
    with pytest.raises(AttributeError):
        score_of(quartic).log_density = quartic


def test_a_constant_added_to_the_log_density_drops_out() -> None:
    x = draw(4, 2)
    shifted = score_of(lambda x: quartic(x) + 1e3)(x)
    torch.testing.assert_close(shifted, score_of(quartic)(x))


def test_the_score_is_differentiable_in_the_parameters() -> None:
    energy, x = Energy(PRECISION), draw(4, 3)
    (from_energy(energy)(x) ** 2).sum().backward()
    symmetric = (PRECISION + PRECISION.T) / 2
    torch.testing.assert_close(energy.k.grad + energy.k.grad.T, 2 * _outer(x, symmetric))


def _outer(x: Tensor, k: Tensor) -> Tensor:
    """d/dK ‖sym(K) x‖² made symmetric: K xxᵀ + xxᵀ K."""
    moment = x.T @ x
    return k @ moment + moment @ k


def test_at_freezes_the_time_of_a_noisy_score() -> None:
    x, t = draw(4, 3), torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=DOUBLE)
    noisy = lambda x, t: -x * t.reshape(-1, 1)  # noqa: E731
    torch.testing.assert_close(at(noisy, t)(x), -x * t[:, None])
    torch.testing.assert_close(at(noisy, 0.3)(x), -x * 0.3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_frozen_time_follows_the_dtype_of_x(dtype: torch.dtype) -> None:
    seen = []
    at(lambda x, t: seen.append(t) or x, 0.25)(draw(2, 3, dtype=DOUBLE).to(dtype))
    assert seen[0].dtype == dtype
    assert seen[0].shape == ()


@pytest.mark.parametrize("wrong", [3, None, "energy", torch.zeros(3)])
def test_what_is_no_density_is_refused_by_name(wrong: object) -> None:
    with pytest.raises(InvalidInput, match=f"got {type(wrong).__name__}"):
        score_of(wrong)
    with pytest.raises(InvalidInput, match=f"callable energy: got {type(wrong).__name__}"):
        from_energy(wrong)


@pytest.mark.parametrize(
    ("density", "got"),
    [(lambda x: x, r"\(4, 3\)"), (lambda x: quartic(x).sum(), r"\(\)")],
)
def test_a_density_that_is_not_one_number_per_row_is_refused(density: object, got: str) -> None:
    with pytest.raises(InvalidInput, match=rf"one number per row, shape \(4,\): got {got}"):
        score_of(density)(draw(4, 3))


def test_rows_that_are_no_floating_batch_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"dtype torch\.int64"):
        score_of(quartic)(torch.ones(4, 3, dtype=torch.int64))
    with pytest.raises(InvalidInput, match="got ndarray"):
        score_of(quartic)(np.zeros((4, 3)))
    with pytest.raises(InvalidInput, match="at most 4 event axes"):
        divergence(lambda x: x, torch.zeros(1, 1, 1, 1, 1, 1))


# ------------------------------------------------------------------------------------- derivatives


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_laplacian_matches_its_closed_form_at_every_event_rank(
    event: tuple[int, ...], dtype: torch.dtype
) -> None:
    x = draw(5, *event, dtype=dtype)
    expected = -3 * (x.reshape(5, -1) ** 2).sum(1) + math.prod(event)
    result = laplacian(quartic, x)
    assert result.dtype == dtype
    torch.testing.assert_close(result, expected, rtol=1e-12 if dtype == DOUBLE else 1e-5, atol=1e-5)


def test_the_divergence_is_the_trace_of_a_jacobian_that_is_not_symmetric() -> None:
    a = draw(4, 4)
    result = divergence(lambda x: (x @ a.T).sin(), x := draw(6, 4))
    expected = ((x @ a.T).cos() * a.diagonal()).sum(1)
    torch.testing.assert_close(result, expected)


def test_the_divergence_takes_another_trace() -> None:
    x = draw(3, 4)
    by_signs = divergence(lambda x: 2 * x, x, Hutchinson(n_probes=1))
    torch.testing.assert_close(by_signs, torch.full((3,), 8.0, dtype=DOUBLE))
    torch.testing.assert_close(
        laplacian(lambda x: (x**2).sum(1), x, Hutchinson(2)), torch.full((3,), 8.0, dtype=DOUBLE)
    )


def test_exact_returns_the_score_and_its_trace_from_one_forward_pass() -> None:
    calls = []
    value, trace = Exact()(lambda x: calls.append(1) or x**3, x := draw(5, 3))
    assert len(calls) == 1
    torch.testing.assert_close(value, x**3)
    torch.testing.assert_close(trace, 3 * (x**2).sum(1))


def test_rows_do_not_mix() -> None:
    x = draw(6, 3)
    whole = laplacian(quartic, x)
    torch.testing.assert_close(whole, torch.cat([laplacian(quartic, row[None]) for row in x]))


def test_one_row_and_no_row_work() -> None:
    assert laplacian(quartic, draw(1, 3)).shape == (1,)
    assert laplacian(quartic, draw(0, 3)).shape == (0,)


def test_x_that_is_not_contiguous_works() -> None:
    x = draw(3, 5).T
    torch.testing.assert_close(laplacian(quartic, x), laplacian(quartic, x.contiguous()))


def test_a_constant_score_has_divergence_zero() -> None:
    assert not divergence(torch.ones_like, x := draw(4, 3)).any()
    bias = torch.ones(3, dtype=DOUBLE, requires_grad=True)
    assert not divergence(lambda x: bias.expand_as(x), x).any()
    assert not score_of(lambda x: torch.zeros(len(x), dtype=DOUBLE))(x).any()


def test_a_score_that_is_constant_in_some_coordinates_has_the_trace_of_the_others() -> None:
    score = lambda x: torch.cat([2 * x[:, :1], torch.ones_like(x[:, 1:])], 1)  # noqa: E731
    torch.testing.assert_close(divergence(score, draw(4, 3)), torch.full((4,), 2.0, dtype=DOUBLE))


def test_a_score_may_call_autograd_inside_itself() -> None:
    def score(x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x if x.requires_grad else x.requires_grad_()
            (slope,) = torch.autograd.grad(quartic(x).sum(), x, create_graph=True)
        return slope

    x = draw(4, 3)
    torch.testing.assert_close(divergence(score, x), laplacian(quartic, x))
    torch.testing.assert_close(divergence(score_of(quartic), x), -3 * (x**2).sum(1) + 3)


def test_a_score_may_branch_on_its_data() -> None:
    def score(x: Tensor) -> Tensor:
        return torch.stack([row**2 if row[0] > 0 else -row for row in x])

    x = draw(8, 2)
    expected = torch.where(x[:, 0] > 0, 2 * x.sum(1), torch.tensor(-2.0, dtype=DOUBLE))
    torch.testing.assert_close(divergence(score, x), expected)


# ---------------------------------------------------------------------------- the surroundings


SURROUNDINGS = [torch.no_grad, torch.inference_mode]


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_derivatives_are_the_same_without_gradients_around_them(surroundings: object) -> None:
    x = draw(4, 3)
    expected = score_of(quartic)(x), laplacian(quartic, x), Exact()(quartic_score, x)[0]
    with surroundings():
        results = score_of(quartic)(x), laplacian(quartic, x), Exact()(quartic_score, x)[0]
        inside = draw(4, 3)
        torch.testing.assert_close(laplacian(quartic, inside), expected[1])
        assert not torch.is_grad_enabled()
    for result, truth in zip(results, expected, strict=True):
        assert not result.requires_grad
        torch.testing.assert_close(result, truth)


def quartic_score(x: Tensor) -> Tensor:
    return -(x**3) + x.sum(1, keepdim=True)


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_no_graph_is_kept_without_gradients_around(surroundings: object) -> None:
    energy, x = Energy(PRECISION), draw(4, 3)
    with surroundings():
        assert not from_energy(energy)(x).requires_grad
        assert not divergence(from_energy(energy), x).requires_grad
    assert from_energy(energy)(x).requires_grad
    assert divergence(from_energy(energy), x).requires_grad


def test_x_may_belong_to_an_outer_graph() -> None:
    w = draw(3).requires_grad_()
    x = draw(4, 3) * w
    lap = laplacian(quartic, x).sum()
    (slope,) = torch.autograd.grad(lap, w)
    torch.testing.assert_close(slope, -6 * (draw(4, 3) ** 2 * w.detach()).sum(0))


def test_the_caller_s_tensor_is_left_as_it_was() -> None:
    x = draw(4, 3)
    laplacian(quartic, x)
    assert not x.requires_grad
    assert x.grad is None
    leaf = draw(4, 3).requires_grad_()
    laplacian(quartic, leaf)
    assert leaf.grad is None


def detached(x: Tensor) -> Tensor:
    return -x.detach()


@torch.no_grad()
def without_gradient(x: Tensor) -> Tensor:
    return -x


def by_numpy(x: Tensor) -> Tensor:
    return torch.from_numpy(-x.detach().numpy())


@pytest.mark.parametrize("score", [detached, without_gradient, by_numpy])
def test_a_score_that_carries_no_gradient_is_refused(score: object) -> None:
    with pytest.raises(InvalidInput, match="carry no gradient"):
        divergence(score, draw(4, 3))
    with pytest.raises(InvalidInput, match="carry no gradient"):
        score_of(lambda x: score(x).sum(1))(draw(4, 3))


def test_the_remedy_for_a_score_that_carries_no_gradient_works() -> None:
    assert not divergence(lambda x: detached(x) + 0 * x, draw(4, 3)).any()


def test_a_flat_density_with_an_edge_has_score_zero() -> None:
    box = torch.distributions.Uniform(0.0, 1.0, validate_args=False)
    x = torch.tensor([-0.5, 0.2, 0.7, 1.5], dtype=DOUBLE)
    assert not gradient(box.log_prob, x).any()


@pytest.mark.parametrize("trace", [Exact(), Hutchinson(2)])
@pytest.mark.parametrize("shape", [(4, 1), (4,), (2, 3)])
def test_a_score_of_another_shape_is_refused(trace: object, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"shaped like x, \(4, 3\)"):
        divergence(lambda x: x.new_zeros(shape), draw(4, 3), trace)


def test_a_row_score_that_would_broadcast_to_a_table_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"\(4,\): got \(4, 1\)"):
        divergence(lambda x: x[:, None], draw(4))
