"""The tied-weight autoencoder: Vincent's energy, and learning a mixture with it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from scorematching.calculus import from_energy
from scorematching.errors import InvalidInput
from scorematching.nets import TiedAutoencoder
from scorematching.objectives import ReconstructionScore, dae
from scorematching.random import forked, normal, seeded, uniform

DOUBLE = torch.float64


def network(d: int, n_hidden: int, sigma: float) -> TiedAutoencoder:
    with forked("tied", d, n_hidden):
        return TiedAutoencoder(d, n_hidden, sigma).double()


def test_one_hidden_unit_by_hand() -> None:
    """W = (2, 0), b = −1, c = (½, 3): r = c + W sigmoid(2x₁ − 1)."""
    net = network(2, 1, 0.5)
    with torch.no_grad():
        net.encoder.weight.copy_(torch.tensor([[2.0, 0.0]]))
        net.encoder.bias.fill_(-1.0)
        net.offset.copy_(torch.tensor([0.5, 3.0]))
    x = torch.tensor([[1.0, 2.0]], dtype=DOUBLE)
    h = 1 / (1 + math.exp(-1))
    torch.testing.assert_close(net(x), torch.tensor([[0.5 + 2 * h, 3.0]], dtype=DOUBLE))
    energy = (2.5 - 6.5 - math.log1p(math.exp(1))) / 0.25
    assert net.energy(x).item() == pytest.approx(energy, rel=1e-12)


@pytest.mark.parametrize("event", [(6,), (2, 3), (3, 1, 2), (2, 1, 3, 1)])
@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5])
def test_its_reconstruction_is_the_score_of_its_energy(
    event: tuple[int, ...], sigma: float
) -> None:
    net, x = network(6, 4, sigma), normal((5, *event), torch.zeros(1, dtype=DOUBLE), seeded("x"))
    torch.testing.assert_close(ReconstructionScore(net, sigma)(x), from_energy(net.energy)(x))
    assert net.energy(x).shape == (5,)


def test_rows_of_numbers_are_events_of_one_coordinate() -> None:
    net, x = network(1, 3, 0.7), torch.linspace(-2, 2, 7, dtype=DOUBLE)
    torch.testing.assert_close(net(x), net(x[:, None])[:, 0])
    torch.testing.assert_close(net.energy(x), net.energy(x[:, None]))


def test_trained_to_denoise_two_points_it_is_the_score_of_their_noised_mixture() -> None:
    """At σ = 1 one hidden unit holds that score exactly: W = 2a, b = ln w₂/w₁, c = −a."""
    a, n = torch.tensor([1.5, -0.5], dtype=DOUBLE), 20_000
    second = uniform((n,), a, seeded("points")) < 0.7
    x = torch.where(second[:, None], a, -a)
    net = network(2, 1, 1.0)
    optimiser = torch.optim.LBFGS(net.parameters(), max_iter=30, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = dae(net, x, 1.0, 1, seeded("noise")).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    sign = torch.sign(net.encoder.weight[0, 0]).item()  # h and 1 − h are the same model
    assert_near(net.encoder.weight[0], sign * 2 * a)
    assert_near(net.encoder.bias, torch.tensor([sign * math.log(7 / 3)], dtype=DOUBLE))
    assert_near(net.offset, -sign * a)


def assert_near(parameter: Tensor, truth: Tensor) -> None:
    """Within 0.15: over 20 seeds the largest error of any parameter was 0.13."""
    torch.testing.assert_close(parameter.detach(), truth, rtol=0, atol=0.15)


def test_a_sigma_that_is_no_scale_is_refused() -> None:
    with pytest.raises(InvalidInput, match="sigma must be positive and finite: got 0"):
        TiedAutoencoder(2, 3, 0.0)
