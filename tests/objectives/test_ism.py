"""Implicit score matching by hand; more in docs/contract.md."""

from __future__ import annotations

import torch

from scorematching.calculus import from_energy
from scorematching.hutchinson import Hutchinson
from scorematching.objectives import ism
from scorematching.random import seeded


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
