"""Noise kernels: their draws against their moments, their scores against their log-densities."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from scipy import stats
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.noise import GaussianKernel, LaplaceKernel, NoiseKernel
from scorematching.random import normal, seeded

DOUBLE = torch.float64
EVENTS = [(), (3,), (2, 3), (2, 1, 3), (2, 2, 1, 2)]
WIDTH = 0.7

# The kernel, its law, and its log-density in the noised row.
LAWS: dict[str, tuple[Callable[..., NoiseKernel], object, object]] = {
    "Gaussian": (GaussianKernel, stats.norm(scale=WIDTH), torch.distributions.Normal),
    "Laplace": (LaplaceKernel, stats.laplace(scale=WIDTH), torch.distributions.Laplace),
}
each = pytest.mark.parametrize("name", LAWS)


def draw(*shape: int) -> Tensor:
    return normal(shape, torch.zeros(1, dtype=DOUBLE), seeded("rows", str(shape)))


@each
def test_the_noise_follows_its_law(name: str) -> None:
    kernel, law, _ = LAWS[name]
    x = draw(20_000, 2)
    noise = (kernel(WIDTH).sample(x, seeded("law", name)) - x).numpy()
    n = noise.size
    for k in (1, 2, 3, 4):
        error = (noise**k).std() / math.sqrt(n)
        assert abs((noise**k).mean() - law.moment(k)) < 4 * error
    assert stats.kstest(noise.ravel(), law.cdf).pvalue > 1e-4
    for q in (0.01, 0.99):
        share = (noise <= law.ppf(q)).mean()
        assert abs(share - q) < 4 * math.sqrt(q * (1 - q) / n)
    assert abs((noise[:, 0] * noise[:, 1]).mean()) < 4 * law.var() / math.sqrt(n / 2)


def test_the_variance_of_laplace_noise_is_twice_the_squared_scale() -> None:
    noise = LaplaceKernel(0.3).sample(torch.zeros(40_000, dtype=DOUBLE), seeded("variance"))
    squares = noise**2
    assert abs(squares.mean() - 2 * 0.3**2) < 4 * squares.std() / 200


@each
@pytest.mark.parametrize("event", EVENTS)
def test_the_score_is_the_gradient_of_the_log_density(name: str, event: tuple[int, ...]) -> None:
    kernel, _, density = LAWS[name]
    x, width = draw(4, *event), torch.tensor([0.2, 0.5, 1.0, 3.0], dtype=DOUBLE)
    noised = kernel(width).sample(x, seeded(name)).requires_grad_()
    scale = width.reshape(-1, *(1,) * len(event)).expand_as(x)
    log_density = density(x, scale).log_prob(noised).sum()
    (expected,) = torch.autograd.grad(log_density, noised)
    torch.testing.assert_close(kernel(width).score(noised.detach(), x), expected)


@each
def test_the_score_averages_to_zero_and_its_square_to_the_information(name: str) -> None:
    """E[∇ log q] = 0 and E[(∇ log q)²] = 1/σ² (1/b²): the score belongs to the draws."""
    kernel = LAWS[name][0](WIDTH)
    x = draw(20_000)
    score = kernel.score(kernel.sample(x, seeded("information", name)), x)
    assert abs(score.mean()) < 4 * score.std() / math.sqrt(20_000)
    squares = score**2
    error = squares.std() / math.sqrt(20_000) + 1e-12
    assert abs(squares.mean() - 1 / WIDTH**2) < 4 * error


@each
def test_stein_s_identity_ties_the_draws_to_the_score(name: str) -> None:
    """E[noise · score] = −1 for any smooth kernel: a wrong power of σ breaks it."""
    kernel = LAWS[name][0](WIDTH)
    x = draw(20_000)
    noised = kernel.sample(x, seeded("Stein", name))
    products = (noised - x) * kernel.score(noised, x)
    assert abs(products.mean() + 1) < 4 * products.std() / math.sqrt(20_000)


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_and_scores_are_like_x(name: str, dtype: torch.dtype) -> None:
    kernel = LAWS[name][0](WIDTH)
    x = torch.zeros(3, 2, dtype=dtype)
    noised = kernel.sample(x, seeded(0))
    assert noised.dtype == kernel.score(noised, x).dtype == dtype
    assert noised.shape == x.shape
    assert torch.equal(noised, kernel.sample(x, seeded(0)))
    assert not torch.equal(kernel.sample(x), kernel.sample(x))


@each
@pytest.mark.parametrize("width", [0.0, -0.5, math.nan, math.inf])
def test_a_width_that_is_not_positive_is_refused(name: str, width: float) -> None:
    with pytest.raises(InvalidInput, match="must be positive and finite: got"):
        LAWS[name][0](width)
    with pytest.raises(InvalidInput, match=r"\(row 1\)"):
        LAWS[name][0](torch.tensor([1.0, width]))


def test_the_gaussian_kernel_says_that_sigma_is_no_variance() -> None:
    with pytest.raises(InvalidInput, match="standard deviation, not its variance"):
        GaussianKernel(-1.0)


@each
def test_a_width_of_another_shape_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"shape \(\) or \(3,\)"):
        LAWS[name][0](torch.ones(2)).sample(torch.zeros(3, 2))
