"""Shares of a batch, evaluated apart, are the rows of the batch evaluated whole."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput
from scorematching.nets import Ensemble, ResidualMLP, UNet
from scorematching.random import forked, normal, seeded
from scorematching.training import Processes
from scorematching.training.sharing import shared

N = 12
LIKE = torch.zeros((), dtype=torch.float64)
X = normal((N, 3), LIKE, seeded("x"))
IMAGES = normal((N, 2, 6, 4), LIKE, seeded("images"))
LEVELS = normal((N,), LIKE, seeded("levels"))


def table_net() -> nn.Module:
    return ResidualMLP(3, 16, 2, dropout=0.4)


def ensemble() -> nn.Module:
    return Ensemble([table_net() for _ in range(3)])


def unet() -> nn.Module:
    return UNet(2, 1, (8, 16), dropout=0.4)


def made(net: object) -> nn.Module:
    """The net in training mode, its zero-initialised layers filled, so that dropout shows."""
    with forked("sharing"):
        module = net().double().train()  # type: ignore[operator]
        for parameter in module.parameters():
            if not bool(parameter.detach().any()):
                nn.init.normal_(parameter)
    return module


@pytest.mark.parametrize(
    ("net", "x"), [(table_net, X), (ensemble, X), (unet, IMAGES)], ids=["table", "ensemble", "unet"]
)
@pytest.mark.parametrize("size", [2, 3])
def test_each_share_has_the_outputs_gradients_and_dropout_of_the_whole_batch(
    net: object, x: Tensor, size: int
) -> None:
    whole, part = made(net), made(net)
    with forked("dropout"):
        expected = whole(x, LEVELS)
    expected.square().sum().backward()
    for rank in range(size):
        named = {} if net is ensemble else {"log_sigma": LEVELS}
        inputs = (x, LEVELS) if net is ensemble else (x,)
        rank_only = shared(part, Processes(rank, size))
        with rank_only as sharing, forked("dropout"), sharing.of(N) as mine:
            output = part(*inputs, **named)
        torch.testing.assert_close(output[mine], expected[mine], rtol=1e-12, atol=1e-12)
        others = torch.ones(N, dtype=torch.bool)
        others[mine] = False
        assert not output[others].any()
        output[mine].square().sum().backward()
    for ours, theirs in zip(part.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-9)


def test_control_without_the_masks_of_the_whole_batch_dropout_differs() -> None:
    module = made(table_net)
    with forked("dropout"):
        expected = module(X, LEVELS)
    with forked("dropout"):
        output = module(X[6:], LEVELS[6:])
    assert (output - expected[6:]).abs().max() > 0.1


def test_a_module_used_outside_a_batch_or_with_other_rows_is_left_alone() -> None:
    module = made(table_net)
    expected = module.eval()(X, LEVELS)
    with shared(module, Processes(1, 2)) as sharing:
        assert torch.equal(module(X, LEVELS), expected)
        with sharing.of(N):
            torch.testing.assert_close(module(X[:5], LEVELS[:5]), expected[:5])
        module.train()
        with forked("dropout"):
            plain = module(X, LEVELS)
    with forked("dropout"):
        assert torch.equal(module(X, LEVELS), plain)
    assert all("forward" not in vars(each) for each in module.modules())


def test_derivatives_with_respect_to_the_rows_pass_through() -> None:
    module = made(table_net).eval()
    x = X.clone().requires_grad_()
    with shared(module, Processes(0, 2)) as sharing, sharing.of(N) as mine:
        (shares,) = torch.autograd.grad(module(x, LEVELS)[mine].square().sum(), x)
    (expected,) = torch.autograd.grad(module(x, LEVELS).square().sum(), x)
    torch.testing.assert_close(shares[mine], expected[mine])
    assert not shares[6:].any()


def test_a_module_that_returns_something_else_is_refused() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    module = Two()
    with (
        shared(module, Processes(0, 2)) as sharing,
        sharing.of(N),
        pytest.raises(InvalidInput, match="returns one tensor: got tuple"),
    ):
        module(X)
