"""The image network: every size and number of channels, and derivatives of every kind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput
from scorematching.nets import UNet
from scorematching.nets.unet import _Attention
from scorematching.random import forked, normal, seeded

F64 = torch.float64


def stirred(*arguments: Any, **options: Any) -> UNet:
    """A net in float64 whose weights are all away from zero."""
    with forked("stirred"):
        net = UNet(*arguments, **{"dropout": 0.0, **options}).double()
    with torch.no_grad():
        for name, each in net.named_parameters():
            each.add_(0.05 * normal(tuple(each.shape), each, seeded("stirred", name)))
    return net.eval()


def inputs(*shape: int) -> tuple[Tensor, Tensor]:
    like = torch.zeros((), dtype=F64)
    return normal(shape, like, seeded("x")), normal(shape[:1], like, seeded("sigma"))


@pytest.mark.parametrize(
    ("size", "channels", "patch"),
    [
        ((1, 8, 8), (16, 24), 1),
        ((3, 8, 8), (16, 24), 1),
        ((1, 28, 28), (8, 8, 8), 1),
        ((3, 7, 9), (8, 16, 8), 1),  # no multiple of 4
        ((2, 3, 1), (8, 8, 8), 1),  # smaller than 4
        ((1, 6, 6), (8,), 1),
        ((1, 28, 28), (8, 8), 2),
        ((3, 7, 10), (8, 8), 3),  # no multiple of 6
        ((2, 1, 2), (8,), 4),
    ],
)
def test_the_output_has_the_size_of_the_input_and_is_zero_at_first(
    size: tuple[int, int, int], channels: tuple[int, ...], patch: int
) -> None:
    x, log_sigma = inputs(2, *size)
    with forked("zero"):
        fresh = UNet(2 * size[0], size[0], channels, patch=patch).double()
    both = torch.cat([x, x], 1)
    assert torch.equal(fresh(both, log_sigma), torch.zeros_like(x))
    out = stirred(2 * size[0], size[0], channels, patch=patch)(both, log_sigma)
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


def test_a_patch_s_pixels_come_back_to_where_they_were() -> None:
    """Weights that only pass the first image on, through the middle pixel of each kernel."""
    net = stirred(1, 1, (8, 8), patch=2)
    for each in net.parameters():
        each.data.zero_()
    middle = (slice(None), slice(None), 1, 1)
    net.inlet.weight.data[middle][:4, :4] = torch.eye(4)
    net.up[0].block.skip.weight.data[:, 8:, 0, 0] = torch.eye(8)
    net.norm.weight.data.fill_(1.0)
    net.outlet.weight.data[middle][:, :4] = torch.eye(4)
    x, log_sigma = inputs(1, 1, 4, 8)
    # GroupNorm by eights has one channel a group here: each of the four images is standardised.
    four = x.reshape(2, 2, 4, 2).permute(1, 3, 0, 2).reshape(4, 8)
    out = net(x, log_sigma).reshape(2, 2, 4, 2).permute(1, 3, 0, 2).reshape(4, 8)
    spread = (four.var(1, correction=0, keepdim=True) + net.norm.eps).sqrt()
    expected = torch.nn.functional.silu((four - four.mean(1, keepdim=True)) / spread)
    torch.testing.assert_close(out, expected)


def test_attention_is_the_softmax_average_over_positions() -> None:
    with forked("attention"):
        module = _Attention(2, 8).double()
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
    with pytest.raises(InvalidInput, match="got none of either"):
        net(x, log_sigma)
    with pytest.raises(InvalidInput, match="0 conditions: got"):
        stirred(1, 1, (8, 8))(x, log_sigma, one)


def test_dropout_acts_in_training_only() -> None:
    net = stirred(1, 1, (8,), dropout=0.5)
    x, log_sigma = inputs(2, 1, 6, 6)
    assert torch.equal(net(x, log_sigma), net(x, log_sigma))
    net.train()
    with forked("dropout"):
        assert not torch.equal(net(x, log_sigma), net(x, log_sigma))


def test_first_and_second_derivatives_are_those_of_finite_differences() -> None:
    x, log_sigma = inputs(1, 1, 2, 3)
    x.requires_grad_()
    for net in (stirred(1, 1, (8, 8)), stirred(1, 1, (8,), patch=2)):
        for training in (False, True):
            net.train(training)
            assert torch.autograd.gradcheck(lambda v, net=net: net(v, log_sigma), x)
            assert torch.autograd.gradgradcheck(lambda v, net=net: net(v, log_sigma), x)


@pytest.mark.parametrize("patch", [1, 2])
def test_forward_mode_and_reverse_mode_agree(patch: int) -> None:
    net = stirred(2, 2, (8, 8), n_classes=2, patch=patch)
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


def test_a_patch_of_no_pixels_is_refused() -> None:
    with pytest.raises(InvalidInput, match="patch must be an integer of at least 1: got 0"):
        UNet(1, 1, (8,), patch=0)


@pytest.mark.parametrize(
    ("size", "channels", "patch"),
    [((1, 16), (8, 16), 1), ((3, 21), (8, 8, 8), 1), ((2, 3), (8, 8, 8), 1), ((1, 30), (8, 8), 4)],
)
def test_signals_keep_their_size_and_begin_at_zero(
    size: tuple[int, int], channels: tuple[int, ...], patch: int
) -> None:
    x, log_sigma = inputs(2, *size)
    both = torch.cat([x, x], 1)
    with forked("zero"):
        fresh = UNet(2 * size[0], size[0], channels, patch=patch, rank=1).double()
    assert torch.equal(fresh(both, log_sigma), torch.zeros_like(x))
    net = stirred(2 * size[0], size[0], channels, patch=patch, rank=1)
    out = net(both, log_sigma)
    assert out.shape == x.shape
    assert bool((out != 0).all())
    torch.testing.assert_close(net.train()(both, log_sigma), out)


def test_a_signal_is_an_image_of_one_row_but_for_the_row_it_is_in() -> None:
    """With the middle row of every kernel, an image of height 1 and one resolution is a signal.

    The map of the rows, which a signal has not, is given no weight.
    """
    line, plane = stirred(2, 2, (8,), rank=1), stirred(2, 2, (8,), rank=2)
    state = {}
    for name, each in plane.state_dict().items():
        ours = line.state_dict()[name]
        if each.ndim == ours.ndim:
            state[name] = ours
            continue
        state[name] = torch.zeros_like(each)
        width = each.shape[2] // 2
        if name == "inlet.weight":  # values, the row, the column
            state[name][:, :2, width], state[name][:, 3:, width] = ours[:, :2], ours[:, 2:]
        else:
            state[name][:, :, width] = ours
    plane.load_state_dict(state)
    x, log_sigma = inputs(2, 2, 12)
    torch.testing.assert_close(plane(x[:, :, None], log_sigma)[:, :, 0], line(x, log_sigma))


@pytest.mark.parametrize("attention", [True, False])
def test_derivatives_of_signals_are_those_of_finite_differences(attention: bool) -> None:
    net = stirred(1, 1, (8, 8), rank=1, attention=attention)
    x, log_sigma = inputs(1, 1, 5)
    x.requires_grad_()
    for training in (False, True):
        net.train(training)
        assert torch.autograd.gradcheck(lambda v: net(v, log_sigma), x)
        assert torch.autograd.gradgradcheck(lambda v: net(v, log_sigma), x)


@pytest.mark.parametrize("shape", [(2, 2, 9), (2, 2, 5, 6)])
def test_forward_mode_agrees_with_all_that_can_be_given(shape: tuple[int, ...]) -> None:
    """Classes, conditions and rows that are told nothing, on the line and in the plane."""
    net = stirred(2, 2, (8, 8), rank=len(shape) - 2, n_classes=2, n_conditions=3, droppable=True)
    x, log_sigma = inputs(*shape)
    condition = torch.tensor([[0.5, -1.0, 2.0], [torch.nan] * 3], dtype=F64)
    given = (torch.tensor([1, -1]), condition)
    u, v = (normal(tuple(x.shape), x, seeded(name)) for name in "uv")
    _, forward = torch.func.jvp(lambda y: net(y, log_sigma, *given), (x,), (u,))
    _, pull = torch.func.vjp(lambda y: net(y, log_sigma, *given), x)
    torch.testing.assert_close((v * forward).sum(), (pull(v)[0] * u).sum())
    told = net(x, log_sigma, given[0], condition.nan_to_num(0.0))
    assert torch.equal(net(x, log_sigma, *given)[0], told[0])
    assert not torch.allclose(net(x, log_sigma, *given)[1], told[1])


def test_without_attention_the_rest_is_the_same() -> None:
    """As with attention whose output layer has no weight; and that weight makes a difference."""
    x, log_sigma = inputs(2, 1, 16)
    with_it, without = (stirred(1, 1, (8, 8), rank=1, attention=each) for each in (True, False))
    before = with_it(x, log_sigma)
    for each in with_it.attention.outlet.parameters():
        nn.init.zeros_(each)
    kept = {k: v for k, v in with_it.state_dict().items() if not k.startswith("attention")}
    without.load_state_dict(kept)
    torch.testing.assert_close(without(x, log_sigma), with_it(x, log_sigma))
    assert not torch.allclose(before, with_it(x, log_sigma))


def test_names_of_weights_are_those_that_models_were_saved_with() -> None:
    """Of images, with one resolution and two; a signal's are the same."""
    names = set(UNet(1, 1, (8, 8)).state_dict())
    for part in ("inlet", "down.0.shrink", "up.0.grow.0", "attention.inlet", "outlet"):
        assert {f"{part}.weight", f"{part}.bias"} <= names
    assert "middle_in.first_norm.weight" in names
    assert "down.0.block.modulation.weight" in names
    assert set(UNet(1, 1, (8, 8), rank=1).state_dict()) == names
    assert len(names) == 62


def test_positions_on_one_axis_or_two_and_no_other() -> None:
    for rank in (0, 3):
        with pytest.raises(InvalidInput, match="signals of one axis or images of two"):
            UNet(1, 1, (8,), rank=rank)
