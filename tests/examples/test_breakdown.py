"""The numbers of examples/breakdown.py against closed forms."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import norm

ROWS = 2_000


def bumps(x: NDArray[Any], values: NDArray[Any], shares: NDArray[Any], h: float) -> NDArray[Any]:
    """s(x) and s′(x) of Σ shares N(values, h²): s = E[u]/h, s′ = (Var u − 1)/h², u = (v − x)/h."""
    u = (values[:, 0] - x[:, None]) / h
    r = softmax(np.log(shares) - u**2 / 2, axis=1)
    first, second = (r * u).sum(1), (r * u**2).sum(1)
    return np.stack([first / h, (second - first**2 - 1) / h**2])


def arrays(results: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.asarray(results["values"]).reshape(-1, 1), np.asarray(results["shares"])


def test_the_implicit_loss_on_the_lattice_is_that_of_the_closed_form(results: Any) -> None:
    values, shares = arrays(results)
    expected = []
    for h in results["widths"]:
        score, slope = bumps(values[:, 0], values, shares, h)
        expected.append(shares @ (slope + score**2 / 2))
    assert results["losses"][1] == pytest.approx(np.array(expected), rel=1e-9)


def test_the_implicit_loss_on_the_lattice_runs_down_as_the_inverse_square(results: Any) -> None:
    narrow = results["widths"] < 0.08
    assert narrow.sum() > 3
    limit = -1 / results["widths"][narrow] ** 2
    assert results["losses"][1][narrow] == pytest.approx(limit, rel=1e-4)
    assert results["losses"][1].argmin() == 0


def test_on_rows_that_are_not_rounded_it_does_not(results: Any) -> None:
    smooth = results["losses"][0]
    assert 0 < smooth.argmin() < len(smooth) - 1
    assert smooth[0] > 100


def test_denoising_is_least_at_its_own_width(example: ModuleType, results: Any) -> None:
    values, shares = arrays(results)
    x = np.linspace(-6, 6, 12_001)
    p = norm.pdf(x[:, None], values[:, 0], example.SIGMA) @ shares
    truth = bumps(x, values, shares, example.SIGMA)[0]
    expected = []
    for h in results["widths"]:
        score = bumps(x, values, shares, h)[0]
        # E ½s² + s z/σ over the noised rows is ½E(s − s_σ)² − ½E s_σ².
        expected.append(np.trapezoid(p * (score**2 / 2 - score * truth), x))
    closest = results["widths"][np.argmin(expected)]
    assert closest == pytest.approx(example.SIGMA)
    # The step between widths is 4%: the measured minimum lies within three of them.
    assert results["best_width"] == pytest.approx(example.SIGMA, rel=0.14)
    # A mean over 8,000 draws: of its terms ½z²/σ² has the largest standard error, and it is the
    # same at all widths.
    wide = results["widths"] >= 0.2
    difference = (results["losses"][2] - np.array(expected))[wide]
    assert abs(difference).max() < 4 / (np.sqrt(2 * 8_000) * example.SIGMA**2)
    assert np.ptp(difference) < 0.1
    assert results["losses"][2][0] > 100


def test_without_the_boundary_term_the_estimate_is_the_mean_of_what_is_seen(results: Any) -> None:
    mu = results["means"]
    mills = norm.pdf(mu) / norm.cdf(mu)
    errors = results["errors"][0]
    assert (abs(results["estimates"][0] - (mu + mills)) < 4 * errors).all()
    variance = 1 - mills * (mu + mills)
    assert errors == pytest.approx(np.sqrt(variance / ROWS), rel=0.1)
    assert results["plain_at_zero"] == pytest.approx(np.sqrt(2 / np.pi), abs=4 * errors[2])
    assert (results["estimates"][0] - mu > 4 * errors)[:5].all()


def test_with_the_boundary_weight_the_estimate_is_the_truth(results: Any) -> None:
    errors = results["errors"][1]
    assert (abs(results["estimates"][1] - results["means"]) < 4 * errors).all()
    # At μ = 0 and w = min(x, 3): the row's equation for μ is w (μ − x) + w′ = 0.
    x = np.linspace(0, 12, 120_001)
    p = 2 * norm.pdf(x)
    w, slope = np.minimum(x, 3), (x <= 3).astype(float)
    mean_weight = np.trapezoid(p * w, x)
    variance = np.trapezoid(p * (slope - w * x) ** 2, x)
    assert errors[2] == pytest.approx(np.sqrt(variance / ROWS) / mean_weight, rel=0.1)
    assert abs(results["weighted_at_zero"]) < 4 * errors[2]


def test_the_figure_has_its_four_panels(figure: Figure) -> None:
    lattice, loss, seen, line = figure.axes
    assert len(lattice.lines) == 2
    assert [text.get_text() for text in loss.get_legend().get_texts()] == [
        "implicit, rows not rounded",
        "implicit, rounded",
        "denoising, rounded",
    ]
    assert len(seen.lines) == 2
    assert len(line.containers) == 2
