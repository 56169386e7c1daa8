"""The image network: every size and number of channels, and derivatives of every kind."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.nets import UNet
from scorematching.nets.unet import _Attention
from scorematching.random import forked, normal, seeded

F64 = torch.float64


def stirred(*arguments: object, dropout: float = 0.0, n_classes: int = 0) -> UNet:
    """A net in float64 whose weights are all away from zero."""
    with forked("stirred"):
        net = UNet(*arguments, dropout=dropout, n_classes=n_classes).double()  # type: ignore[arg-type]
    with torch.no_grad():
        for name, each in net.named_parameters():
            each.add_(0.05 * normal(tuple(each.shape), each, seeded("stirred", name)))
    return net.eval()


def inputs(*shape: int) -> tuple[Tensor, Tensor]:
    like = torch.zeros((), dtype=F64)
    return normal(shape, like, seeded("x")), normal(shape[:1], like, seeded("sigma"))


@pytest.mark.parametrize(
    ("size", "channels"),
    [
        ((1, 8, 8), (16, 24)),
        ((3, 8, 8), (16, 24)),
        ((1, 28, 28), (8, 8, 8)),
        ((3, 7, 9), (8, 16, 8)),  # no multiple of 4
        ((2, 3, 1), (8, 8, 8)),  # smaller than 4
        ((1, 6, 6), (8,)),
    ],
)
def test_the_output_has_the_size_of_the_input_and_is_zero_at_first(
    size: tuple[int, int, int], channels: tuple[int, ...]
) -> None:
    x, log_sigma = inputs(2, *size)
    with forked("zero"):
        fresh = UNet(2 * size[0], size[0], channels).double()
    both = torch.cat([x, x], 1)
    assert torch.equal(fresh(both, log_sigma), torch.zeros_like(x))
    out = stirred(2 * size[0], size[0], channels)(both, log_sigma)
    assert out.shape == x.shape
    assert out.is_contiguous()
    assert bool((out != 0).all())


def test_every_pixel_can_depend_on_every_other() -> None:
    """Attention in the middle; without it the corners of 28 × 28 are out of each other's reach."""
    net = stirred(1, 1, (8, 8, 8))
    x, log_sigma = inputs(1, 1, 28, 28)
    x.requires_grad_()
    (reach,) = torch.autograd.grad(net(x, log_sigma)[0, 0, 0, 0], x)
    assert bool((reach != 0).all())


def test_attention_is_the_softmax_average_over_positions() -> None:
    with forked("attention"):
        module = _Attention(8).double()
    with torch.no_grad():
        module.outlet.weight.copy_(torch.eye(8)[:, :, None, None])
    hidden = normal((2, 8, 2, 3), torch.zeros((), dtype=F64), seeded("hidden"))
    query, key, value = module.inlet(module.norm(hidden)).reshape(2, 3, 8, 6).unbind(1)
    expected = torch.nn.functional.scaled_dot_product_attention(query.mT, key.mT, value.mT).mT
    torch.testing.assert_close(module(hidden), hidden + expected.reshape(2, 8, 2, 3))


def test_both_modes_compute_the_same() -> None:
    """They lay memory out differently."""
    net = stirred(1, 1, (8, 16))
    x, log_sigma = inputs(3, 1, 8, 8)
    torch.testing.assert_close(net(x, log_sigma), net.train()(x, log_sigma))


def test_a_row_does_not_depend_on_the_others() -> None:
    net = stirred(1, 1, (8, 8))
    x, log_sigma = inputs(5, 1, 8, 8)
    torch.testing.assert_close(net(x, log_sigma)[1:3], net(x[1:3], log_sigma[1:3]))


def test_the_class_and_the_level_change_the_output() -> None:
    net = stirred(1, 1, (8, 8), n_classes=3)
    x, log_sigma = inputs(2, 1, 8, 8)
    zero, one = torch.zeros(2, dtype=torch.int64), torch.ones(2, dtype=torch.int64)
    assert not torch.allclose(net(x, log_sigma, zero), net(x, log_sigma, one))
    assert not torch.allclose(net(x, log_sigma, zero), net(x, log_sigma + 1, zero))
    with pytest.raises(InvalidInput, match="got no classes"):
        net(x, log_sigma)
    with pytest.raises(InvalidInput, match="got classes"):
        stirred(1, 1, (8, 8))(x, log_sigma, one)


def test_dropout_acts_in_training_only() -> None:
    net = stirred(1, 1, (8,), dropout=0.5)
    x, log_sigma = inputs(2, 1, 6, 6)
    assert torch.equal(net(x, log_sigma), net(x, log_sigma))
    net.train()
    with forked("dropout"):
        assert not torch.equal(net(x, log_sigma), net(x, log_sigma))


def test_first_and_second_derivatives_are_those_of_finite_differences() -> None:
    net = stirred(1, 1, (8, 8))
    x, log_sigma = inputs(1, 1, 2, 3)
    x.requires_grad_()
    for training in (False, True):
        net.train(training)
        assert torch.autograd.gradcheck(lambda v: net(v, log_sigma), x)
        assert torch.autograd.gradgradcheck(lambda v: net(v, log_sigma), x)


def test_forward_mode_and_reverse_mode_agree() -> None:
    net = stirred(2, 2, (8, 8), n_classes=2)
    x, log_sigma = inputs(2, 2, 7, 7)
    classes = torch.tensor([0, 1])
    u, v = (normal(tuple(x.shape), x, seeded(name)) for name in "uv")
    _, forward = torch.func.jvp(lambda y: net(y, log_sigma, classes), (x,), (u,))
    _, pull = torch.func.vjp(lambda y: net(y, log_sigma, classes), x)
    torch.testing.assert_close((v * forward).sum(), (pull(v)[0] * u).sum())


@pytest.mark.parametrize("channels", [(), (12,), (0,), (8, 4)])
def test_channels_that_cannot_be_normalised_in_groups_are_refused(
    channels: tuple[int, ...],
) -> None:
    with pytest.raises(InvalidInput, match="multiples of 8"):
        UNet(1, 1, channels)
