"""What is learnt, against densities that are known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from fits import gaussian_rows, mixing, quick, untrained
from scorematching.densities import GaussianMixture
from scorematching.fitting import fit

Array = NDArray[np.float64]
ALL_ROWS = {"validation_fraction": 0.0}


def test_a_gaussian_is_fitted_as_well_as_its_moments_are() -> None:
    """The gap to the truth is about p/2n = 0.011 nats for p = 9 moments of n = 400 rows."""
    n, d = 400, 3
    fitted = quick(gaussian_rows(n, d), 200, ALL_ROWS)
    fresh = gaussian_rows(3000, d, seed=1)
    truth = stats.multivariate_normal(np.full(d, 5.0), mixing(d).T @ mixing(d))
    gap = truth.logpdf(fresh) - fitted.log_density(fresh)
    error = gap.std() / len(fresh) ** 0.5
    assert -4 * error < gap.mean() < 0.06 + 4 * error
    samples = fitted.sample(4000, seed=3)
    spread = np.sqrt(np.diag(mixing(d).T @ mixing(d)))
    # Standard errors of both the fit's moments and the sample's.
    assert (np.abs(samples.mean(0) - 5) < 4 * spread * math.sqrt(1 / n + 1 / 4000)).all()
    assert (np.abs(samples.std(0) / spread - 1) < 4 * math.sqrt(1 / (2 * n) + 1 / 8000)).all()


def three_modes() -> GaussianMixture:
    return GaussianMixture(
        torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64),
        torch.tensor([[-4.0, 0.0], [0.0, 4.0], [3.0, -2.0]], dtype=torch.float64),
        0.3 * torch.eye(2, dtype=torch.float64).repeat(3, 1, 1),
    )


def test_a_mixture_is_fitted_beyond_its_gaussian() -> None:
    """Within 0.15 nats of the truth, where the Gaussian is a nat away; every mode has its share."""
    truth = three_modes()
    generator = torch.Generator().manual_seed(0)
    x, fresh = truth.sample(1500, generator), truth.sample(1500, generator)
    fitted = quick(x, 400, {**ALL_ROWS, "net": {"width": 64, "dropout": 0.0}})
    exact = truth.log_density(fresh)
    gap = exact - fitted.log_density(fresh)
    error = gap.std().item() / len(fresh) ** 0.5
    assert -4 * error < gap.mean().item() < 0.15
    assert (exact - untrained(x).log_density(fresh)).mean().item() > 0.8
    n = 2000
    samples = fitted.sample(n, seed=1)
    assert isinstance(samples, torch.Tensor)
    nearest = torch.cdist(samples, truth.means).argmin(1)
    for k, weight in enumerate(truth.weights.tolist()):
        share = (nearest == k).double().mean().item()
        # Sampling errors of both the rows and the samples, and 2% for the model's own.
        bound = 4 * math.sqrt(weight * (1 - weight) * (1 / 1500 + 1 / n)) + 0.02
        assert abs(share - weight) < bound
    distance = torch.cdist(samples, truth.means).amin(1)
    assert (distance > 4 * math.sqrt(0.3)).double().mean().item() < 0.03


@pytest.mark.slow
def test_the_defaults_come_closer_still() -> None:
    """All that is chosen for 1,500 rows: within 0.1 nats of the truth."""
    truth = three_modes()
    generator = torch.Generator().manual_seed(0)
    x, fresh = truth.sample(1500, generator), truth.sample(1500, generator)
    gap = truth.log_density(fresh) - fit(x, quiet=True).log_density(fresh)
    error = gap.std().item() / len(fresh) ** 0.5
    assert -4 * error < gap.mean().item() < 0.1


@pytest.mark.parametrize("exponent", [40, -40])
def test_a_change_of_units_by_a_power_of_two_changes_no_bit(exponent: int) -> None:
    """2^±40 is about 1e±12."""
    x = gaussian_rows(120, 2)
    scale = 2.0**exponent
    one, other = quick(x, 20, ALL_ROWS), quick(scale * x, 20, ALL_ROWS)
    assert np.array_equal(scale * one.sample(50), other.sample(50))
    shift = 2 * math.log(scale)
    np.testing.assert_allclose(
        other.log_density(scale * x[:20]), one.log_density(x[:20]) - shift, rtol=0, atol=1e-9
    )
    np.testing.assert_allclose(
        other.score(scale * x[:20]) * scale, one.score(x[:20]), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize(
    ("event", "scale", "shift"),
    [
        ((), 1e-12, 0.0),
        ((3,), 1e12, 0.0),
        ((3,), -3.0, 1e3),
        ((2, 2), 1e-12, 0.0),
        ((2, 2), 7.0, 1e3),
    ],
)
def test_the_fit_is_equivariant_to_affine_maps_up_to_rounding(
    event: tuple[int, ...], scale: float, shift: float
) -> None:
    """A row may round to another float32 neighbour, which 20 steps of training hardly grow."""
    d = math.prod(event)
    x = np.random.default_rng(d).gamma(2.0, size=(120, *event))
    one, other = quick(x, 20, ALL_ROWS), quick(scale * x + shift, 20, ALL_ROWS)
    moved = other.log_density(scale * x[:20] + shift) + d * math.log(abs(scale))
    if scale > 0:
        np.testing.assert_allclose(moved, one.log_density(x[:20]), rtol=0, atol=1e-4)
        spread = x.std()
        samples = (other.sample(50) - shift) / scale
        np.testing.assert_allclose(samples, one.sample(50), rtol=0, atol=1e-4 * spread)
    else:
        # The training sees mirrored rows with the same noise: another fit, as good on average.
        assert abs((moved - one.log_density(x[:20])).mean()) < 0.3


def test_densities_on_the_line_integrate_to_one() -> None:
    x = np.random.default_rng(0).gamma(3.0, size=200)
    fitted = quick(x, 60, ALL_ROWS)
    grid = np.linspace(-12, 30, 3001)
    density = np.exp(fitted.log_density(grid))
    assert np.trapezoid(density, grid) == pytest.approx(1, abs=2e-3)
    assert np.trapezoid(density * grid, grid) == pytest.approx(x.mean(), abs=0.3)


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, None), (None, 1.0), (0.0, 1.0), (-2.0, 5.0)], ids=str
)
def test_bounded_densities_integrate_to_one_within_their_bounds(
    low: float | None, high: float | None
) -> None:
    """The Jacobian of the log or logit map; substituted x = x(u), so that the ends are resolved."""
    rng = np.random.default_rng(1)
    u = rng.normal(size=200)
    frame = pd.DataFrame({"v": opened(u, low, high)})
    options = {"positive": ["v"]} if (low, high) == (0.0, None) else {"bounds": {"v": (low, high)}}
    fitted = quick(frame, 30, ALL_ROWS, **options)
    grid = np.linspace(-9, 9, 4001)
    x = opened(grid, low, high)
    inside = np.abs(grid) < 8.9
    density = np.exp(fitted.log_density(pd.DataFrame({"v": x})))
    slope = np.gradient(x, grid)
    assert np.trapezoid((density * slope)[inside], grid[inside]) == pytest.approx(1, abs=2e-3)
    samples = fitted.sample(500)["v"].to_numpy()
    assert low is None or (samples > low).all()
    assert high is None or (samples < high).all()


def opened(u: Array, low: float | None, high: float | None) -> Array:
    """The line mapped into (low, high)."""
    if low is not None and high is not None:
        return low + (high - low) / (1 + np.exp(-u))
    return low + np.exp(u) if low is not None else high - np.exp(-u)


def test_a_log_normal_column_has_the_log_normal_density() -> None:
    """The untrained model of a positive column: Gaussian in log x, blurred by 1% of its spread."""
    u = np.random.default_rng(2).normal(1.0, 0.5, size=300)
    frame = pd.DataFrame({"v": np.exp(u)})
    fitted = untrained(frame, positive=["v"])
    spread = u.std() * math.sqrt(1 + 0.01**2)
    x = np.array([0.5, 1.0, 3.0, 9.0])
    truth = stats.lognorm(spread, scale=math.exp(u.mean())).logpdf(x)
    np.testing.assert_allclose(fitted.log_density(pd.DataFrame({"v": x})), truth, atol=1e-4)


def test_a_gaussian_in_any_units_has_the_gaussian_density() -> None:
    """The untrained model: N(mean, S), blurred by 1% in whitened units, so S · 1.0001."""
    x = gaussian_rows(300, 3) * np.array([1e-9, 1.0, 1e9])
    fitted = untrained(x)
    fresh = (gaussian_rows(50, 3, seed=2)) * np.array([1e-9, 1.0, 1e9])
    unit = np.array([1e-9, 1.0, 1e9])
    covariance = np.cov((x / unit).T, ddof=0) * (1 + 0.01**2)
    truth = stats.multivariate_normal((x / unit).mean(0), covariance).logpdf(fresh / unit)
    np.testing.assert_allclose(
        fitted.log_density(fresh), truth - np.log(unit).sum(), rtol=0, atol=1e-4
    )


def test_each_class_has_a_density_of_its_own() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(["low", "high"], size=600, p=[0.3, 0.7])
    x = rng.normal(size=(600, 2)) + np.where(labels == "low", -3.0, 3.0)[:, None]
    fitted = quick(x, 250, ALL_ROWS, labels=labels)
    means = {c: fitted.sample(400, labels=c).mean(0) for c in ("low", "high")}
    assert (np.abs(means["low"] + 3) < 0.4).all()
    assert (np.abs(means["high"] - 3) < 0.4).all()
    here = fitted.log_density(np.full((1, 2), 3.0), labels="high")[0]
    there = fitted.log_density(np.full((1, 2), 3.0), labels="low")[0]
    assert here == pytest.approx(-math.log(2 * math.pi), abs=0.4)
    assert here - there > 3
    mixed = fitted.sample(2000)
    share = (mixed[:, 0] > 0).mean()
    expected = (labels == "high").mean()
    assert abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / 2000) + 0.02
