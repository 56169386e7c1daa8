"""The classes of samples: those that are asked for, or drawn as often as in the data."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scorematching.data import Schema
from scorematching.forms import codes_of
from scorematching.random import RowNoise


def drawn_classes(frequencies: tuple[float, ...], n: int, seed: int) -> Tensor:
    """n classes drawn by their frequencies, ``(n,)``; class i depends on the seed and i alone."""
    edges = torch.tensor(frequencies, dtype=torch.float64).cumsum(0)
    u = RowNoise(0, n, (seed, "labels")).uniform(edges) * edges[-1]
    return torch.searchsorted(edges, u, right=True).clamp(max=len(edges) - 1)


def sample_classes(
    labels: Any, n: int, seed: int, schema: Schema, frequencies: tuple[float, ...] | None
) -> Tensor | None:
    """The classes of n samples ``(n,)``: as given, else drawn; None for a model without labels.

    Raises
    ------
    InvalidInput
        As `codes_of`.
    """
    if labels is not None:
        return torch.from_numpy(codes_of(labels, n, schema))
    return None if frequencies is None else drawn_classes(frequencies, n, seed)
