"""Averaged weights against their closed form, a weighted sum over all steps."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from scorematching.errors import InvalidInput
from scorematching.random import normal, seeded
from scorematching.training.averaging import WarmedAverage, averaged_copy


def closed_form(weights: torch.Tensor, half_life: float) -> torch.Tensor:
    """Σ_k (1 − β_k) ∏_{j>k} β_j θ_k, with β_0 = 0 because the first weights are copied."""
    n = len(weights)
    decays = [0.0] + [min(0.5 ** (1 / half_life), (1 + k) / (10 + k)) for k in range(1, n)]
    shares = [(1 - decays[k]) * math.prod(decays[k + 1 :]) for k in range(n)]
    assert sum(shares) == pytest.approx(1.0, abs=1e-12)
    return (torch.tensor(shares, dtype=torch.float64)[:, None] * weights).sum(0)


@pytest.mark.parametrize("half_life", [0.5, 3.0, 200.0])
def test_averaged_weights_are_the_closed_form_sum(half_life: float) -> None:
    weights = normal((40, 5), torch.zeros((), dtype=torch.float64), seeded("weights"))
    module = nn.Linear(5, 1, bias=False, dtype=torch.float64)
    averaged = averaged_copy(module, half_life)
    for row in weights:
        module.weight.data.copy_(row[None])
        averaged.update_parameters(module)
    torch.testing.assert_close(
        averaged.module.weight[0], closed_form(weights, half_life), rtol=0, atol=1e-14
    )


def test_a_constant_is_its_own_average_and_the_start_is_forgotten() -> None:
    module = nn.Linear(2, 2)
    averaged = averaged_copy(module, 200.0)
    module.weight.data.fill_(3.0)
    averaged.update_parameters(module)
    assert torch.equal(averaged.module.weight, module.weight)


def test_decay_warms_up_to_the_half_life() -> None:
    average = WarmedAverage(200.0)
    assert average.decay(0) == 0.1
    assert average.decay(8) == 0.5
    assert average.decay(10**6) ** 200 == pytest.approx(0.5, rel=1e-12)


def test_buffers_are_copied_not_averaged() -> None:
    module = nn.BatchNorm1d(3)
    averaged = averaged_copy(module, 200.0)
    for value in (1.0, 5.0):
        module.running_mean.fill_(value)
        module.num_batches_tracked += 1
        averaged.update_parameters(module)
    assert averaged.module.running_mean.tolist() == [5.0] * 3
    assert averaged.module.num_batches_tracked == 2


def test_the_copy_stands_apart_and_asks_for_no_gradients() -> None:
    module = nn.Linear(2, 2)
    averaged = averaged_copy(module, 10.0)
    assert not averaged.training
    assert not any(each.requires_grad for each in averaged.parameters())
    assert all(each.requires_grad for each in module.parameters())
    assert averaged.module.weight.data_ptr() != module.weight.data_ptr()


@pytest.mark.parametrize("half_life", [0.0, -1.0, math.nan])
def test_a_half_life_that_is_not_positive_is_refused(half_life: float) -> None:
    with pytest.raises(InvalidInput, match="half-life"):
        WarmedAverage(half_life)
