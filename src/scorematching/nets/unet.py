"""A small U-Net for images of 8×8 to 64×64, and for signals.

O. Ronneberger, P. Fischer, T. Brox, "U-Net", MICCAI 2015, with the residual blocks and feature-wise
modulation of Dhariwal & Nichol, "Diffusion models beat GANs on image synthesis", NeurIPS 2021.
Every part has double-backward derivatives, and in evaluation mode forward-mode ones.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput
from scorematching.hutchinson import check_count
from scorematching.nets.embedding import Conditioning
from scorematching.nets.positions import (
    Convolution,
    Shuffle,
    convolution,
    coordinates,
    cropped,
    padded,
    shuffle,
    unshuffle,
)

_EMBEDDING = 128


class UNet(nn.Module):
    """One residual block a resolution down and up, two in the middle with attention between.

    Every axis of positions is padded with zeros to a multiple of patch · 2^(resolutions − 1) and
    cropped again. A map of the coordinate along each joins the input. The output layer and each
    block's second convolution start at zero.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the input and of the output.
    channels
        Channels at each resolution, from the finest; multiples of 8.
    dropout
        Probability in each block.
    n_classes, n_conditions, droppable
        What a row is given besides the noise level; see `Conditioning`.
    patch
        Pixels along a side that the finest resolution takes as one position, their values as
        channels of their own: 2 makes the network about four times cheaper on images.
    rank
        Axes of positions: 2 for images ``(n, channels, h, w)``, 1 for signals
        ``(n, channels, length)``.
    attention
        Whether each position of the coarsest resolution sees all others there.

    Raises
    ------
    InvalidInput
        A number of channels is no multiple of 8, patch is no positive integer, or rank is neither
        1 nor 2.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: tuple[int, ...] = (32, 64),
        dropout: float = 0.1,
        n_classes: int = 0,
        patch: int = 1,
        *,
        rank: int = 2,
        attention: bool = True,
        n_conditions: int = 0,
        droppable: bool = False,
    ) -> None:
        super().__init__()
        conv = convolution(rank)
        check_count(patch, "patch")
        if not channels or any(c < 8 or c % 8 for c in channels):
            raise InvalidInput(f"channels must be positive multiples of 8: got {channels}.")
        self.patch = patch
        self.multiple = patch * 2 ** (len(channels) - 1)
        self.conditioning = Conditioning(
            _EMBEDDING, n_classes=n_classes, n_conditions=n_conditions, droppable=droppable
        )
        values = patch**rank
        self.inlet = conv((in_channels + rank) * values, channels[0], 3, padding=1)
        resolutions = list(pairwise(channels))
        self.down = nn.ModuleList(_Down(rank, *pair, dropout) for pair in resolutions)
        self.up = nn.ModuleList(_Up(rank, *pair, dropout) for pair in reversed(resolutions))
        self.middle_in = _Block(rank, channels[-1], channels[-1], dropout)
        self.attention = _Attention(rank, channels[-1]) if attention else nn.Identity()
        self.middle_out = _Block(rank, channels[-1], channels[-1], dropout)
        self.norm = nn.GroupNorm(8, channels[0])
        self.outlet = _zero(conv(channels[0], out_channels * values, 3, padding=1))

    def forward(self, x: Tensor, log_sigma: Tensor, *given: Tensor) -> Tensor:
        """x ``(n, in_channels, *positions)``, ln σ ``(n,)``, what else is given → like x.

        It has out_channels.
        """
        shape = x.shape
        x = padded(torch.cat([x, coordinates(x)], 1), self.multiple)
        x = unshuffle(x, self.patch)
        embedding = self.conditioning(log_sigma, *given)
        # A sixth faster; the forward-mode derivative of GroupNorm does not take that format.
        last = self.training and x.ndim == 4
        layout = torch.channels_last if last else torch.contiguous_format
        hidden = self.inlet(x.contiguous(memory_format=layout))
        skips = []
        for down in self.down:
            skip, hidden = down(hidden, embedding)
            skips.append(skip)
        hidden = self.middle_in(hidden, embedding)
        hidden = self.middle_out(self.attention(hidden), embedding)
        for up in self.up:
            hidden = up(hidden, skips.pop(), embedding)
        output: Tensor = self.outlet(nn.functional.silu(self.norm(hidden)))
        return cropped(shuffle(output, self.patch), shape).contiguous()


class _Down(nn.Module):
    """A block at the finer resolution, kept for the way up, and a strided convolution."""

    def __init__(self, rank: int, fine: int, coarse: int, dropout: float) -> None:
        super().__init__()
        self.block = _Block(rank, fine, fine, dropout)
        self.shrink = convolution(rank)(fine, coarse, 3, stride=2, padding=1)

    def forward(self, hidden: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        skip = self.block(hidden, embedding)
        return skip, self.shrink(skip)


class _Up(nn.Module):
    """A pixel shuffle to the finer resolution, and a block over it and what was kept there."""

    def __init__(self, rank: int, fine: int, coarse: int, dropout: float) -> None:
        super().__init__()
        self.grow = nn.Sequential(convolution(rank)(coarse, 2**rank * fine, 1), Shuffle(2))
        self.block = _Block(rank, 2 * fine, fine, dropout)

    def forward(self, hidden: Tensor, skip: Tensor, embedding: Tensor) -> Tensor:
        output: Tensor = self.block(torch.cat([self.grow(hidden), skip], 1), embedding)
        return output


class _Block(nn.Module):
    """skip(h) + conv(dropout(silu(norm(conv(silu(norm h))) (1 + a) + b)))."""

    def __init__(self, rank: int, before: int, after: int, dropout: float) -> None:
        super().__init__()
        conv = convolution(rank)
        self.first_norm = nn.GroupNorm(8, before)
        self.first = conv(before, after, 3, padding=1)
        self.modulation = nn.Linear(_EMBEDDING, 2 * after)
        self.second_norm = nn.GroupNorm(8, after)
        self.dropout = nn.Dropout(dropout)
        self.second = _zero(conv(after, after, 3, padding=1))
        self.skip = nn.Identity() if before == after else conv(before, after, 1)

    def forward(self, hidden: Tensor, embedding: Tensor) -> Tensor:
        modulation = self.modulation(embedding)
        ones = (1,) * (hidden.ndim - 2)
        scale, shift = modulation.reshape(*modulation.shape, *ones).chunk(2, 1)
        inner = self.first(nn.functional.silu(self.first_norm(hidden)))
        inner = nn.functional.silu(self.second_norm(inner) * (1 + scale) + shift)
        output: Tensor = self.skip(hidden) + self.second(self.dropout(inner))
        return output


class _Attention(nn.Module):
    """Single-head self-attention over positions, in plain matrix products.

    The fused kernels have no double backward on the CPU.
    """

    def __init__(self, rank: int, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.inlet = convolution(rank)(channels, 3 * channels, 1)
        self.outlet = _zero(convolution(rank)(channels, channels, 1))

    def forward(self, hidden: Tensor) -> Tensor:
        query, key, value = self.inlet(self.norm(hidden)).flatten(2).chunk(3, 1)
        weights = torch.softmax(query.mT @ key / math.sqrt(query.shape[1]), 2)
        mixed = (value @ weights.mT).reshape(hidden.shape)
        output: Tensor = hidden + self.outlet(mixed)
        return output


def _zero(layer: Convolution) -> Convolution:
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
