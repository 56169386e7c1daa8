"""Classifier-free guidance: the conditional score, pushed away from the unconditional one.

J. Ho & T. Salimans, "Classifier-free diffusion guidance" (2022).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.shapes import check_like
from scorematching.typing import NoisyScore


@dataclass(frozen=True)
class Guided:
    """s_w(x, t) = s(x, t) + w (s(x, t | c) − s(x, t)).

    Being linear it holds for denoisers D(x, σ) as well, and for noise and velocity: pass two of one
    kind. w = 1 is the conditional one and w = 0 the unconditional one; then only that is called.
    For w > 1 the product p p(c | x)^w is sharpened at each level, and the samples with it: what
    they follow is no longer the law of the data given c. (Ho & Salimans write 1 + w for w.)

    Parameters
    ----------
    conditional, unconditional
        s(x, t | c) and s(x, t), or D(x, σ | c) and D(x, σ).
    scale
        w, a number.

    Raises
    ------
    InvalidInput
        The scale is not finite.
    """

    conditional: NoisyScore
    unconditional: NoisyScore
    scale: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.scale):
            raise InvalidInput(f"the guidance scale must be finite: got {self.scale!r}.")

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        if self.scale == 1:
            return self.conditional(x, t)
        plain = check_like(self.unconditional(x, t), x, "the unconditional score")
        if self.scale == 0:
            return plain
        given = check_like(self.conditional(x, t), x, "the conditional score")
        return plain + self.scale * (given - plain)
