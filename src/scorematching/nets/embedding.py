"""How a network is told the noise level, and the class or condition where there is one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput
from scorematching.nets.given import known


class Conditioning(nn.Module):
    """Fourier features of ln σ through two layers, plus embeddings of the class and the condition.

    Parameters
    ----------
    width
        Length of the embedding.
    n_frequencies
        Frequencies, geometric from 1/4 to 16 radians a unit of ln σ.
    n_classes
        Number of classes, 0 for none.
    n_conditions
        Numbers k of a condition, 0 for none. They go through two layers of their own.
    droppable
        Whether rows may be told nothing, see `nets.given`: no class then has an embedding as the
        classes have, and a condition is followed by a one, no condition being all zeros.
    """

    frequencies: Tensor

    def __init__(
        self,
        width: int,
        n_frequencies: int = 16,
        n_classes: int = 0,
        n_conditions: int = 0,
        *,
        droppable: bool = False,
    ) -> None:
        super().__init__()
        self.n_classes, self.n_conditions, self.droppable = n_classes, n_conditions, droppable
        exponents = torch.linspace(math.log(0.25), math.log(16.0), n_frequencies)
        self.register_buffer("frequencies", exponents.exp(), persistent=False)
        self.layers = nn.Sequential(
            nn.Linear(2 * n_frequencies + 1, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.classes = nn.Embedding(n_classes + droppable, width) if n_classes else None
        self.condition = (
            nn.Sequential(
                nn.Linear(n_conditions + droppable, width), nn.SiLU(), nn.Linear(width, width)
            )
            if n_conditions
            else None
        )

    def forward(self, log_sigma: Tensor, *given: Tensor) -> Tensor:
        """ln σ ``(n,)``, classes ``(n,)`` and condition ``(n, k)`` where expected → ``(n, width)``.

        Raises
        ------
        InvalidInput
            The classes or the condition are missing, were not expected, or have another shape.
        """
        angles = log_sigma[:, None] * self.frequencies
        features = torch.cat([log_sigma[:, None] / 2, angles.sin(), angles.cos()], 1)
        embedding: Tensor = self.layers(features)
        self._check(len(log_sigma), given)
        if self.classes is not None:
            classes = given[0]
            if self.droppable:
                classes = torch.where(known(classes), classes, self.n_classes)
            embedding = embedding + self.classes(classes)
        if self.condition is not None:
            embedding = embedding + self.condition(self._told(given[-1]))
        return nn.functional.silu(embedding)

    def _told(self, condition: Tensor) -> Tensor:
        """The condition and a one, or zeros where there is none, ``(n, k + 1)`` if droppable."""
        if not self.droppable:
            return condition
        told = known(condition)[:, None]
        numbers = torch.where(told, condition, torch.zeros_like(condition))
        return torch.cat([numbers, told.to(condition)], 1)

    def _check(self, n: int, given: tuple[Tensor, ...]) -> None:
        classes = [False] if self.n_classes else []
        expected = [*classes, *([True] if self.n_conditions else [])]
        shapes = [(n,) if not numbers else (n, self.n_conditions) for numbers in expected]
        if [each.is_floating_point() for each in given] != expected or [
            tuple(each.shape) for each in given
        ] != shapes:
            got = ", ".join(f"{each.dtype} of shape {tuple(each.shape)}" for each in given)
            raise InvalidInput(
                f"the network was built for {self.n_classes} classes and {self.n_conditions} "
                f"conditions: got {got or 'none of either'}. Pass one class a row exactly where it "
                "was fitted with labels, and one row of numbers where with a condition."
            )
