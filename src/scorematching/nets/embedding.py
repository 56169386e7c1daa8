"""How a network is told the noise level, and the class where there is one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput


class Conditioning(nn.Module):
    """Fourier features of ln σ through two layers, plus an embedding of the class.

    Parameters
    ----------
    width
        Length of the embedding.
    n_frequencies
        Frequencies, geometric from 1/4 to 16 radians a unit of ln σ.
    n_classes
        Number of classes, 0 for none.
    """

    frequencies: Tensor

    def __init__(self, width: int, n_frequencies: int = 16, n_classes: int = 0) -> None:
        super().__init__()
        self.n_classes = n_classes
        exponents = torch.linspace(math.log(0.25), math.log(16.0), n_frequencies)
        self.register_buffer("frequencies", exponents.exp(), persistent=False)
        self.layers = nn.Sequential(
            nn.Linear(2 * n_frequencies + 1, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.classes = nn.Embedding(n_classes, width) if n_classes else None

    def forward(self, log_sigma: Tensor, classes: Tensor | None = None) -> Tensor:
        """ln σ ``(n,)`` and classes ``(n,)`` or None → ``(n, width)``."""
        angles = log_sigma[:, None] * self.frequencies
        features = torch.cat([log_sigma[:, None] / 2, angles.sin(), angles.cos()], 1)
        embedding: Tensor = self.layers(features)
        if (classes is None) != (self.classes is None):
            raise InvalidInput(
                f"the network was built for {self.n_classes} classes: got "
                f"{'no classes' if classes is None else 'classes'}. "
                "Pass one class a row exactly where it was fitted with labels."
            )
        if self.classes is not None:
            embedding = embedding + self.classes(classes)
        return nn.functional.silu(embedding)
