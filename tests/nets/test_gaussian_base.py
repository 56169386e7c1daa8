"""The Gaussian base against dense linear algebra, for every rank and event shape."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from scorematching.densities import gaussian
from scorematching.errors import InvalidInput
from scorematching.nets import GaussianBase, NoisedBase
from scorematching.random import normal, seeded

F64 = torch.float64
EXACT = {"rtol": 1e-9, "atol": 1e-9}

# name: (event shape, rows, largest rank)
SHAPES = {
    "numbers": ((), 40, 1024),
    "one column": ((1,), 40, 1024),
    "columns": ((4,), 60, 1024),
    "columns, low rank": ((6,), 60, 2),
    "matrices": ((2, 3), 60, 1024),
    "images": ((1, 3, 3), 80, 4),
    "rank 4": ((2, 1, 2, 2), 80, 1024),
    "fewer rows than columns": ((9,), 5, 1024),
    "fewer rows and low rank": ((9,), 5, 2),
    "two rows": ((3,), 2, 1024),
}


def rows_of(name: str) -> Tensor:
    """Correlated rows of unequal scales, in float64."""
    event, n, _ = SHAPES[name]
    d = math.prod(event)
    generator = seeded("gaussian base", name)
    mixing = normal((d, d), torch.zeros((), dtype=F64), generator) / math.sqrt(d)
    z = normal((n, d), mixing, generator)
    return (3 + z @ (mixing + torch.diag(torch.linspace(0.3, 2, d, dtype=F64)))).reshape(n, *event)


@pytest.fixture(params=SHAPES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def base(name: str) -> GaussianBase:
    return GaussianBase.fit(rows_of(name), max_rank=SHAPES[name][2])


def covariance(base: GaussianBase) -> Tensor:
    """U Λ Uᵀ + r (I − U Uᵀ), ``(d, d)``."""
    u = base.directions
    identity = torch.eye(len(u), dtype=u.dtype)
    return u @ torch.diag(base.variances) @ u.T + base.rest * (identity - u @ u.T)


def test_the_moments_are_those_of_probabilistic_principal_components(
    base: GaussianBase, name: str
) -> None:
    rows = rows_of(name)
    n, d = len(rows), rows[0].numel()
    flat = rows.reshape(n, d)
    centred = flat - flat.mean(0)
    eigenvalues, vectors = torch.linalg.eigh(centred.T @ centred / n)
    rank = min(d, n - 1, SHAPES[name][2])
    tail = eigenvalues[: d - rank]
    kept = eigenvalues.clone()
    floor = 1e-8 * eigenvalues[-1]
    kept[: d - rank] = tail.mean() if len(tail) else 0.0
    expected = vectors @ torch.diag(kept.clamp(min=floor)) @ vectors.T
    torch.testing.assert_close(base.mean, rows.mean(0), **EXACT)
    torch.testing.assert_close(covariance(base), expected, **EXACT)
    gram = base.directions.T @ base.directions
    torch.testing.assert_close(gram, torch.eye(rank, dtype=F64), **EXACT)


def test_the_denoiser_is_the_conditional_mean(base: GaussianBase, name: str) -> None:
    rows = rows_of(name)[:2] + 0.5
    flat = rows.reshape(2, -1)
    sigma = torch.tensor([0.3, 4.0], dtype=F64)
    c = covariance(base)
    identity = torch.eye(len(c), dtype=F64)
    mean = base.mean.reshape(-1)
    expected = [
        mean + c @ torch.linalg.solve(c + s**2 * identity, x - mean)
        for x, s in zip(flat, sigma, strict=True)
    ]
    torch.testing.assert_close(base(rows, sigma), torch.stack(expected).reshape(rows.shape))
    # One level for all rows, and a control: the level enters squared.
    torch.testing.assert_close(base(rows, sigma[1])[1], base(rows, sigma)[1])
    assert not torch.allclose(base(rows, sigma.sqrt()), base(rows, sigma))


def test_denoiser_and_density_are_those_of_the_closed_form_gaussian(
    base: GaussianBase, name: str
) -> None:
    x = rows_of(name)[:5] + 0.1
    flat = x.reshape(len(x), -1)
    mean, c = base.mean.reshape(-1), covariance(base)
    for sigma in (0.05, 2.0):
        noised = gaussian(mean, c + sigma**2 * torch.eye(len(c), dtype=F64))
        torch.testing.assert_close(base.log_density(x, sigma), noised.log_density(flat))
        torch.testing.assert_close(NoisedBase(base, sigma).log_density(x), noised.log_density(flat))
        score = noised.score(flat).reshape(x.shape)
        torch.testing.assert_close(base(x, torch.tensor(sigma)), x + sigma**2 * score)


def test_draws_have_the_noised_covariance_exactly(base: GaussianBase) -> None:
    d, sigma = len(base.directions), 0.7
    identity = torch.eye(d, dtype=F64)
    root = (base.draw(identity.reshape(d, *base.mean.shape), sigma) - base.mean).reshape(d, d)
    torch.testing.assert_close(root.T @ root, covariance(base) + sigma**2 * identity, **EXACT)
    zero = torch.zeros(1, *base.mean.shape, dtype=F64)
    torch.testing.assert_close(base.draw(zero, sigma)[0], base.mean)


def test_the_residual_scale_is_the_root_of_the_mean_posterior_variance(base: GaussianBase) -> None:
    c = covariance(base)
    d = len(c)
    identity = torch.eye(d, dtype=F64)
    sigma = torch.tensor([0.05, 1.0, 20.0], dtype=F64)
    expected = torch.stack(
        [
            (torch.trace(c - c @ torch.linalg.solve(c + s**2 * identity, c)) / d).sqrt()
            for s in sigma
        ]
    )
    torch.testing.assert_close(base.residual_scale(sigma), expected)
    torch.testing.assert_close(base.residual_scale(sigma[1]), expected[1])
    assert bool((base.residual_scale(sigma) <= sigma).all())
    noised = (torch.trace(c) / d + sigma**2).sqrt()
    torch.testing.assert_close(base.noised_scale(sigma), noised)


def test_both_ways_to_the_principal_components_agree() -> None:
    rows = rows_of("columns")
    wide = torch.cat([rows, torch.zeros(len(rows), 100, dtype=F64)], 1)  # more columns than rows
    few, many = GaussianBase.fit(wide, max_rank=4), GaussianBase.fit(rows, max_rank=4)
    torch.testing.assert_close(few.variances, many.variances, **EXACT)
    torch.testing.assert_close(covariance(few)[:4, :4], covariance(many), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_variances_in_float32_rows_are_summed_in_float64(scale: float) -> None:
    """4,000 ones ± 1e-3: a float32 sum of squares would be off by far more than the tolerance."""
    z = normal((4000, 2), torch.zeros((), dtype=F64), seeded("float32"))
    rows = (scale * (1 + 1e-3 * z)).float()
    base = GaussianBase.fit(rows)
    expected = torch.cov(rows.double().T, correction=0)
    assert base.mean.dtype == base.variances.dtype == torch.float32
    torch.testing.assert_close(covariance(base).double(), expected, rtol=1e-5, atol=0)


def test_a_base_moves_and_saves_with_its_module_and_has_no_parameters(base: GaussianBase) -> None:
    assert list(base.parameters()) == []
    assert set(base.state_dict()) == {"mean", "directions", "variances", "rest"}
    assert base.float()(torch.zeros(2, *base.mean.shape), torch.tensor(1.0)).dtype == torch.float32


@pytest.mark.parametrize(
    "shapes",
    [
        ((3,), (2, 2), (2,), ()),
        ((3,), (3, 2), (3,), ()),
        ((3,), (3, 2), (2,), (1,)),
        ((3,), (3,), (3,), ()),
    ],
)
def test_parts_of_other_shapes_are_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(InvalidInput, match="directions must have shape"):
        GaussianBase(*(torch.ones(shape) for shape in shapes))
