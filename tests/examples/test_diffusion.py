"""The numbers of examples/diffusion.py against the known density, and what holds of any model."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure


def test_the_truth_is_the_density_of_the_pinwheel(results: Any, example: Any) -> None:
    axis = results["axis"]
    x = torch.cartesian_prod(axis, axis)
    square = (x[:, None] - example.CENTRES).square().sum(2) / 0.17**2
    expected = torch.logsumexp(-square / 2, 1) - math.log(35 * 2 * math.pi * 0.17**2)
    torch.testing.assert_close(results["maps"]["truth"], expected, rtol=1e-4, atol=1e-3)


def test_with_the_exact_score_the_flow_gives_the_density(results: Any) -> None:
    """What is left is the discretisation, 48 steps of order 4 in single precision."""
    assert results["flow_error"] < 0.01


def test_the_gap_of_the_log_densities_is_a_divergence(results: Any) -> None:
    """KL = E_p[log p − log q] ≥ 0, and less than that of a Gaussian of the data's moments."""
    gap = results["true"] - results["found"]
    assert results["kl"] == pytest.approx(gap.mean().item())
    assert results["mean_error"] == pytest.approx(gap.abs().mean().item())
    assert results["kl"] > -4 * gap.std().item() / math.sqrt(len(gap))
    rows = results["rows"]
    gaussian = torch.distributions.MultivariateNormal(rows.mean(0), rows.T.cov())
    # E_p log p of the model, against the entropy of that Gaussian.
    assert results["found"].mean() > -gaussian.entropy() - 0.1


def test_the_energy_distance_is_zero_for_one_law_and_not_for_two(example: Any) -> None:
    """2 E|X − Y| − E|X − X′| − E|Y − Y′| for x = {0, 2}, y = {1, 3}: 2 · 1.5 − 2 − 2 = −1."""
    x, y = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [3.0]])
    assert example.energy_distance(x, y) == pytest.approx(-1)
    assert example.energy_distance(x, y + 10) == pytest.approx(2 * 11 - 4)


def test_samples_are_near_the_data_and_paths_end_among_them(results: Any) -> None:
    assert abs(results["energy_distance_of_truth"]) < 0.02
    assert results["energy_distance"] < 0.1  # a Gaussian far off gives more
    for path in results["paths"].values():
        start, end = path[:40], path[-40:]
        assert start.norm(dim=1).mean() > 2.5  # noise of three standard deviations of the data
        assert end.norm(dim=1).max() < 4.5


@pytest.mark.slow
def test_at_full_size_the_log_density_is_close(example: Any) -> None:
    results = example.compute()
    assert results["kl"] < 0.3
    assert results["energy_distance"] < 0.01


def test_the_figure_shows_both_ways_and_both_densities(figure: Figure) -> None:
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[1:5] == [
        "reverse SDE",
        "probability flow",
        "log-density, truth",
        "log-density, learned",
    ]
