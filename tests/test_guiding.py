"""Models given a condition, and guided by it, against joint Gaussians in closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, stats

from fits import UNTRAINED, changed, quick, untrained
from scorematching.errors import InvalidInput
from scorematching.fitted import FittedScore

Array = NDArray[np.float64]
N = 500


def joint(d: int = 2, k: int = 2) -> tuple[Array, Array]:
    """Rows x ``(n, d)`` and conditions c ``(n, k)`` of a joint Gaussian, in units of their own."""
    rng = np.random.default_rng((d, k))
    both = rng.normal(size=(N, d + k)) @ rng.normal(size=(d + k, d + k)) * 3 + 20
    return both[:, :d], both[:, d:] * 100


class Truth:
    """The Gaussians p(x | c) and p(x) of the sample moments (divisor n), whitened noise added."""

    def __init__(self, x: Array, c: Array) -> None:
        self.x, self.c = x, c
        self.marginal = np.cov(x.T, ddof=0).reshape(x.shape[1], -1)
        centred = c - c.mean(0)
        self.slopes = np.linalg.lstsq(centred, x - x.mean(0), rcond=None)[0]
        residual = x - x.mean(0) - centred @ self.slopes
        self.residual = residual.T @ residual / len(x)

    def mean(self, c: Any) -> Array:
        given: Array = self.x.mean(0) + (np.asarray(c) - self.c.mean(0)) @ self.slopes
        return given

    def log_density(self, x: Array, c: Array | None, sigma: float) -> Array:
        mean, covariance = self._moments(c, sigma, len(x))
        values = [
            stats.multivariate_normal(m, covariance).logpdf(row)
            for m, row in zip(mean, x, strict=True)
        ]
        return np.array(values)

    def score(self, x: Array, c: Array | None, sigma: float) -> Array:
        mean, covariance = self._moments(c, sigma, len(x))
        out: Array = -np.linalg.solve(covariance, (x - mean).T).T
        return out

    def _moments(self, c: Array | None, sigma: float, n: int) -> tuple[Array, Array]:
        noise = sigma**2 * self.marginal  # whitening makes it of the data's own spread
        if c is None:
            return np.broadcast_to(self.x.mean(0), (n, self.x.shape[1])), self.marginal + noise
        return self.mean(c), self.residual + noise


@pytest.fixture(scope="module")
def model() -> FittedScore:
    x, c = joint()
    return untrained(x, condition=c)


def test_the_log_density_is_that_of_x_given_the_condition_or_of_x_alone(model: FittedScore) -> None:
    x, c = joint()
    truth = Truth(x, c)
    found = model.log_density(x[:7], condition=c[:7])
    np.testing.assert_allclose(found, truth.log_density(x[:7], c[:7], 0.01), atol=2e-3)
    alone = model.log_density(x[:7], guidance=0)
    np.testing.assert_allclose(alone, truth.log_density(x[:7], None, 0.01), atol=2e-3)
    one = model.log_density(x[:7], condition=c[3])  # one row of numbers holds for all
    far = truth.log_density(x[:7], c[[3] * 7], 0.01)
    np.testing.assert_allclose(one, far, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("sigma", [0.05, 0.5, 5.0])
def test_the_score_is_guided_from_the_unconditional_to_beyond_the_conditional(
    model: FittedScore, sigma: float
) -> None:
    x, c = joint()
    truth = Truth(x, c)
    given, alone = truth.score(x[:5], c[:5], sigma), truth.score(x[:5], None, sigma)
    for w in (-1.0, 0.5, 1.0, 3.0):
        found = model.score(x[:5], sigma, condition=c[:5], guidance=w)
        np.testing.assert_allclose(found, alone + w * (given - alone), rtol=2e-3, atol=1e-4)
        clean = model.denoise(x[:5], sigma, condition=c[:5], guidance=w)
        expected = x[:5] + sigma**2 * (alone + w * (given - alone)) @ truth.marginal
        np.testing.assert_allclose(clean, expected, rtol=2e-4)
    np.testing.assert_allclose(model.score(x[:5], sigma, guidance=0), alone, rtol=2e-3, atol=1e-4)


def test_samples_have_the_moments_of_x_given_the_condition(model: FittedScore) -> None:
    """4 standard errors of 1,024 rows, by the flow in 60 steps."""
    x, c = joint()
    truth, n = Truth(x, c), 1024
    exact = changed(model, sampling={"n_evaluations": 60, "stochastic": False})
    at = c.mean(0) + 1.5 * c.std(0)
    for options, mean, covariance in (
        ({"condition": at}, truth.mean(at), truth.residual),
        ({"guidance": 0}, x.mean(0), truth.marginal),
        ({}, x.mean(0), truth.marginal),  # conditions drawn from those of the data
    ):
        drawn = exact.sample(n, **options)
        error = 4 * np.sqrt(covariance.diagonal() / n)
        assert (abs(drawn.mean(0) - mean) < error).all(), options
        spread = np.sqrt(covariance.diagonal())
        gap = abs(np.cov(drawn.T) - covariance) / np.outer(spread, spread)
        assert (gap < 4 * math.sqrt(2 / n)).all(), options


@pytest.mark.parametrize("w", [0.5, 2.0, 4.0])
def test_guided_samples_have_the_mean_and_variance_of_the_guided_flow(w: float) -> None:
    """With s_w = (1 − w) s + w s(· | c) of two Gaussians N(0, C) and N(m, R) on the line,

    dx/dσ = −σ s_w = σ [(1 − w)/(C + σ²) + w/(R + σ²)] x − w σ m/(R + σ²), so that with
    h² = (C + σ²)^(1 − w) (R + σ²)^w the rows at σ = 0 have the variance (h(0)/h(σ_max))² times
    that at σ_max, about C^(1 − w) R^w, and the mean h(0) ∫ w σ m/((R + σ²) h) dσ.
    """
    x, c = joint(1, 1)
    truth, n = Truth(x, c), 1024
    fitted = quick(x[:, 0], 1, UNTRAINED, condition=c[:, 0])
    exact = changed(fitted, sampling={"n_evaluations": 60, "stochastic": False})
    at = c.mean() + c.std()
    unit = x.std()
    m, R = ((truth.mean([at]) - x.mean(0)) / unit).item(), (truth.residual / unit**2).item()
    low, high = 0.01, 20.0

    def h(sigma: float) -> float:
        return (1 + sigma**2) ** ((1 - w) / 2) * (R + sigma**2) ** (w / 2)

    drift = integrate.quad(lambda s: w * s * m / ((R + s * s) * h(s)), low, high, limit=200)[0]
    last = np.array([1 / (1 + low**2), 1 / (R + low**2)])
    # From σ_max, where rows begin as given c, to σ_min; there the mean of the posterior is taken.
    mean = h(low) * (drift + m / h(high))
    std = h(low) / h(high) * math.sqrt(R + high**2)
    score = -np.array([mean, mean - m]) * last
    mean += low**2 * (score[0] + w * (score[1] - score[0]))
    drawn = (exact.sample(n, condition=at, guidance=w) - x.mean()) / unit
    assert abs(drawn.mean() - mean) < 4 * std / math.sqrt(n)
    assert abs(drawn.std() / std - 1) < 4 / math.sqrt(2 * n)
    assert std == pytest.approx(math.sqrt(R**w), rel=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"guidance": math.nan}, "must be a finite number: got nan"),
        ({"guidance": True}, "must be a finite number: got True"),
        ({"guidance": 0, "condition": [1.0, 2.0]}, "of which nothing is known"),
        ({"condition": [1.0, 2.0, 3.0]}, "fitted with 2 numbers a row, c.0., c.1.: got 3"),
        ({"condition": np.ones((3, 2))}, "one row of numbers, or one for each of 4: got 3"),
        ({"condition": [math.nan, 1.0]}, "1 values are NaN"),
        ({"condition": ["a", "b"]}, "Convert text to numbers"),
        ({"condition": {"c[0]": 1.0}}, "the condition .c.0.., .c.1..: got .c.0."),
        ({"labels": 1}, "fitted without labels"),
    ],
)
def test_conditions_that_do_not_fit_are_refused(
    model: FittedScore, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        model.sample(4, **options)
    with pytest.raises(InvalidInput, match=message):
        model.score(joint()[0][:4], 0.5, **options)


def test_rows_must_be_given_what_the_model_was_fitted_with(model: FittedScore) -> None:
    with pytest.raises(InvalidInput, match="fitted with a condition: the rows must carry them, or"):
        model.log_density(joint()[0][:3])
    with pytest.raises(InvalidInput, match="guidance=1, or of the unconditional one, guidance=0"):
        model.log_density(joint()[0][:3], condition=joint()[1][:3], guidance=2.0)


def test_a_model_that_is_given_nothing_cannot_be_guided() -> None:
    x, c = joint()
    alone = untrained(x)
    with pytest.raises(InvalidInput, match="no effect on a model without labels or a condition"):
        alone.sample(3, guidance=2.0)
    with pytest.raises(InvalidInput, match="fitted without a condition: leave it out"):
        alone.sample(3, condition=[1.0])
    with pytest.raises(InvalidInput, match="fitted without a condition"):
        alone.log_density(x[:3], condition=c[:3])
    never = quick(x, 1, {"training": {"condition_dropout": 0.0}}, condition=c)
    with pytest.raises(InvalidInput, match="condition_dropout above 0, or leave guidance out"):
        never.sample(3, condition=c[0], guidance=2.0)
    assert never.sample(3, condition=c[0]).shape == (3, 2)
