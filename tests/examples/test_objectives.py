"""The numbers of examples/objectives.py against integrals over the plane.

At the truth s = θf, f = (r, y), a row's gradient in θᵢⱼ is ∂ᵢfⱼ + sᵢfⱼ for the implicit loss.
Slices along Rademacher v add v₁v₂ times the other derivative of fⱼ. Denoising has
(E[x|y] − x)ᵢ fⱼ/σ².
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

Array = NDArray[Any]
LEARNED = ("implicit", "sliced", "denoising × 1", "denoising × 4", "denoising × 16")
REPEATS = 8


class Plane(NamedTuple):
    """At nodes y of the plane, m of them: p(y) dy, f, ∂ᵢfⱼ, s, ∂ᵢsₖ and Cov(x|y)/σ⁴; θ."""

    p: Array
    f: Array
    df: Array
    s: Array
    ds: Array
    noise: Array
    theta: Array

    def mean(self, values: Array) -> Array:
        return np.tensordot(self.p, values, 1)

    def implicit(self) -> Array:
        """The gradient of the implicit loss, ``(m, 2, 5)``."""
        return self.df + self.s[:, :, None] * self.f[:, None, :]

    def covariance(self, gradient: Array) -> Array:
        rows = gradient.reshape(len(self.p), 10)
        return rows.T @ (self.p[:, None] * rows)


@pytest.fixture(scope="module")
def plane(example: ModuleType) -> Plane:
    means, v, sigma = example.MEANS.numpy(), example.V, example.SIGMA
    axis = np.linspace(-6.5, 6.5, 301)
    y = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    each = np.exp(-((y[:, None] - means) ** 2).sum(2) / (2 * v)) / (2 * np.pi * v) / len(means)
    p = each.sum(1)
    r = each / p[:, None]
    expected = r @ means
    dr = r[:, None, :] * (means.T - expected[:, :, None]) / v  # ∂ᵢ rₖ, (m, 2, 3)
    df = np.concatenate([dr, np.broadcast_to(np.eye(2), (len(y), 2, 2))], 2)
    s = (expected - y) / v
    spread = np.einsum("mk,ki,kj->mij", r, means, means) - expected[:, :, None] * expected[:, None]
    ds = spread / v**2 - np.eye(2) / v
    # x | y, k is normal with mean m_k + (τ²/υ)(y − m_k) and variance τ²σ²/υ.
    tau2 = v - sigma**2
    noise = (tau2 * sigma**2 / v * np.eye(2) + (1 - tau2 / v) ** 2 * spread) / sigma**4
    theta = np.concatenate([means.T, -np.eye(2)], 1) / v
    area = (axis[1] - axis[0]) ** 2
    found = Plane(p * area, np.concatenate([r, y], 1), df, s, ds, noise, theta)
    assert found.p.sum() == pytest.approx(1, abs=1e-9)
    assert found.s == pytest.approx(found.f @ found.theta.T, abs=1e-12)
    return found


def scatter(plane: Plane, name: str) -> Array:
    """The covariance of a row's gradient, ``(10, 10)``."""
    second = plane.covariance(plane.implicit())
    if name == "implicit":
        return second
    if name == "sliced":
        return second + plane.covariance(plane.df[:, ::-1])
    assert name == "denoising × 1"
    return np.einsum("m,mik,mj,ml->ijkl", plane.p, plane.noise, plane.f, plane.f).reshape(10, 10)


def test_the_variances_of_the_gradient_are_those_of_the_integrals(
    plane: Plane, results: Any
) -> None:
    for name in ("implicit", "sliced", "denoising × 1"):
        expected = np.trace(scatter(plane, name))
        assert results[name]["variances"][1] == pytest.approx(expected, rel=0.05), name
    row = plane.df[:, 0] + plane.s[:, :1] * plane.f
    expected = plane.mean((row**2).sum(1))
    assert results["sliced along x"]["variances"][1] == pytest.approx(expected, rel=0.05)


def test_the_variances_of_the_loss_are_those_of_the_integrals(plane: Plane, results: Any) -> None:
    def variance(loss: Array) -> float:
        return float(plane.mean(loss**2) - plane.mean(loss) ** 2)

    trace = plane.ds[:, 0, 0] + plane.ds[:, 1, 1]
    implicit = variance(trace + (plane.s**2).sum(1) / 2)
    sliced = implicit + 4 * plane.mean(plane.ds[:, 0, 1] ** 2)
    along_x = variance(plane.ds[:, 0, 0] + plane.s[:, 0] ** 2 / 2)
    for name, expected in (
        ("implicit", implicit),
        ("sliced", sliced),
        ("sliced along x", along_x),
    ):
        assert results[name]["variances"][0] == pytest.approx(expected, rel=0.05), name


@pytest.mark.parametrize("which", [0, 1], ids=["loss", "gradient"])
def test_more_draws_average_the_noise_alone(results: Any, which: int) -> None:
    one, four, sixteen = (
        float(results[f"denoising × {k}"]["variances"][which]) for k in (1, 4, 16)
    )
    # Between rows + within/k.
    assert (one - four) / (four - sixteen) == pytest.approx(4, rel=0.15)
    assert one > four > sixteen


def test_told_the_truth_the_fit_is_exact(results: Any) -> None:
    assert max(results["explicit"]["errors"]) < 1e-10
    assert max(map(float, results["explicit"]["variances"])) < 1e-20


def test_the_errors_are_those_of_the_sandwich(plane: Plane, results: Any) -> None:
    for name in ("implicit", "sliced", "denoising × 1"):
        bread = np.linalg.inv(np.kron(np.eye(2), plane.f.T @ (plane.p[:, None] * plane.f)))
        covariance = bread @ scatter(plane, name) @ bread
        total = np.trace(covariance)
        relative = np.sqrt(np.trace(covariance @ covariance) / (2 * REPEATS)) / total
        assert relative < 0.2
        for n, error in zip(results["sizes"].tolist(), results[name]["errors"], strict=True):
            expected = np.sqrt(total / n) / np.linalg.norm(plane.theta)
            assert float(error) == pytest.approx(expected, rel=4 * relative), (name, n)


def test_the_errors_fall_as_the_root_of_the_rows(results: Any) -> None:
    slopes = [results[f"slope {name}"] for name in LEARNED]
    # The standard error of one is √2 · 0.15 / ln 8 ≈ 0.1.
    assert slopes == pytest.approx([-0.5] * 5, abs=0.3)
    assert np.mean(slopes) == pytest.approx(-0.5, abs=0.15)


def test_every_objective_but_one_learns_the_field(results: Any) -> None:
    truth = np.asarray(results["truth"])
    size = np.sqrt((truth**2).sum(1).mean())
    for name in ("explicit", *LEARNED):
        error = np.asarray(results[name]["field"]) - truth
        assert np.sqrt((error**2).sum(1).mean()) < 0.1 * size, name


def test_slices_along_one_axis_leave_the_other_where_it_began(plane: Plane, results: Any) -> None:
    truth, field = np.asarray(results["truth"]), np.asarray(results["sliced along x"]["field"])
    assert abs(field[:, 1]).max() < 1e-10
    assert abs(field[:, 0] - truth[:, 0]).max() < 0.3
    unseen = np.linalg.norm(plane.theta[1]) / np.linalg.norm(plane.theta)
    assert np.asarray(results["sliced along x"]["errors"]) == pytest.approx([unseen] * 2, abs=0.02)


def test_the_figure_has_a_field_for_each_objective(figure: Figure) -> None:
    titles = {axes.get_title(loc="left") for axes in figure.axes}
    assert {"explicit", "implicit", "sliced", "denoising × 1", "sliced along x"} < titles
    assert len(titles) == len(figure.axes) == 7
