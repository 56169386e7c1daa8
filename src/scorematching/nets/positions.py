"""What a network over positions needs, whether those lie on a line or in a plane.

Tensors are ``(n, channels, *positions)`` with one axis of positions for signals, two for images.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput

Convolution = nn.Conv1d | nn.Conv2d
CONVOLUTIONS: dict[int, type[nn.Conv1d] | type[nn.Conv2d]] = {1: nn.Conv1d, 2: nn.Conv2d}


def convolution(rank: int) -> type[nn.Conv1d] | type[nn.Conv2d]:
    """The convolution over so many axes of positions.

    Raises
    ------
    InvalidInput
        There are neither one nor two.
    """
    if rank not in CONVOLUTIONS:
        raise InvalidInput(
            f"a U-Net works on signals of one axis or images of two: got rank {rank!r}."
        )
    return CONVOLUTIONS[rank]


def shuffle(x: Tensor, factor: int) -> Tensor:
    """``(n, c · factor^rank, *positions)`` → ``(n, c, *(factor · positions))``.

    Pixel shuffle (W. Shi et al., CVPR 2016): channels that follow each other become neighbours.
    """
    if x.ndim == 4:
        return nn.functional.pixel_shuffle(x, factor)
    n, channels, length = x.shape
    parts = x.reshape(n, channels // factor, factor, length)
    return parts.transpose(2, 3).reshape(n, channels // factor, factor * length)


def unshuffle(x: Tensor, factor: int) -> Tensor:
    """The inverse of `shuffle`."""
    if x.ndim == 4:
        return nn.functional.pixel_unshuffle(x, factor)
    n, channels, length = x.shape
    parts = x.reshape(n, channels, length // factor, factor)
    return parts.transpose(2, 3).reshape(n, channels * factor, length // factor)


class Shuffle(nn.Module):
    """`shuffle` as a layer."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return shuffle(x, self.factor)


def coordinates(x: Tensor) -> Tensor:
    """The position along each axis in [−1, 1], a channel each: ``(n, rank, *positions)``."""
    shape = x.shape[2:]
    axes = [torch.linspace(-1, 1, size, dtype=x.dtype, device=x.device) for size in shape]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    return grid.expand(len(x), len(shape), *shape)


def padded(x: Tensor, multiple: int) -> Tensor:
    """x with zeros after its last positions, so that every axis of them is a multiple."""
    widths = [width for size in reversed(x.shape[2:]) for width in (0, -size % multiple)]
    return nn.functional.pad(x, widths)


def cropped(x: Tensor, shape: torch.Size) -> Tensor:
    """The first positions of x, as many as in a shape ``(n, channels, *positions)``."""
    for axis, size in enumerate(shape[2:], start=2):
        x = x.narrow(axis, 0, size)
    return x
