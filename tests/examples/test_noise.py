"""The numbers of examples/noise.py against quadrature, moments and mixtures written out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure


def test_the_closed_forms_are_the_numerical_convolutions(results: Any) -> None:
    assert results["difference"] < 1e-12
    # A control: the convolution at another time is another density.
    p, q = (results[name]["square root"] for name in ("densities", "convolved"))
    assert (p[1:] - q[:-1]).abs().amax(1).min() > 1e-3


def test_the_densities_are_those_of_two_noised_modes(results: Any, example: Any) -> None:
    """Σ w N(α c, α² 0.09 + σ²), written out for the straight line: α = 1 − t, σ = t."""
    x, a = example.X, math.sqrt(0.455)
    for t, p in zip(results["t"].tolist(), results["densities"]["straight line"], strict=True):
        variance = 0.09 * (1 - t) ** 2 + t**2
        modes = ((x + 2 * a * (1 - t)) ** 2, 1 / 3), ((x - a * (1 - t)) ** 2, 2 / 3)
        expected = sum(w * torch.exp(-square / (2 * variance)) for square, w in modes)
        # The weights are single precision in the script.
        root = math.sqrt(2 * math.pi * variance)
        torch.testing.assert_close(p, expected / root, rtol=1e-6, atol=1e-9)


def test_convolving_and_mixing_keep_mean_and_variance(results: Any, example: Any) -> None:
    x = example.X
    for name in ("variance preserving", "square root", "mixing"):
        for power, moment in ((0, 1.0), (1, 0.0), (2, 1.0)):
            moments = torch.trapezoid(x**power * results["densities"][name], x)
            assert (moments - moment).abs().max() < 1e-6


def test_the_fourth_cumulant_falls_faster_by_convolving(results: Any) -> None:
    """κ₄ = −6 A⁴ of f; α⁴ κ₄ = (1 − t)² κ₄ by convolving, (1 − t) κ₄ by mixing."""
    left, kappa = 1 - results["t"], -6 * 0.455**2
    torch.testing.assert_close(
        results["cumulants"]["square root"], kappa * left**2, rtol=0, atol=1e-5
    )
    torch.testing.assert_close(results["cumulants"]["mixing"], kappa * left, rtol=0, atol=1e-5)


def test_a_path_is_the_scaled_row_plus_the_scaled_noise(results: Any) -> None:
    t, paths = results["t"][:, None], results["paths"]
    straight = paths["straight line"]
    z = (straight[-1] - straight[0]) / (t[-1] - t[0]) + (
        x := straight[0] - t[0] * (straight[-1] - straight[0]) / (t[-1] - t[0])
    )
    expected = torch.sqrt(1 - t) * x + torch.sqrt(t) * z
    torch.testing.assert_close(paths["square root"], expected, rtol=0, atol=1e-5)
    jumped = (paths["mixing"] - x).abs() > 1e-5
    assert not jumped[0].any()
    assert jumped[-1].all()
    torch.testing.assert_close(paths["mixing"][-1], z.to(paths["mixing"]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.2, 1.0, 3.0])
def test_the_fields_are_the_scores_of_the_noised_cloud(
    sigma: float, results: Any, example: Any
) -> None:
    """The mean of the pulls towards the three places, each by how likely it is."""
    pull = example.PLACES[None] - example.PLANE[:, None]
    variance = 1 / 9 + sigma**2
    weight = torch.softmax(-pull.square().sum(2) / (2 * variance), 1)
    expected = (weight[:, :, None] * pull).sum(1) / variance
    torch.testing.assert_close(results["fields"][sigma], expected, rtol=1e-4, atol=1e-4)


def test_the_figure_has_a_panel_for_each_process(figure: Figure) -> None:
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:5] == [
        "variance exploding",
        "variance preserving",
        "straight line",
        "square root",
        "mixing",
    ]
    assert len(figure.axes[4].lines) == 6
