"""An ensemble trains its members apart and averages them."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput
from scorematching.nets import Ensemble, ResidualMLP
from scorematching.random import forked, normal, seeded

F64 = torch.float64


def members(count: int, n_classes: int = 0) -> list[nn.Module]:
    with forked("members"):
        nets = [ResidualMLP(2, 16, 1, 0.0, n_classes).double() for _ in range(count)]
    for k, net in enumerate(nets):
        with torch.no_grad():
            net.outlet.weight.copy_(normal((2, 16), net.outlet.weight, seeded("outlet", k)))
    return nets


def batch(n: int) -> tuple[Tensor, Tensor, Tensor]:
    like = torch.zeros((), dtype=F64)
    return (
        normal((n, 2), like, seeded("x")),
        normal((n,), like, seeded("sigma")),
        torch.arange(n) % 3,
    )


@pytest.mark.parametrize("count", [1, 3])
def test_in_evaluation_the_output_is_the_mean_of_the_members(count: int) -> None:
    nets = members(count)
    x, log_sigma, _ = batch(5)
    expected = sum(net(x, log_sigma) for net in nets) / count
    torch.testing.assert_close(Ensemble(nets).eval()(x, log_sigma), expected)


@pytest.mark.parametrize("n", [6, 8, 3])
def test_in_training_row_i_is_that_of_member_i_modulo_the_count(n: int) -> None:
    nets = members(3, n_classes=3)
    x, log_sigma, classes = batch(n)
    out = Ensemble(nets).train()(x, log_sigma, classes)
    expected = [
        nets[i % 3](x[i : i + 1], log_sigma[i : i + 1], classes[i : i + 1])[0] for i in range(n)
    ]
    torch.testing.assert_close(out, torch.stack(expected))


def test_a_step_on_all_rows_is_a_step_of_each_member_on_its_own() -> None:
    """Momentum with M times the rate: the mean over all rows has a factor of 1/M."""
    nets = members(3)
    alone = [copy.deepcopy(net) for net in nets]
    together = Ensemble(nets).train()
    x, log_sigma, _ = batch(12)
    target = x.sin()

    def step(module: nn.Module, rows: slice, rate: float) -> None:
        optimiser = torch.optim.SGD(module.parameters(), lr=rate, momentum=0.9)
        for _ in range(3):
            loss = (module(x[rows], log_sigma[rows]) - target[rows]).square().sum(1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    step(together, slice(None), 0.3)
    for k, net in enumerate(alone):
        step(net.train(), slice(k, None, 3), 0.1)
    for ours, theirs in zip(nets, alone, strict=True):
        for name, value in theirs.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[name], value)
    assert not torch.allclose(nets[0].inlet.weight, nets[1].inlet.weight)


def test_derivatives_pass_through_both_modes() -> None:
    ensemble = Ensemble(members(2))
    x, log_sigma, _ = batch(4)
    x.requires_grad_()
    for mode in (True, False):
        ensemble.train(mode)
        assert torch.autograd.gradcheck(lambda v: ensemble(v, log_sigma), x)


def test_fewer_rows_than_members_and_no_members_are_refused() -> None:
    x, log_sigma, _ = batch(2)
    with pytest.raises(InvalidInput, match="3 members needs at least 3 rows a batch: got 2"):
        Ensemble(members(3)).train()(x, log_sigma)
    with pytest.raises(InvalidInput, match="at least one member"):
        Ensemble([])
