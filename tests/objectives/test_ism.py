"""Implicit score matching by hand; more in docs/contract.md."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from scorematching.calculus import Exact, from_energy
from scorematching.errors import InvalidInput
from scorematching.hutchinson import Hutchinson, HutchPlusPlus
from scorematching.objectives import ism
from scorematching.random import seeded
from scorematching.typing import Score, Trace


def test_the_loss_is_the_trace_plus_half_the_squared_score() -> None:
    x = torch.tensor([[1.0, 2.0], [0.0, -3.0]])
    rows = ism(lambda x: -2 * x, x)
    assert rows.tolist() == [-4 + 10.0, -4 + 18.0]


def test_an_energy_in_place_of_a_log_density_has_the_trace_of_the_other_sign() -> None:
    """φ = ½‖x‖²: ½‖∇φ‖² − Δφ = ½‖x‖² − d."""
    x = torch.tensor([[1.0, 2.0]])
    assert ism(from_energy(lambda x: (x**2).sum(1) / 2), x).tolist() == [0.5]


def test_a_diagonal_jacobian_needs_one_sign_vector() -> None:
    x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    exact = ism(lambda x: x**3, x)
    assert torch.equal(ism(lambda x: x**3, x, Hutchinson(1, generator=seeded(0))), exact)
    assert exact.item() == 3 + 12 + (1 + 64) / 2


def test_the_penalty_is_the_sum_of_the_squared_slopes() -> None:
    """s = −x³ at (1, 2): slopes −3 and −12, λ(9 + 144)."""
    x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    plain, penalised = ism(lambda x: -(x**3), x), ism(lambda x: -(x**3), x, regularisation=0.5)
    assert (penalised - plain).item() == 0.5 * 153
    trace = Hutchinson(2, generator=seeded(0))
    assert ism(lambda x: -(x**3), x, trace, regularisation=0.5).item() == penalised.item()


@dataclass(frozen=True)
class TraceAlone:
    """A trace that does not know the diagonal."""

    def __call__(self, score: Score, x: Tensor) -> tuple[Tensor, Tensor]:
        return Exact()(score, x)


@pytest.mark.parametrize(
    ("trace", "strength", "complaint"),
    [
        (None, -0.1, r"zero or positive, and finite: got -0\.1"),
        (None, math.inf, "got inf"),
        (None, math.nan, "got nan"),
        (TraceAlone(), 0.1, r"needs the diagonal of ∂s, which TraceAlone\(\) does not give"),
        (HutchPlusPlus(), 0.1, "needs the diagonal"),
        (Hutchinson(1), 0.1, "n_probes of at least 2: got 1"),
    ],
)
def test_a_penalty_that_cannot_be_had_is_refused(
    trace: Trace | None, strength: float, complaint: str
) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        ism(lambda x: -x, torch.ones(2, 2), trace, regularisation=strength)
    if trace is not None and not isinstance(trace, HutchPlusPlus):
        assert ism(lambda x: -x, torch.ones(2, 2), trace).tolist() == [-1, -1]
