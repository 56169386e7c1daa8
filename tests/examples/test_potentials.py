"""The numbers of examples/potentials.py against Bessel functions and the parabola they lie on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.special import iv


def partition(b: float) -> float:
    """∫ exp(bx² − x⁴/4) dx for b > 0, by Bessel functions."""
    u = b**2 / 2
    return np.pi / 2 * np.sqrt(2 * b) * np.exp(u) * (iv(-1 / 4, u) + iv(1 / 4, u))


def test_the_partition_functions_are_those_of_the_closed_form(results: Any) -> None:
    expected = partition(1.0) * np.exp([0.0, -1.5])
    assert results.partitions == pytest.approx(expected, rel=1e-10)


def test_neither_the_density_nor_the_score_sees_the_constant(results: Any) -> None:
    assert results.potentials[1] - results.potentials[0] == pytest.approx(1.5)
    x = results.x
    density = np.exp(x**2 - x**4 / 4) / partition(1.0)
    for k in range(2):
        np.testing.assert_allclose(results.densities[k], density, rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(results.scores[k], 2 * x - x**3, rtol=1e-12, atol=1e-12)


def test_the_information_is_that_of_the_closed_form(results: Any) -> None:
    h = 1e-4
    second_moment = (partition(1 + h) - partition(1 - h)) / (2 * h) / partition(1.0)
    assert results.information == pytest.approx(3 * second_moment - 2, rel=1e-6)


def test_the_two_terms_and_their_sum_lie_on_their_curves(results: Any) -> None:
    kappa, information = results.kappas, results.information
    curves = np.array([kappa**2 / 2, -kappa, kappa**2 / 2 - kappa])
    x = results.x
    # The standard errors of the means of φ'²/2 and −φ'' over 4,000 rows.
    p = results.densities[0] / results.densities[0].sum()
    squares, curvature = (x**3 - 2 * x) ** 2, 3 * x**2 - 2
    rows = curves[0][:, None] * squares, curves[1][:, None] * curvature
    for j, row in enumerate((*rows, rows[0] + rows[1])):
        error = np.sqrt((p * row**2).sum(1) - ((p * row).sum(1)) ** 2) / np.sqrt(4_000)
        assert (abs(results.terms[j] - information * curves[j]) <= 4 * error + 1e-9).all()
    assert (abs(results.terms[0] + results.terms[1] - results.terms[2]) < 1e-12).all()


def test_the_objective_is_least_at_the_truth(results: Any) -> None:
    assert results.best_kappa == pytest.approx(1, abs=0.152)  # 4 standard errors
    assert results.kappas[results.terms[2].argmin()] == pytest.approx(1)


def test_the_figure_has_its_three_panels(figure: Figure) -> None:
    left, _, right = figure.axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == [
        "φ,  Z = 7.59",
        "φ + 1.5,  Z = 1.69",
    ]
    assert len(right.lines) == 7
