"""The numbers of examples/recovery.py: what a prior does to a blurred signal."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

import scorematching as sm


def test_boxes_have_the_mean_of_their_area(example: ModuleType) -> None:
    """The mean over the cells is ±height · width: in the mean square E h² E w²."""
    squares = example.boxes(20_000, torch.Generator().manual_seed(1)).mean(1).square()
    expected = (0.5**2 + 0.5 + 1 / 3) * (0.08**2 + 0.08 * 0.22 + 0.22**2 / 3)
    standard_error = squares.std().item() / 20_000**0.5
    assert squares.mean().item() == pytest.approx(expected, abs=4 * standard_error)


def test_without_a_prior_the_view_is_met_and_the_signal_missed(
    example: ModuleType, results: Any
) -> None:
    misfit = results["without a prior"] @ example.A.T - results["y"]
    assert misfit.square().mean().sqrt().item() < example.NOISE
    assert results["error, without a prior"] > 2 * results["error, Tikhonov"]


def test_tikhonov_is_the_map_estimate_of_a_gaussian_prior(
    example: ModuleType, results: Any
) -> None:
    """By another way: `map_estimate` with the exact score of N(mean, covariance) of the rows."""
    generator = torch.Generator().manual_seed(0)
    rows, _ = example.boxes(20_000, generator), example.boxes(8, generator)
    rows = rows + 0.02 * torch.randn(rows.shape, generator=generator, dtype=torch.float64)
    prior, process = sm.densities.gaussian(rows.mean(0), torch.cov(rows.T)), sm.noise.EDM(1e-5, 9.0)
    found = sm.inverse.map_estimate(
        prior.noisy_score(process),
        process,
        results["y"],
        sm.inverse.Measurement(lambda x: x @ example.A.T, example.NOISE),
        torch.zeros_like(results["truth"]),
        grid=sm.samplers.LogUniformGrid(5),
    )
    assert found.converged.all()
    torch.testing.assert_close(found.x, results["Tikhonov"], rtol=0, atol=1e-5)


def test_the_path_ends_at_the_estimate_and_comes_closer_on_its_way(
    example: ModuleType, results: Any
) -> None:
    torch.testing.assert_close(results["path"][-1], results["learned"])
    assert bool((results["levels"].diff() < 0).all())
    errors = [example.error(step, results["truth"]) for step in results["path"]]
    assert errors[-1] == results["error, learned"]
    assert errors[-1] < errors[4] < errors[0]


def test_hardly_trained_the_prior_is_about_a_gaussian(results: Any) -> None:
    """The network starts as the denoiser of the rows' mean and covariance."""
    ratio = results["error, learned"] / results["error, Tikhonov"]
    assert ratio == pytest.approx(1, abs=0.25)


def test_the_figure_has_signals_above_and_the_path_below(figure: Figure) -> None:
    assert len(figure.axes) == 6
    assert len(figure.axes[3].lines) == 10
