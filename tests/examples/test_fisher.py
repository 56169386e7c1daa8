"""The numbers of examples/fisher.py: the area is the KL divergence, its slope the Fisher's."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

NAMES = ("Gaussians", "mixtures")


@pytest.mark.parametrize("name", NAMES)
def test_the_area_is_the_divergence_within_its_error(name: str, results: Any) -> None:
    truth, area, error = (
        results[f"KL of {name}"],
        results[f"area of {name}"],
        results[name].estimate.standard_error,
    )
    assert error < 0.02 * truth
    assert area == pytest.approx(truth, abs=4 * error + 0.001 * truth)


def test_the_divergence_and_the_slopes_of_the_gaussians_are_those_of_the_closed_form(
    example: ModuleType, results: Any
) -> None:
    """N(0, 1 + t) and N(0.8, 0.4 + t): KL(0), and D_F by the squared gap of two lines."""
    pair = results["Gaussians"]
    truth = results["KL of Gaussians"]
    assert truth == pytest.approx((1 / 0.4 + 0.64 / 0.4 - 1 + math.log(0.4)) / 2, rel=1e-6)
    p, q = 1 + example.T, 0.4 + example.T
    fisher = ((1 / q - 1 / p) ** 2 * p + 0.64 / q**2) / 2
    np.testing.assert_allclose(pair.slopes, fisher, rtol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_the_estimated_points_lie_on_the_curve(
    name: str, example: ModuleType, results: Any
) -> None:
    pair = results[name]
    levels = pair.estimate.levels.numpy()
    slopes = np.exp(np.interp(2 * np.log(levels), np.log(example.T), np.log(pair.slopes)))
    gap = pair.estimate.integrand.numpy() - 2 * levels**2 * slopes
    error = pair.estimate.integrand_error.numpy()
    # The curve is interpolated between points a tenth of a decade apart.
    assert (np.abs(gap) < 4.5 * error + 0.01 * pair.estimate.integrand.numpy()).all()


def test_the_slope_of_the_mixtures_integrates_to_their_divergence(
    example: ModuleType, results: Any
) -> None:
    pair = results["mixtures"]
    t = torch.from_numpy(example.T)
    integral = torch.trapezoid(torch.from_numpy(pair.slopes) * t, t.log()).item()
    assert integral == pytest.approx(results["KL of mixtures"], rel=2e-3)


def test_the_figure_has_a_row_for_each_pair(figure: Figure) -> None:
    assert len(figure.axes) == 6
    assert figure.axes[2].get_title(loc="left").startswith("Area")
