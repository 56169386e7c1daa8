"""Gaussian mixtures against torch.distributions, autograd and quadrature."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from claims.truths import MIXTURE
from scorematching.densities import GaussianMixture, gaussian
from scorematching.errors import InvalidInput
from scorematching.noise import VP, SquareRoot
from scorematching.random import normal, seeded

DOUBLE = torch.float64


def peer(mixture: GaussianMixture) -> torch.distributions.Distribution:
    """The same density by torch.distributions."""
    return torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(mixture.weights),
        torch.distributions.MultivariateNormal(mixture.means, mixture.covariances),
    )


def random_mixture(k: int, d: int) -> GaussianMixture:
    generator = seeded("mixture", k, d)
    like = torch.zeros(1, dtype=DOUBLE)
    root = normal((k, d, d), like, generator)
    return GaussianMixture(
        normal((k,), like, generator).softmax(0),
        2 * normal((k, d), like, generator),
        root @ root.mT + 0.1 * torch.eye(d, dtype=DOUBLE),
    )


SIZES = pytest.mark.parametrize(("k", "d"), [(1, 1), (1, 4), (3, 1), (4, 3), (7, 5)])


@SIZES
def test_the_log_density_is_that_of_torch_distributions(k: int, d: int) -> None:
    mixture = random_mixture(k, d)
    x = 3 * normal((50, d), mixture.means, seeded("x"))
    torch.testing.assert_close(mixture.log_density(x), peer(mixture).log_prob(x))


@SIZES
def test_the_score_is_the_gradient_of_that_log_density(k: int, d: int) -> None:
    mixture = random_mixture(k, d)
    x = (3 * normal((50, d), mixture.means, seeded("x"))).requires_grad_()
    (expected,) = torch.autograd.grad(peer(mixture).log_prob(x).sum(), x)
    torch.testing.assert_close(mixture.score(x.detach()), expected)


def test_far_out_nothing_overflows() -> None:
    x = torch.tensor([[1e6, -1e6]], dtype=DOUBLE)
    library = MIXTURE.library()
    assert library.log_density(x).isfinite()
    assert library.score(x).isfinite().all()
    torch.testing.assert_close(library.log_density(x), peer(library).log_prob(x))


def test_a_gaussian_is_a_mixture_of_one() -> None:
    mean = torch.tensor([1.0, -2.0], dtype=DOUBLE)
    covariance = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=DOUBLE)
    x = normal((9, 2), mean, seeded("x"))
    density = gaussian(mean, covariance)
    expected = torch.distributions.MultivariateNormal(mean, covariance).log_prob(x)
    torch.testing.assert_close(density.log_density(x), expected)
    torch.testing.assert_close(density.score(x), -(x - mean) @ covariance.inverse())


# ----------------------------------------------------------------------------------- noised


def convolved(x: Tensor, alpha: float, sigma: float) -> Tensor:
    """p_t(x) = ∫ p(x₀) N(x; αx₀, σ²I) dx₀ on a grid."""
    nodes, mass = MIXTURE.nodes(9.0, 0.05)
    square = ((x[:, None, :] - alpha * nodes) ** 2).sum(2)
    return (torch.exp(-square / (2 * sigma**2)) / (2 * math.pi * sigma**2)) @ mass


SCALES = pytest.mark.parametrize(("alpha", "sigma"), [(1.0, 0.3), (0.6, 0.8), (0.1, 1.0)])


@SCALES
def test_the_noised_density_is_a_convolution(alpha: float, sigma: float) -> None:
    x = MIXTURE.sample(20, seeded("x"))
    scales = torch.full((20,), alpha, dtype=DOUBLE), torch.full((20,), sigma, dtype=DOUBLE)
    measured = MIXTURE.library().diffused_log_density(x, *scales)
    torch.testing.assert_close(measured, convolved(x, alpha, sigma).log(), rtol=1e-10, atol=1e-10)


@SCALES
def test_the_noised_score_is_the_slope_of_the_convolution(alpha: float, sigma: float) -> None:
    x, h = MIXTURE.sample(20, seeded("x")), 1e-4
    scales = torch.full((20,), alpha, dtype=DOUBLE), torch.full((20,), sigma, dtype=DOUBLE)
    slopes = [
        (convolved(x + h * e, alpha, sigma).log() - convolved(x - h * e, alpha, sigma).log())
        for e in torch.eye(2, dtype=DOUBLE)
    ]
    measured = MIXTURE.library().diffused_score(x, *scales)
    torch.testing.assert_close(measured, torch.stack(slopes, 1) / (2 * h), rtol=1e-5, atol=1e-6)


def test_each_row_has_its_own_scales() -> None:
    x, mixture = MIXTURE.sample(3, seeded("x")), MIXTURE.library()
    alpha = torch.tensor([1.0, 0.5, 0.1], dtype=DOUBLE)
    sigma = torch.tensor([0.1, 0.6, 1.0], dtype=DOUBLE)
    for function in (mixture.diffused_log_density, mixture.diffused_score):
        rows = [function(x[i : i + 1], alpha[i : i + 1], sigma[i : i + 1]) for i in range(3)]
        torch.testing.assert_close(function(x, alpha, sigma), torch.cat(rows))


def test_the_noisy_score_is_the_noised_score_at_the_scales_of_the_process() -> None:
    x, process = MIXTURE.sample(4, seeded("x")), VP()
    t = torch.tensor([0.01, 0.3, 0.6, 1.0], dtype=DOUBLE)
    noisy = MIXTURE.library().noisy_score(process)
    pairs = enumerate(zip(process.alpha(t).tolist(), process.sigma(t).tolist(), strict=True))
    rows = [MIXTURE.noised(s, a).score(x[i : i + 1]) for i, (a, s) in pairs]
    torch.testing.assert_close(noisy(x, t), torch.cat(rows))
    torch.testing.assert_close(noisy(x[1:2], t[1]), rows[1])


@pytest.mark.parametrize("t", [0.05, 0.3, 0.9])
def test_the_noised_mixture_is_the_density_of_a_noised_row(t: float) -> None:
    x, noised = MIXTURE.sample(20, seeded("x")), MIXTURE.library().noised(SquareRoot(), t)
    expected = convolved(x, math.sqrt(1 - t), math.sqrt(t)).log()
    torch.testing.assert_close(noised.log_density(x), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("sigma", [0.2, 1.0, 5.0])
def test_the_denoiser_is_the_posterior_mean(sigma: float) -> None:
    x = MIXTURE.sample(10, seeded("x"))
    nodes, mass = MIXTURE.nodes(9.0, 0.05)
    square = ((x[:, None, :] - nodes) ** 2).sum(2) / (2 * sigma**2)
    weight = mass * torch.exp(square.min(1, keepdim=True).values - square)
    expected = (weight @ nodes) / weight.sum(1, keepdim=True)
    measured = MIXTURE.library().denoise(x, sigma)
    torch.testing.assert_close(measured, expected, rtol=1e-9, atol=1e-9)
    rows = torch.full((10,), sigma, dtype=DOUBLE)
    torch.testing.assert_close(MIXTURE.library().denoise(x, rows), measured)


def test_the_denoiser_is_the_mean_of_weighted_draws() -> None:
    """Self-normalised importance sampling, by its own standard error."""
    x, sigma = torch.tensor([[0.2, -0.4]], dtype=DOUBLE), 0.8
    draws = MIXTURE.sample(40_000, seeded("draws"))
    weight = torch.exp(-((x - draws) ** 2).sum(1) / (2 * sigma**2))
    weight = weight / weight.sum()
    mean = weight @ draws
    error = ((weight[:, None] * (draws - mean)) ** 2).sum(0).sqrt()
    assert ((MIXTURE.library().denoise(x, sigma)[0] - mean) / error).abs().max() < 4


# ----------------------------------------------------------------------------------- samples


@SIZES
def test_samples_have_the_moments_of_the_mixture(k: int, d: int) -> None:
    mixture, n = random_mixture(k, d), 40_000
    x = mixture.sample(n, seeded("sample", k, d))
    w = mixture.weights[:, None]
    mean = (w * mixture.means).sum(0)
    outer = mixture.covariances + mixture.means[:, :, None] * mixture.means[:, None, :]
    second = (w[:, :, None] * outer).sum(0)
    assert ((x.mean(0) - mean) / (x.std(0) / math.sqrt(n))).abs().max() < 4
    products = x[:, :, None] * x[:, None, :]
    errors = products.std(0) / math.sqrt(n)
    assert ((products.mean(0) - second) / errors).abs().max() < 4.3


def test_samples_fall_into_components_by_their_weights() -> None:
    weights = torch.tensor([0.05, 0.6, 0.35], dtype=DOUBLE)
    means = torch.tensor([[-100.0], [0.0], [100.0]], dtype=DOUBLE)
    mixture = GaussianMixture(weights, means, torch.ones(3, 1, 1, dtype=DOUBLE))
    x = mixture.sample(20_000, seeded("weights"))[:, 0]
    share = torch.tensor([(x < -50).double().mean(), (x.abs() < 50).double().mean()])
    truth = weights[:2].float()
    assert ((share - truth).abs() < 4 * (truth * (1 - truth) / 20_000).sqrt()).all()


def test_samples_are_exact_in_law_by_their_own_log_density() -> None:
    """E[−log p] of the draws is the entropy by quadrature: catches a wrong scale or rotation."""
    mixture = MIXTURE.library()
    x, mass = MIXTURE.nodes()
    entropy = -(mass * MIXTURE.density(x).log()).sum()
    values = -mixture.log_density(mixture.sample(40_000, seeded("entropy")))
    assert abs(values.mean() - entropy) < 4 * values.std() / 200


def test_samples_are_reproducible_and_otherwise_new() -> None:
    mixture = MIXTURE.library()
    assert torch.equal(mixture.sample(5, seeded(1)), mixture.sample(5, seeded(1)))
    assert not torch.equal(mixture.sample(5), mixture.sample(5))
    assert mixture.sample(0).shape == (0, 2)


# ------------------------------------------------------------------------------ dtype and input


@pytest.mark.parametrize("own", [torch.float32, torch.float64])
@pytest.mark.parametrize("given", [torch.float32, torch.float64])
def test_results_follow_the_dtype_of_x(own: torch.dtype, given: torch.dtype) -> None:
    parts = (MIXTURE.weights, MIXTURE.means, MIXTURE.covariances)
    mixture = GaussianMixture(*(part.to(own) for part in parts))
    x = MIXTURE.sample(6, seeded("x"))
    level = torch.full((6,), 0.5, dtype=given)
    results = [
        mixture.log_density(x.to(given)),
        mixture.score(x.to(given)),
        mixture.denoise(x.to(given), 0.5),
        mixture.noisy_score(VP())(x.to(given), level),
    ]
    truths = [
        MIXTURE.library().log_density(x),
        MIXTURE.library().score(x),
        MIXTURE.library().denoise(x, 0.5),
        MIXTURE.library().noisy_score(VP())(x, level.double()),
    ]
    for result, truth in zip(results, truths, strict=True):
        assert result.dtype == given
        torch.testing.assert_close(result.double(), truth, rtol=1e-5, atol=1e-5)
    assert mixture.sample(3).dtype == own


W, M, C = torch.tensor([0.5, 0.5]), torch.zeros(2, 2), torch.eye(2).expand(2, 2, 2)


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ((W[:1], M, C), r"got \(1,\), \(2, 2\), \(2, 2, 2\)"),
        ((W, M[0], C), r"got \(2,\), \(2,\)"),
        ((W, M, C[0]), r"\(2, 2\)\.$"),
        ((torch.tensor([0.5, 0.6]), M, C), "positive and sum to one"),
        ((torch.tensor([1.5, -0.5]), M, C), "positive and sum to one"),
        ((torch.tensor([math.nan, 1.0]), M, C), "positive and sum to one"),
        ((W, M + math.inf, C), "means must be finite"),
        ((W, M, C * math.nan), "covariances must be finite"),
        ((W, M, -C), "positive definite: the smallest eigenvalue is -1"),
        ((W, M, C * 0), "smallest eigenvalue is 0"),
        ((W, M, C + torch.tensor([[0.0, 0.5], [0.0, 0.0]])), "must be symmetric: .*0.5"),
    ],
)
def test_parts_that_are_no_mixture_are_refused(parts: tuple[Tensor, ...], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        GaussianMixture(*parts)


def test_a_covariance_whose_zeros_are_rounded_unequally_is_symmetric() -> None:
    covariance = torch.tensor([[1.0, 1e-17], [3e-17, 2.0]], dtype=DOUBLE)
    density = gaussian(torch.zeros(2, dtype=DOUBLE), covariance)
    score = density.score(torch.ones(1, 2, dtype=DOUBLE))
    torch.testing.assert_close(score, torch.tensor([[-1.0, -0.5]], dtype=DOUBLE))


@pytest.mark.parametrize("shape", [(4, 3), (4,), (4, 2, 1)])
def test_rows_of_another_width_are_refused(shape: tuple[int, ...]) -> None:
    for function in (MIXTURE.library().log_density, MIXTURE.library().score):
        with pytest.raises(InvalidInput, match=r"expected x of shape \(n, 2\)"):
            function(torch.zeros(shape))
