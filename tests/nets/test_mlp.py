"""The residual network: shapes, derivatives of every kind, and what it starts from."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput
from scorematching.nets import ResidualMLP
from scorematching.random import forked, normal, seeded

F64 = torch.float64


def stirred(*arguments: int, dropout: float = 0.0, n_classes: int = 0) -> ResidualMLP:
    """A net in float64 whose weights are all away from zero."""
    with forked("stirred"):
        net = ResidualMLP(*arguments, dropout, n_classes).double()
    with torch.no_grad():
        for name, each in net.named_parameters():
            each.add_(0.3 * normal(tuple(each.shape), each, seeded("stirred", name)))
    return net.eval()


def inputs(*shape: int) -> tuple[Tensor, Tensor]:
    like = torch.zeros((), dtype=F64)
    return normal(shape, like, seeded("x")), normal(shape[:1], like, seeded("sigma"))


@pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 3), (5, 2, 3), (5, 1, 2, 2)])
def test_the_output_is_shaped_like_x_and_zero_at_first(shape: tuple[int, ...]) -> None:
    x, log_sigma = inputs(*shape)
    d = x[0].numel()
    with forked("zero"):
        fresh = ResidualMLP(d, 16, 2).double()
    assert torch.equal(fresh(x, log_sigma), torch.zeros(shape, dtype=F64))
    assert stirred(d, 16, 2)(x, log_sigma).shape == shape


def test_the_output_is_the_composition_that_the_docstring_states() -> None:
    net = stirred(2, 8, 1)
    x, log_sigma = inputs(4, 2)
    e = net.conditioning(log_sigma)
    h = net.inlet(torch.cat([x, torch.log(3 * x + torch.sqrt(9 * x**2 + 1))], 1))
    block = net.blocks[0]
    a, b = block.modulation(e)[:, :8], block.modulation(e)[:, 8:]
    h = h + block.second(nn.functional.silu(block.first(block.norm(h)) * (1 + a) + b))
    expected = net.outlet(nn.functional.silu(net.norm(h)))
    torch.testing.assert_close(net(x, log_sigma), expected)


def test_a_row_does_not_depend_on_the_others() -> None:
    net = stirred(3, 16, 2)
    x, log_sigma = inputs(6, 3)
    torch.testing.assert_close(net(x, log_sigma)[2:4], net(x[2:4], log_sigma[2:4]))


def test_the_class_and_the_level_change_the_output() -> None:
    net = stirred(3, 16, 1, n_classes=4)
    x, log_sigma = inputs(2, 3)
    zero, one = torch.zeros(2, dtype=torch.int64), torch.ones(2, dtype=torch.int64)
    assert not torch.allclose(net(x, log_sigma, zero), net(x, log_sigma, one))
    assert not torch.allclose(net(x, log_sigma, zero), net(x, log_sigma + 1, zero))
    with pytest.raises(InvalidInput, match="built for 4 classes and 0 conditions: got none"):
        net(x, log_sigma)
    with pytest.raises(InvalidInput, match="built for 0 classes and 0 conditions: got"):
        stirred(3, 16, 1)(x, log_sigma, one)


def test_dropout_acts_in_training_only() -> None:
    net = stirred(3, 16, 1, dropout=0.5)
    x, log_sigma = inputs(5, 3)
    assert torch.equal(net(x, log_sigma), net(x, log_sigma))
    net.train()
    with forked("dropout"):
        assert not torch.equal(net(x, log_sigma), net(x, log_sigma))


def test_first_and_second_derivatives_are_those_of_finite_differences() -> None:
    net = stirred(2, 8, 1)
    x, log_sigma = inputs(2, 2)
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda v: net(v, log_sigma), x)
    assert torch.autograd.gradgradcheck(lambda v: net(v, log_sigma), x)


def test_forward_mode_and_reverse_mode_agree() -> None:
    net = stirred(3, 16, 2, n_classes=2)
    x, log_sigma = inputs(4, 3)
    classes = torch.tensor([0, 1, 1, 0])
    u, v = (normal((4, 3), x, seeded(name)) for name in "uv")
    _, forward = torch.func.jvp(lambda y: net(y, log_sigma, classes), (x,), (u,))
    _, pull = torch.func.vjp(lambda y: net(y, log_sigma, classes), x)
    torch.testing.assert_close((v * forward).sum(), (pull(v)[0] * u).sum())
