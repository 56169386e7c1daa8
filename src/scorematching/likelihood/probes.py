"""Randomised traces whose probes never change, so that a row's log-density is its own."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.hutchinson import Hutchinson, HutchPlusPlus, Probes, Rademacher, check_count
from scorematching.random import seeded
from scorematching.typing import Score


@dataclass(frozen=True)
class _Shared:
    """One draw of the law for all rows, in float64 whatever the dtype of x."""

    law: Probes

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return self.law(x[:1].double(), generator).to(x).expand_as(x)


@dataclass(frozen=True)
class FixedProbes:
    """The trace of ∂s/∂x as the mean of vᵀ (∂s/∂x) v over n_probes directions fixed by a seed.

    The same directions serve every row and every time. So the log-density of a row is a function
    of the row and the seed, not of its neighbours in the batch, and it is smooth along the flow;
    over seeds it is unbiased (W. Grathwohl et al., "FFJORD", ICLR 2019).

    Parameters
    ----------
    n_probes
        Directions, each one backward pass; the variance falls as 1/n_probes.
    probes
        The law of v, with E[v vᵀ] = I.
    seed
        What the directions are drawn from.

    Raises
    ------
    InvalidInput
        n_probes is not a positive integer.
    """

    n_probes: int = 1
    probes: Probes = field(default_factory=Rademacher)
    seed: int = 0

    def __post_init__(self) -> None:
        check_count(self.n_probes, "n_probes")

    def __call__(self, score: Score, x: Tensor) -> tuple[Tensor, Tensor]:
        value, forms = self.quadratic_forms(score, x)
        return value, forms.mean(0)

    def quadratic_forms(self, score: Score, x: Tensor) -> tuple[Tensor, Tensor]:
        """The score, and vᵀ (∂s/∂x) v for each probe and row, ``(n_probes, n)``."""
        generator = seeded("fixed probes", self.seed)
        drawn = Hutchinson(self.n_probes, _Shared(self.probes), generator)
        return drawn.quadratic_forms(score, x)


def check_fixed(trace: object) -> None:
    """Raise `InvalidInput` for a trace that draws afresh at every call."""
    if isinstance(trace, Hutchinson | HutchPlusPlus):
        raise InvalidInput(
            "the trace draws new probes at every call, so a row's log-density would depend on its "
            f"neighbours: got {trace}. Pass trace=FixedProbes(n_probes={trace.n_probes}, seed=0)."
        )
