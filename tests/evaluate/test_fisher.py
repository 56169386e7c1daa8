"""The Fisher divergence against closed forms: value, argmin, and its own standard error."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from claims.truths import Normal, tensor
from scorematching.errors import InvalidInput
from scorematching.evaluate import fisher_divergence, half_squared_gap
from scorematching.random import normal, seeded

P = Normal(tensor([0.5, -1.0]), tensor([[1.0, 0.4], [0.4, 0.7]]))
Q = Normal(tensor([0.0, 0.2]), tensor([[2.0, -0.3], [-0.3, 0.5]]))


def closed_form(p: Normal, q: Normal) -> float:
    """E_p ½‖P(x − μ) − Q(x − ν)‖² = ½ tr[(P − Q)ᵀ(P − Q) C] + ½‖Q(μ − ν)‖²."""
    gap = p.precision - q.precision
    spread = torch.trace(gap.T @ gap @ p.covariance)
    return ((spread + (q.precision @ (p.mean - q.mean)).square().sum()) / 2).item()


def test_between_gaussians_it_is_the_closed_form(generator: torch.Generator) -> None:
    result = fisher_divergence(P.score, Q.score, P.sample(40_000, generator))
    truth = closed_form(P, Q)
    assert result.standard_error < 0.01 * truth
    assert result.value == pytest.approx(truth, abs=4 * result.standard_error)


def test_the_mean_is_over_p_and_not_over_q(generator: torch.Generator) -> None:
    forward = fisher_divergence(P.score, Q.score, P.sample(40_000, generator))
    backward = fisher_divergence(Q.score, P.score, Q.sample(40_000, generator))
    assert backward.value == pytest.approx(closed_form(Q, P), abs=4 * backward.standard_error)
    assert abs(forward.value - backward.value) > 20 * backward.standard_error


@pytest.mark.parametrize("name", ["mean", "scale"])
def test_it_is_least_where_q_is_p(name: str, generator: torch.Generator) -> None:
    x = P.sample(4_000, generator)
    steps = torch.linspace(-0.3, 0.3, 13).tolist()
    values = []
    for step in steps:
        mean = P.mean + step * (name == "mean")
        other = Normal(mean, P.covariance * math.exp(step * (name == "scale")))
        values.append(fisher_divergence(P.score, other.score, x).value)
    assert values.index(min(values)) == 6
    assert values[6] == pytest.approx(0, abs=1e-15)


def test_its_standard_error_is_the_spread_of_the_estimate(generator: torch.Generator) -> None:
    results = [fisher_divergence(P.score, Q.score, P.sample(400, generator)) for _ in range(300)]
    off = tensor([(each.value - closed_form(P, Q)) / each.standard_error for each in results])
    # The standard deviation of 300 standardised errors is known to 1/√600 = 4%.
    assert off.std().item() == pytest.approx(1, abs=0.16)


@pytest.mark.parametrize("event", [(), (3,), (2, 2), (1, 2, 2), (2, 1, 2, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_event_rank_and_dtype(event: tuple[int, ...], dtype: torch.dtype) -> None:
    x = normal((50, *event), torch.zeros((), dtype=dtype), seeded("rows"))
    result = fisher_divergence(lambda x: -x, lambda x: -2 * x, x)
    expected = (x.double() ** 2).reshape(50, -1).sum(1) / 2
    torch.testing.assert_close(result.per_row, expected)
    assert result.value == pytest.approx(expected.mean().item())
    assert result.standard_error == pytest.approx(expected.std().item() / math.sqrt(50))


def test_the_rows_alone_keep_a_graph_and_the_divergence_none() -> None:
    theta = torch.tensor(2.0, requires_grad=True)

    def model(x: Tensor) -> Tensor:
        return -theta * x

    x = torch.ones(3, 2)
    half_squared_gap(lambda x: -x, model, x).sum().backward()
    assert theta.grad is not None
    assert theta.grad.item() == pytest.approx(3 * 2 * (2 - 1))
    assert not fisher_divergence(lambda x: -x, model, x).per_row.requires_grad


@pytest.mark.parametrize("name", ["score_p", "score_q"])
def test_a_score_of_another_shape_is_refused_by_name(name: str) -> None:
    scores = {"score_p": lambda x: -x, "score_q": lambda x: -x, name: lambda x: -x[:, :1]}
    with pytest.raises(InvalidInput, match=f"{name} must return"):
        fisher_divergence(x=torch.zeros(4, 2), **scores)


def test_a_single_row_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least two rows"):
        fisher_divergence(lambda x: -x, lambda x: -x, torch.zeros(1, 2))
