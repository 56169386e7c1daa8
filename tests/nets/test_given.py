"""What rows are given: told nothing by chance, and what a denoiser is then."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from scorematching.nets import Conditioned, absent, dropped
from scorematching.nets.given import known
from scorematching.random import normal, seeded

N = 4000


def given() -> tuple[Tensor, Tensor]:
    classes = torch.arange(N) % 7
    return classes, normal((N, 3), torch.zeros(()).double(), seeded("given"))


def test_rows_that_are_told_nothing_have_no_class_and_no_numbers() -> None:
    classes, condition = absent(given())
    assert classes.tolist() == [-1] * N
    assert condition.shape == (N, 3)
    assert bool(condition.isnan().all())
    assert not bool(known(classes).any() or known(condition).any())
    assert bool(known(given()[0]).all() and known(given()[1]).all())


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_so_many_rows_are_told_nothing_and_the_others_all(
    probability: float, generator: torch.Generator
) -> None:
    """The share within 4 standard errors; classes and condition are dropped together."""
    before = given()
    classes, condition = dropped(before, probability, generator)
    told = known(classes)
    assert torch.equal(told, known(condition))
    assert torch.equal(classes[told], before[0][told])
    assert torch.equal(condition[told], before[1][told])
    share = 1 - told.double().mean().item()
    assert abs(share - probability) < 4 * math.sqrt(probability * (1 - probability) / N)


def test_nothing_is_drawn_where_nothing_can_be_dropped() -> None:
    for rows, probability in ((given(), 0.0), ((), 0.5)):
        generator = seeded("untouched")
        assert dropped(rows, probability, generator) is rows
        assert torch.equal(generator.get_state(), seeded("untouched").get_state())


def test_a_denoiser_is_called_with_what_rows_are_given() -> None:
    class Sum(nn.Module):
        def forward(self, x: Tensor, sigma: Tensor, *more: Tensor) -> Tensor:
            return x + sigma + sum(each.reshape(len(x), -1).sum(1) for each in more)

    classes, condition = given()
    x = torch.zeros(N).double()
    out = Conditioned(Sum(), (classes, condition))(x, torch.ones(N).double())
    torch.testing.assert_close(out, 1 + classes + condition.sum(1))
    assert torch.equal(Conditioned(Sum(), ())(x, x), x)
