"""A small U-Net for images of 8×8 to 64×64.

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

_EMBEDDING = 128


class UNet(nn.Module):
    """One residual block a resolution down and up, two in the middle with attention between.

    Height and width are padded with zeros to a multiple of patch · 2^(resolutions − 1) and cropped
    again.
    Two coordinate maps join the input. The output layer and each block's second convolution start
    at zero.

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
        channels of their own: 2 makes the network about four times cheaper.

    Raises
    ------
    InvalidInput
        A number of channels is no multiple of 8, or patch is no positive integer.
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
        n_conditions: int = 0,
        droppable: bool = False,
    ) -> None:
        super().__init__()
        check_count(patch, "patch")
        if not channels or any(c < 8 or c % 8 for c in channels):
            raise InvalidInput(f"channels must be positive multiples of 8: got {channels}.")
        self.patch = patch
        self.multiple = patch * 2 ** (len(channels) - 1)
        self.conditioning = Conditioning(
            _EMBEDDING, n_classes=n_classes, n_conditions=n_conditions, droppable=droppable
        )
        self.inlet = nn.Conv2d((in_channels + 2) * patch**2, channels[0], 3, padding=1)
        resolutions = list(pairwise(channels))
        self.down = nn.ModuleList(_Down(*pair, dropout) for pair in resolutions)
        self.up = nn.ModuleList(_Up(*pair, dropout) for pair in reversed(resolutions))
        self.middle_in = _Block(channels[-1], channels[-1], dropout)
        self.attention = _Attention(channels[-1])
        self.middle_out = _Block(channels[-1], channels[-1], dropout)
        self.norm = nn.GroupNorm(8, channels[0])
        self.outlet = _zero(nn.Conv2d(channels[0], out_channels * patch**2, 3, padding=1))

    def forward(self, x: Tensor, log_sigma: Tensor, *given: Tensor) -> Tensor:
        """x ``(n, in_channels, h, w)``, ln σ ``(n,)``, what else is given → out_channels of it."""
        height, width = x.shape[-2:]
        x = torch.cat([x, _coordinates(x)], 1)
        x = nn.functional.pad(x, (0, -width % self.multiple, 0, -height % self.multiple))
        x = nn.functional.pixel_unshuffle(x, self.patch)
        embedding = self.conditioning(log_sigma, *given)
        # A sixth faster; the forward-mode derivative of GroupNorm does not take that format.
        layout = torch.channels_last if self.training else torch.contiguous_format
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
        output = nn.functional.pixel_shuffle(output, self.patch)
        return output[..., :height, :width].contiguous()


class _Down(nn.Module):
    """A block at the finer resolution, kept for the way up, and a strided convolution."""

    def __init__(self, fine: int, coarse: int, dropout: float) -> None:
        super().__init__()
        self.block = _Block(fine, fine, dropout)
        self.shrink = nn.Conv2d(fine, coarse, 3, stride=2, padding=1)

    def forward(self, hidden: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        skip = self.block(hidden, embedding)
        return skip, self.shrink(skip)


class _Up(nn.Module):
    """A pixel shuffle to the finer resolution, and a block over it and what was kept there."""

    def __init__(self, fine: int, coarse: int, dropout: float) -> None:
        super().__init__()
        self.grow = nn.Sequential(nn.Conv2d(coarse, 4 * fine, 1), nn.PixelShuffle(2))
        self.block = _Block(2 * fine, fine, dropout)

    def forward(self, hidden: Tensor, skip: Tensor, embedding: Tensor) -> Tensor:
        output: Tensor = self.block(torch.cat([self.grow(hidden), skip], 1), embedding)
        return output


class _Block(nn.Module):
    """skip(h) + conv(dropout(silu(norm(conv(silu(norm h))) (1 + a) + b)))."""

    def __init__(self, before: int, after: int, dropout: float) -> None:
        super().__init__()
        self.first_norm = nn.GroupNorm(8, before)
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.modulation = nn.Linear(_EMBEDDING, 2 * after)
        self.second_norm = nn.GroupNorm(8, after)
        self.dropout = nn.Dropout(dropout)
        self.second = _zero(nn.Conv2d(after, after, 3, padding=1))
        self.skip = nn.Identity() if before == after else nn.Conv2d(before, after, 1)

    def forward(self, hidden: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, 1)
        inner = self.first(nn.functional.silu(self.first_norm(hidden)))
        inner = nn.functional.silu(self.second_norm(inner) * (1 + scale) + shift)
        output: Tensor = self.skip(hidden) + self.second(self.dropout(inner))
        return output


class _Attention(nn.Module):
    """Single-head self-attention over positions, in plain matrix products.

    The fused kernels have no double backward on the CPU.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.inlet = nn.Conv2d(channels, 3 * channels, 1)
        self.outlet = _zero(nn.Conv2d(channels, channels, 1))

    def forward(self, hidden: Tensor) -> Tensor:
        query, key, value = self.inlet(self.norm(hidden)).flatten(2).chunk(3, 1)
        weights = torch.softmax(query.mT @ key / math.sqrt(query.shape[1]), 2)
        mixed = (value @ weights.mT).reshape(hidden.shape)
        output: Tensor = hidden + self.outlet(mixed)
        return output


def _coordinates(x: Tensor) -> Tensor:
    """Row and column position in [−1, 1] as two channels, ``(n, 2, h, w)``."""
    n, _, height, width = x.shape
    rows = torch.linspace(-1, 1, height, dtype=x.dtype, device=x.device)
    columns = torch.linspace(-1, 1, width, dtype=x.dtype, device=x.device)
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
    return grid.expand(n, 2, height, width)


def _zero(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
