"""The score of a measurement is the gradient of its log-likelihood, whatever the forward map."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from claims.truths import tensor
from scorematching.errors import InvalidInput
from scorematching.inverse import Measurement
from scorematching.random import normal, seeded

A = tensor([[1.0, 2.0], [-3.0, 0.5]])  # square and far from symmetric


def test_a_matrix_pulls_by_its_transpose_over_the_variance() -> None:
    x, y = tensor([[1.0, 0.0], [0.0, 2.0]]), tensor([[3.0, -1.0], [0.0, 0.0]])
    pulled = Measurement(lambda x: x @ A.T, 0.5).score(x, y)
    # By hand: y − Ax = (2, 2) and (−4, −1), times the columns of A, over ¼.
    torch.testing.assert_close(pulled, 4 * tensor([[-4.0, 5.0], [-1.0, -8.5]]))


def test_it_is_the_gradient_of_the_log_likelihood_for_any_map() -> None:
    def forward(x: Tensor) -> Tensor:
        return torch.stack([(x**2).sum((1, 2)), torch.sin(x[:, 0, 1]), x[:, 1, 0] * x[:, 0, 0]], 1)

    x = normal((5, 2, 2), A, seeded("x")).requires_grad_()
    y = normal((5, 3), A, seeded("y"))
    log_likelihood = torch.distributions.Normal(forward(x), 0.3).log_prob(y).sum()
    (expected,) = torch.autograd.grad(log_likelihood, x)
    pulled = Measurement(forward, 0.3).score(x.detach(), y)
    torch.testing.assert_close(pulled, expected)
    assert not pulled.requires_grad
    with torch.inference_mode():
        torch.testing.assert_close(Measurement(forward, 0.3).score(x.detach(), y), expected)


def test_simulated_measurements_have_the_mean_and_the_deviation(generator: torch.Generator) -> None:
    x = tensor([[1.0, -2.0]]).expand(40_000, 2)
    y = Measurement(lambda x: x @ A.T, 0.5).simulate(x, generator)
    assert ((y.mean(0) - x[0] @ A.T).abs() < 4 * 0.5 / 200).all()
    assert ((y.std(0) / 0.5 - 1).abs() < 4 / (2 * 40_000) ** 0.5).all()


@pytest.mark.parametrize("noise", [0.0, -1.0, float("nan")])
def test_the_noise_is_a_positive_deviation(noise: float) -> None:
    with pytest.raises(InvalidInput, match="noise must be positive"):
        Measurement(lambda x: x, noise)


def test_a_map_of_another_shape_or_without_gradient_is_refused() -> None:
    x = torch.ones(4, 2)
    with pytest.raises(InvalidInput, match="shaped like y"):
        Measurement(lambda x: x[:, 0], 1.0).score(x, torch.ones(4, 1))
    # One row, so that nothing varies: a gradient of zero would go unnoticed.
    with pytest.raises(InvalidInput, match="carries no gradient"):
        Measurement(lambda x: x.detach() ** 2, 1.0).score(x[:1], x[:1])
