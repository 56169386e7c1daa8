"""Randomised traces: their laws, their variance in closed form, and the error they report."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from claims.implicit import UnitProbes, frobenius, off_diagonal, sphere_variance
from scorematching.calculus import Exact, divergence
from scorematching.errors import InvalidInput
from scorematching.hutchinson import (
    GaussianProbes,
    Hutchinson,
    Probes,
    Rademacher,
    SphereProbes,
    check_count,
)
from scorematching.random import normal, seeded

DOUBLE = torch.float64
N = 20_000
EVENTS = [(), (3,), (2, 3), (2, 1, 3), (2, 2, 1, 2)]
LAWS: dict[str, Probes] = {
    "Rademacher": Rademacher(),
    "Gaussian": GaussianProbes(),
    "sphere": SphereProbes(),
}
VARIANCES: dict[str, Callable[[Tensor], Tensor]] = {
    "Rademacher": off_diagonal,
    "Gaussian": frobenius,
    "sphere": sphere_variance,
}
# Not symmetric, with negative entries and a trace of its own.
A = torch.tensor(
    [[2.0, -1.0, 0.5, 0.0], [0.3, -1.5, 0.7, 0.2], [1.1, 0.4, 0.8, -0.6], [0.0, 0.9, 0.1, 1.2]],
    dtype=DOUBLE,
)
SYMMETRIC = (A + A.T) / 2


def linear(x: Tensor) -> Tensor:
    return x @ A.T


def second_moment_errors(probes: Probes, event: tuple[int, ...]) -> Tensor:
    """(mean of vvᵀ − I) in standard errors, entry by entry; an entry that never varies: 0 or ∞."""
    d = math.prod(event)
    v = probes(torch.zeros(N, *event, dtype=DOUBLE), seeded("moments", str(event))).reshape(N, d)
    outer = v[:, :, None] * v[:, None, :]
    gap = outer.mean(0) - torch.eye(d, dtype=DOUBLE)
    error = outer.std(0) / math.sqrt(N)
    exact = (gap.abs() < 1e-12) & (error < 1e-12)
    return torch.where(exact, 0.0, gap / error)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("law", LAWS)
def test_probes_have_the_identity_for_second_moment(law: str, event: tuple[int, ...]) -> None:
    assert second_moment_errors(LAWS[law], event).abs().max() < 4.3  # of up to 36 entries


def test_probes_of_unit_length_do_not() -> None:
    assert second_moment_errors(UnitProbes(), (3,)).diagonal().abs().min() > 100


@pytest.mark.parametrize("law", LAWS)
def test_probes_have_mean_zero(law: str) -> None:
    v = LAWS[law](torch.zeros(N, 3, dtype=DOUBLE), seeded("mean", law))
    assert (v.mean(0) / (v.std(0) / math.sqrt(N))).abs().max() < 4


def test_signs_are_signs_and_the_sphere_has_radius_root_d() -> None:
    x = torch.zeros(500, 2, 3, dtype=DOUBLE)
    v = Rademacher()(x, seeded(0))
    assert set(v.unique().tolist()) == {-1.0, 1.0}
    assert len({tuple(row) for row in v.flatten(1).tolist()}) == 64  # every pattern of signs
    squares = (SphereProbes()(x, seeded(0)) ** 2).flatten(1).sum(1)
    torch.testing.assert_close(squares, torch.full((500,), 6.0, dtype=DOUBLE))


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_probes_are_like_x(law: str, dtype: torch.dtype) -> None:
    x = torch.zeros(4, 2, 3, dtype=dtype)
    v = LAWS[law](x, seeded(1))
    assert v.shape == x.shape
    assert v.dtype == dtype
    assert torch.equal(v, LAWS[law](x, seeded(1)))
    assert not torch.equal(v, LAWS[law](x))


def traces(law: str, n_probes: int) -> Tensor:
    """N independent estimates of tr A, one a row."""
    x = normal((N, 4), A, seeded("x"))
    return Hutchinson(n_probes, LAWS[law], seeded("traces", law, n_probes))(linear, x)[1]


@pytest.mark.parametrize("n_probes", [1, 4])
@pytest.mark.parametrize("law", LAWS)
def test_the_trace_is_unbiased(law: str, n_probes: int) -> None:
    estimates = traces(law, n_probes)
    z = (estimates.mean() - A.trace()) / (estimates.std() / math.sqrt(N))
    assert abs(z) < 4


@pytest.mark.parametrize("n_probes", [1, 4])
@pytest.mark.parametrize("law", LAWS)
def test_its_variance_is_that_of_the_formula(law: str, n_probes: int) -> None:
    squares = (traces(law, n_probes) - A.trace()) ** 2
    truth = VARIANCES[law](SYMMETRIC) / n_probes
    assert abs(squares.mean() - truth) < 4 * squares.std() / math.sqrt(N)


def test_a_trace_by_probes_of_unit_length_is_divided_by_d() -> None:
    x = normal((N, 4), A, seeded("x"))
    estimates = Hutchinson(1, UnitProbes(), seeded("unit"))(linear, x)[1]
    error = estimates.std() / math.sqrt(N)
    assert abs(estimates.mean() - A.trace() / 4) < 4 * error
    assert abs(estimates.mean() - A.trace()) > 20 * error


def test_signs_are_exact_on_a_diagonal_jacobian_and_the_other_laws_are_not() -> None:
    x = normal((50, 5), A, seeded("diagonal"))
    truth = divergence(lambda x: x**3, x)
    by_signs = Hutchinson(1, Rademacher(), seeded(1))(lambda x: x**3, x)[1]
    torch.testing.assert_close(by_signs, truth)
    by_normals = Hutchinson(1, GaussianProbes(), seeded(1))(lambda x: x**3, x)[1]
    assert not torch.allclose(by_normals, truth)


def test_in_one_dimension_signs_and_the_sphere_are_exact() -> None:
    x = normal((20,), A, seeded("line"))
    for law in ("Rademacher", "sphere"):
        trace = Hutchinson(1, LAWS[law], seeded(law))(torch.sin, x)[1]
        torch.testing.assert_close(trace, x.cos())


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n_probes", [2, 8])
def test_the_standard_error_that_it_reports_is_right(law: str, n_probes: int) -> None:
    """Its square averages to the variance of the trace; the z-scores have variance near one."""
    x = normal((N, 4), A, seeded("x"))
    trace = Hutchinson(n_probes, LAWS[law], seeded("error", law, n_probes))
    _, estimates, errors = trace.with_standard_error(linear, x)
    truth = VARIANCES[law](SYMMETRIC) / n_probes
    squares = errors**2
    assert abs(squares.mean() - truth) < 4 * squares.std() / math.sqrt(N)
    gaps = (estimates - A.trace()) ** 2
    assert abs(gaps.mean() - truth) < 4 * gaps.std() / math.sqrt(N)


def test_one_four_and_exact_probes_agree_within_their_own_error() -> None:
    x = normal((N, 4), A, seeded("agree"))
    score = lambda x: torch.tanh(linear(x))  # noqa: E731
    exact = Exact()(score, x)[1]
    for n_probes in (1, 4):
        trace = Hutchinson(n_probes, GaussianProbes(), seeded("agree", n_probes))(score, x)[1]
        gap = trace - exact
        assert abs(gap.mean()) < 4 * gap.std() / math.sqrt(N)


def test_the_mean_over_probes_is_taken() -> None:
    """The trace of one call is the mean of the traces of its probes, drawn one by one."""
    x = normal((6, 4), A, seeded("mean"))
    together = Hutchinson(3, GaussianProbes(), seeded("probes"))(linear, x)[1]
    generator = seeded("probes")
    single = [Hutchinson(1, GaussianProbes(), generator)(linear, x)[1] for _ in range(3)]
    torch.testing.assert_close(together, torch.stack(single).mean(0))


def test_the_score_comes_with_the_trace() -> None:
    calls = []
    x = normal((5, 4), A, seeded("score"))
    trace = Hutchinson(3, generator=seeded(0))
    value, _ = trace(lambda x: calls.append(1) or linear(x), x)
    torch.testing.assert_close(value, linear(x))
    assert len(calls) == 1
    assert torch.equal(trace.with_standard_error(linear, x)[0], linear(x))


@pytest.mark.parametrize("event", EVENTS)
def test_all_event_ranks_give_the_numbers_of_the_flattened_event(event: tuple[int, ...]) -> None:
    d = math.prod(event)
    mix = normal((d, d), A, seeded("mix", d))
    flat = normal((5, d), A, seeded("event", d))
    score = lambda x: (x.reshape(5, d) @ mix).sin().reshape(x.shape)  # noqa: E731
    one = Hutchinson(2, generator=seeded(2)).with_standard_error(score, flat)
    shaped = flat.reshape(5, *event)
    other = Hutchinson(2, generator=seeded(2)).with_standard_error(score, shaped)
    torch.testing.assert_close(one[1:], other[1:])
    torch.testing.assert_close(one[0].reshape(shaped.shape), other[0])


def test_the_trace_is_differentiable_in_the_parameters() -> None:
    a = A.clone().requires_grad_()
    x = normal((N, 4), A, seeded("grad"))
    Hutchinson(1, Rademacher(), seeded(3))(lambda x: x @ a.T, x)[1].mean().backward()
    torch.testing.assert_close(a.grad.diagonal(), torch.ones(4, dtype=DOUBLE))
    assert a.grad.abs().max() <= 1 + 1e-12
    off = a.grad - torch.eye(4, dtype=DOUBLE)
    assert off.abs().max() < 4 / math.sqrt(N)


@pytest.mark.parametrize("surroundings", [torch.no_grad, torch.inference_mode])
def test_without_gradients_around_the_numbers_are_the_same(surroundings: object) -> None:
    x = normal((5, 4), A, seeded("surroundings"))
    expected = Hutchinson(2, generator=seeded(4)).with_standard_error(linear, x)
    with surroundings():
        results = Hutchinson(2, generator=seeded(4)).with_standard_error(linear, x)
    torch.testing.assert_close(results, expected)
    assert not any(result.requires_grad for result in results)


def test_without_a_generator_every_call_draws_anew() -> None:
    x = normal((50, 4), A, seeded("fresh"))
    trace = Hutchinson(1)
    assert not torch.equal(trace(linear, x)[1], trace(linear, x)[1])


def test_one_probe_tells_no_standard_error() -> None:
    with pytest.raises(InvalidInput, match="n_probes of at least 2: got 1"):
        Hutchinson(1).with_standard_error(linear, A)


@pytest.mark.parametrize("wrong", [0, -1, 1.0, True, None, "2", np.float64(2)])
def test_a_number_of_probes_that_is_no_count_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidInput, match="n_probes must be an integer of at least 1"):
        Hutchinson(wrong)


def test_a_count_is_returned() -> None:
    assert check_count(3, "n") == 3
