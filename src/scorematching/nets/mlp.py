"""The residual network for rows of a table."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scorematching.nets.embedding import Conditioning


class ResidualMLP(nn.Module):
    """Pre-LayerNorm residual blocks over x and asinh(3x), modulated by the noise level and what
    else is given.

    asinh lets heavy tails in without letting them dominate. The output layer starts at zero.

    Parameters
    ----------
    d
        Columns of a row.
    width, n_blocks
        Size of the network.
    dropout
        Probability in each block.
    n_classes, n_conditions, droppable
        What a row is given besides the noise level; see `Conditioning`.
    """

    def __init__(
        self,
        d: int,
        width: int = 192,
        n_blocks: int = 3,
        dropout: float = 0.1,
        n_classes: int = 0,
        n_conditions: int = 0,
        *,
        droppable: bool = False,
    ) -> None:
        super().__init__()
        self.conditioning = Conditioning(
            128, n_classes=n_classes, n_conditions=n_conditions, droppable=droppable
        )
        self.inlet = nn.Linear(2 * d, width)
        self.blocks = nn.ModuleList(_Block(width, 128, dropout) for _ in range(n_blocks))
        self.norm = nn.LayerNorm(width)
        self.outlet = nn.Linear(width, d)
        nn.init.zeros_(self.outlet.weight)
        nn.init.zeros_(self.outlet.bias)

    def forward(self, x: Tensor, log_sigma: Tensor, *given: Tensor) -> Tensor:
        """x ``(n, d)`` or ``(n,)`` for d = 1, ln σ ``(n,)``, what else is given → like x."""
        rows = x.reshape(len(x), -1)
        embedding = self.conditioning(log_sigma, *given)
        hidden = self.inlet(torch.cat([rows, torch.asinh(3 * rows)], 1))
        for block in self.blocks:
            hidden = block(hidden, embedding)
        output: Tensor = self.outlet(nn.functional.silu(self.norm(hidden)))
        return output.reshape(x.shape)


class _Block(nn.Module):
    """h + W₂ dropout(silu(W₁ LN(h) (1 + a) + b)), a and b linear in the embedding."""

    def __init__(self, width: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, width)
        self.modulation = nn.Linear(embedding, 2 * width)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Linear(width, width)

    def forward(self, hidden: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.modulation(embedding).chunk(2, 1)
        inner = nn.functional.silu(self.first(self.norm(hidden)) * (1 + scale) + shift)
        output: Tensor = hidden + self.second(self.dropout(inner))
        return output
