"""The Gaussian base given a condition, against the conditional of a joint Gaussian."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput
from scorematching.nets import ConditionalBase, GaussianBase, PreconditionedDenoiser, absent
from scorematching.random import normal, seeded

F64 = torch.float64
N, K = 400, 2


def joint(event: tuple[int, ...] = (3,), n: int = N) -> tuple[Tensor, Tensor]:
    """Rows x and conditions c, standardised, of a joint Gaussian."""
    like = torch.zeros((), dtype=F64)
    d = math.prod(event)
    mixing = normal((K + d, K + d), like, seeded("mixing", d))
    both = normal((n, K + d), like, seeded("joint", d, n)) @ mixing + 3
    c = (both[:, :K] - both[:, :K].mean(0)) / both[:, :K].std(0, correction=0)
    return both[:, K:].reshape(n, *event), c


@pytest.mark.parametrize("event", [(3,), (), (2, 2)])
def test_mean_and_covariance_are_those_of_the_conditional_gaussian(event: tuple[int, ...]) -> None:
    """μ + Σ_xc Σ_cc⁻¹ c and Σ_xx − Σ_xc Σ_cc⁻¹ Σ_cx of the sample moments, divisor n."""
    x, c = joint(event)
    rows = x.reshape(N, -1)
    d = rows.shape[1]
    moments = torch.cov(torch.cat([rows, c], 1).T, correction=0)
    sxx, sxc, scc = moments[:d, :d], moments[:d, d:], moments[d:, d:]
    slopes = torch.linalg.solve(scc, sxc.T)
    covariance = sxx - sxc @ slopes
    base = ConditionalBase.fit(x, c)
    told = base.for_rows(c)
    expected = (rows.mean(0) + c @ slopes).reshape(x.shape)
    torch.testing.assert_close(told.mean, expected)
    sigma = 0.7
    noisy = covariance + sigma**2 * torch.eye(d, dtype=F64)
    gaussian = torch.distributions.MultivariateNormal(expected.reshape(N, d), noisy)
    torch.testing.assert_close(told.log_density(x, sigma), gaussian.log_prob(rows))
    gain = torch.linalg.solve(noisy, (rows - expected.reshape(N, d)).T)
    denoised = expected + (covariance @ gain).T.reshape(x.shape)
    torch.testing.assert_close(told(x, torch.full((N,), sigma, dtype=F64)), denoised)
    posterior = covariance - covariance @ torch.linalg.solve(noisy, covariance)
    scale = told.residual_scale(torch.tensor(sigma, dtype=F64))
    torch.testing.assert_close(scale, (posterior.trace() / d).sqrt().expand(N))
    noised = told.noised_scale(torch.full((N,), sigma, dtype=F64))
    torch.testing.assert_close(noised, (noisy.trace() / d).sqrt().expand(N))


def test_rows_that_are_told_nothing_have_the_marginal_gaussian() -> None:
    x, c = joint()
    base, alone = ConditionalBase.fit(x, c), GaussianBase.fit(x)
    untold = base.for_rows(*absent((c,)))
    sigma = torch.linspace(0.1, 9, N, dtype=F64)
    z = normal((N, 3), c, seeded("z"))
    torch.testing.assert_close(untold.mean, alone.mean.expand(N, 3))
    torch.testing.assert_close(untold(x, sigma), alone(x, sigma))
    torch.testing.assert_close(untold.log_density(x, 0.5), alone.log_density(x, 0.5))
    torch.testing.assert_close(untold.draw(z, 2.0), alone.draw(z, 2.0))
    torch.testing.assert_close(untold.residual_scale(sigma), alone.residual_scale(sigma))
    torch.testing.assert_close(untold.noised_scale(sigma), alone.noised_scale(sigma))
    half = torch.cat([c[:2], absent((c[2:4],))[0]])
    mixed, told = base.for_rows(half), base.for_rows(c[:4])
    torch.testing.assert_close(mixed(x[:4], sigma[:4])[:2], told(x[:4], sigma[:4])[:2])
    torch.testing.assert_close(mixed(x[:4], sigma[:4])[2:], alone(x[2:4], sigma[2:4]))
    assert torch.equal(mixed.log_density(x[:4], 1.0)[2:], untold.log_density(x, 1.0)[2:4])


def test_what_is_drawn_has_the_conditional_mean_and_covariance() -> None:
    """4 standard errors of 40,000 draws."""
    x, c = joint()
    n = 40_000
    told = ConditionalBase.fit(x, c).for_rows(c[:1].expand(n, K))
    drawn = told.draw(normal((n, 3), c, seeded("drawn")), 0.5)
    residual = x - ConditionalBase.fit(x, c).for_rows(c).mean
    covariance = residual.T @ residual / N + 0.25 * torch.eye(3, dtype=F64)
    error = 4 * covariance.diagonal().sqrt() / math.sqrt(n)
    assert bool(((drawn.mean(0) - told.mean[0]).abs() < error).all())
    found = torch.cov(drawn.T)
    spread = covariance.diagonal().sqrt()
    assert bool(((found - covariance).abs() < 6 * torch.outer(spread, spread) / math.sqrt(n)).all())


def test_few_rows_or_columns_that_depend_on_each_other_are_no_obstacle() -> None:
    x, c = joint(n=19)  # fewer than ten rows a number of the condition
    assert torch.equal(ConditionalBase.fit(x, c).slopes, torch.zeros(K, 3, dtype=F64))
    x, c = joint()
    twice = ConditionalBase.fit(x, torch.cat([c, c[:, :1]], 1))
    once = ConditionalBase.fit(x, c)
    told = twice.for_rows(torch.cat([c, c[:, :1]], 1))
    torch.testing.assert_close(told.mean, once.for_rows(c).mean)


def test_a_network_is_scaled_by_the_gaussian_of_its_row() -> None:
    """D = D_Gauss + c_out F((x − E[x₀ | c])/√(mean variance), ln σ, c), row by row."""

    class Wave(nn.Module):
        def forward(self, x: Tensor, log_sigma: Tensor, condition: Tensor) -> Tensor:
            return torch.sin(x) * log_sigma[:, None] + condition.nan_to_num(5.0).sum(1)[:, None]

    x, c = joint()
    c = torch.cat([c[:100], absent((c[100:],))[0]])
    base = ConditionalBase.fit(*joint())
    sigma = torch.linspace(0.1, 9, N, dtype=F64)
    out = PreconditionedDenoiser(Wave(), base)(x, sigma, c)
    told = base.for_rows(c)
    inner = Wave()((x - told.mean) / told.noised_scale(sigma)[:, None], sigma.log(), c)
    torch.testing.assert_close(out, told(x, sigma) + told.residual_scale(sigma)[:, None] * inner)
    alone = base.marginal.residual_scale(sigma)
    assert bool((told.residual_scale(sigma)[:100] < alone[:100]).all())
    assert torch.equal(told.residual_scale(sigma)[100:], alone[100:])


def test_shapes_that_do_not_agree_are_refused() -> None:
    x, c = joint()
    base = ConditionalBase.fit(x, c)
    for wrong in ((), (c[:, :1],), (c[:, 0],)):
        with pytest.raises(InvalidInput, match="with a condition of 2 numbers a row"):
            base.for_rows(*wrong)
    with pytest.raises(InvalidInput, match=r"slopes \(k, 3\)"):
        ConditionalBase(base.marginal, base.residual, torch.zeros(K, 2))


def test_the_shift_is_not_rounded_to_sixteen_bits() -> None:
    x, c = (each.float() for each in joint())
    base = ConditionalBase.fit(x, c)
    full = base.for_rows(c).mean
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(base.for_rows(c).mean, full)
        sigma = torch.full((N,), 0.01)
        torch.testing.assert_close(base.for_rows(c)(x, sigma), x, atol=0.02, rtol=0)
