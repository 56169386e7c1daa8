"""A noisy score from a network that is not told the noise level (NCSNv2's technique 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.noise.process import Process
from scorematching.shapes import check_like, per_row
from scorematching.typing import Score


@dataclass(frozen=True)
class UnconditionalScore:
    """s(x, t) = f(x)/σ(t), for the norm of a score goes as 1/σ.

    Y. Song, S. Ermon, "Improved techniques for training score-based generative models" (NeurIPS
    2020), section 3.3.

    Parameters
    ----------
    network
        f: x ``(n, *event)`` → like x.
    process
        What the noise does, a `Ladder`, say.
    """

    network: Score
    process: Process

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        t = torch.as_tensor(t, dtype=x.dtype, device=x.device)
        value = check_like(self.network(x), x, "the network")
        return value / per_row(self.process.sigma(t), x)
