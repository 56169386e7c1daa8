"""Explicit score matching by hand; more in docs/contract.md."""

from __future__ import annotations

import pytest
import torch

from scorematching.errors import InvalidInput
from scorematching.objectives import esm


def test_the_loss_is_half_the_squared_distance_of_the_scores() -> None:
    x = torch.tensor([[1.0, 2.0], [0.0, -3.0]])
    rows = esm(lambda x: -x, x, lambda x: x)
    assert rows.tolist() == [10.0, 18.0]  # ½‖2x‖²


def test_a_true_score_of_another_shape_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="true_score must return"):
        esm(lambda x: x, torch.zeros(4, 2), lambda x: x[:, :1])
