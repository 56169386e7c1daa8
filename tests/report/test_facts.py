"""What a page is made from, against closed forms: an untrained model is a Gaussian."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from fits import gaussian_rows, quick, untrained
from report.subjects import EFFORT, facts, few
from scorematching.data import as_dataset
from scorematching.fitting import split_rows
from scorematching.report.effort import Effort, effort_for, flops_a_row
from scorematching.report.facts import (
    Losses,
    Subject,
    densities,
    few_held_out,
    gathered,
    gaussian_alone,
)


@cache
def untrained_subject() -> Subject:
    x = gaussian_rows(120, 2)
    data = as_dataset(x)
    model = untrained(x)
    return Subject("run", model, few(data, 90), as_dataset(x[90:]))


def test_an_untrained_model_gains_nothing_over_its_gaussian() -> None:
    found = gathered(untrained_subject(), EFFORT)
    ratio, error = found.losses_train.ratio()
    np.testing.assert_allclose(ratio, 1.0, atol=1e-6)
    np.testing.assert_allclose(error, 0.0, atol=1e-6)
    assert found.losses_held_out is not None
    assert found.losses_held_out.network.shape == (10, 30)
    assert found.held_out is not None
    # 24 steps of Runge–Kutta on rows of single precision.
    assert np.abs(found.held_out.gain).max() < 0.02
    assert found.samples.n == EFFORT.samples
    assert found.lost == 0
    assert {name: len(rows) for name, rows in found.spaces.items()} == {
        "train": 90,
        "samples": EFFORT.samples,
        "held_out": 30,
    }


def test_the_gaussian_of_a_model_is_that_of_the_rows_in_their_units() -> None:
    subject = untrained_subject()
    rows = few(subject.train, 5)
    x, data = torch.from_numpy(rows.values), gaussian_rows(120, 2)
    # The spread of the lowest noise level is added in whitened rows.
    covariance = torch.from_numpy(np.cov(data.T, ddof=0)) * (1 + 0.01**2)
    law = torch.distributions.MultivariateNormal(torch.from_numpy(data.mean(0)), covariance)
    found = densities(subject.model, rows)
    np.testing.assert_allclose(found.gaussian, law.log_prob(x).numpy(), atol=1e-3)
    assert len(found.checked.value) == 5
    assert found.checked.step_error is not None


def test_known_log_densities_are_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = untrained_subject()
    held_out = few_held_out(subject)
    assert held_out is not None
    scored = subject.model.flow_log_density(held_out)
    found = gathered(subject, EFFORT, scored=scored)
    assert found.held_out is not None
    assert found.held_out.model is scored
    assert found.train is not None
    assert len(found.train.gaussian) == EFFORT.scored


def test_losses_at_the_checks_of_the_log_are_those_of_the_page() -> None:
    """Same rows, same noise: the last check of a run without a better one is the page's loss."""
    records = []
    x = gaussian_rows(60, 2)
    model = quick(x, 3, {"training": {"validate_every": 3}}, on_record=records.append)
    train, held_out = split_rows(as_dataset(x), None, model.configuration, 0)
    found = gathered(Subject("run", model, train, held_out), EFFORT)
    assert found.losses_held_out is not None
    levels, losses = zip(*records[-1].level_losses, strict=True)
    assert levels == found.levels
    np.testing.assert_allclose(losses, found.losses_held_out.network.mean(1), rtol=1e-6)


def test_a_ratio_of_losses_has_the_standard_error_of_a_ratio() -> None:
    rng = np.random.default_rng(0)
    below = 1 + 0.2 * rng.standard_normal((1, 400))
    above = 0.7 * below + 0.1 * rng.standard_normal((1, 400))
    ratio, error = Losses(above, below).ratio()
    assert abs(ratio[0] - 0.7) < 4 * error[0]
    assert error[0] == pytest.approx(0.1 / 20, rel=0.2)  # what is common to both cancels
    assert math.isnan(Losses(above[:, :1], below[:, :1]).ratio()[1][0])


def test_the_gaussian_alone_is_the_base_whatever_the_network() -> None:
    denoiser = facts("table").subject.model.denoiser
    x = denoiser.base.mean + torch.linspace(-1, 1, 3)[:, None]
    alone = gaussian_alone(denoiser)(x, torch.tensor(0.7))
    torch.testing.assert_close(alone, denoiser.base(x, torch.tensor(0.7)))


class Plain(nn.Module):
    """One matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Linear(3, 3, bias=False)

    def forward(self, x: torch.Tensor, log_sigma: torch.Tensor) -> torch.Tensor:
        return self.matrix(x)  # type: ignore[no-any-return]


def test_the_work_of_a_row_is_counted_and_sets_how_much_is_drawn() -> None:
    model = quick(gaussian_rows(40, 3), 1, {"training": {"n_members": 1}}, net=Plain())
    # The base rotates there and back, and each entry of a matrix is a product and a sum.
    assert flops_a_row(model) == 2 * 9 + 2 * (2 * 9)
    assert effort_for(model) == Effort(samples=1000, scored=256, map_side=44)
