"""What rows are conditioned on: further arguments of a network, one tensor ``(n, …)`` each.

They are classes ``(n,)``, whole numbers, and a condition ``(n, k)`` of k numbers; either or both,
in this order. A row that is told nothing has the class −1 and a condition of NaN: the network then
gives the unconditional denoiser. In training some rows are told nothing, so that one network
learns both (J. Ho & T. Salimans, "Classifier-free diffusion guidance", 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scorematching.random import uniform

Given = tuple[Tensor, ...]


def absent(given: Given) -> Given:
    """The same for rows that are told nothing: class −1, condition NaN."""
    return tuple(
        torch.full_like(each, torch.nan if each.is_floating_point() else -1) for each in given
    )


def known(given: Tensor) -> Tensor:
    """Which rows of classes ``(n,)`` or of a condition ``(n, k)`` are told something, ``(n,)``."""
    return ~given.isnan().any(1) if given.is_floating_point() else given >= 0


def dropped(given: Given, probability: float, generator: torch.Generator) -> Given:
    """Each row, with a probability, told nothing: classes and condition together.

    Without anything given, or at probability 0, nothing is drawn.
    """
    if not given or probability == 0:
        return given
    device = given[0].device
    u = uniform((len(given[0]),), torch.empty((), device=device), generator)
    kept = u >= probability
    return tuple(
        torch.where(kept.reshape(-1, *(1,) * (each.ndim - 1)), each, none)
        for each, none in zip(given, absent(given), strict=True)
    )


@dataclass(frozen=True)
class Conditioned:
    """A denoiser with what its rows are given filled in: (x, σ) ↦ D(x, σ, *given)."""

    denoiser: nn.Module
    given: Given

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        denoised: Tensor = self.denoiser(x, sigma, *self.given)
        return denoised
