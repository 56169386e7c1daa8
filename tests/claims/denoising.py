"""Claims about denoising score matching, ½‖s_θ(x̃) − ∇ log q(x̃|x)‖²."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from claims import explicit, truths
from claims.claim import Claim, Outcome, argmin, average, equal, same, spread
from claims.cost import passes
from claims.truths import GAUSSIAN, MIXTURE, OTHER_GAUSSIAN, OTHER_MIXTURE, ScaledScore
from scorematching.noise.kernels import GaussianKernel, LaplaceKernel, NoiseKernel
from scorematching.objectives import dsm
from scorematching.random import seeded

NAME = "dsm"
ROWS = 40_000
SIGMA = 0.6
SCALE = 0.5  # of the Laplace kernel

# In one dimension, under Laplace noise: data, and a model that is another mixture.
LINE = truths.LaplaceNoisedMixture((0.4, 0.6), (-1.0, 0.8), (0.6, 0.9), SCALE)
OTHER_LINE = truths.LaplaceNoisedMixture((0.5, 0.5), (-0.5, 1.2), (0.8, 0.7), SCALE)


@dataclass
class Recorded:
    """A noise kernel that keeps its draws."""

    kernel: NoiseKernel
    drawn: list[Tensor] = field(default_factory=list)

    def sample(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        self.drawn.append(self.kernel.sample(x, generator))
        return self.drawn[-1]

    def score(self, noised: Tensor, x: Tensor) -> Tensor:
        return self.kernel.score(noised, x)


def rows_given_noise(kernel: type[GaussianKernel | LaplaceKernel]) -> Outcome:
    generator = seeded("claims", NAME, "rows", kernel.__name__)
    x = MIXTURE.sample(500, generator)
    width = torch.linspace(0.2, 2.0, 500, dtype=x.dtype)
    recorded = Recorded(kernel(width))
    measured = dsm(OTHER_MIXTURE.library().score, x, None, 3, generator, kernel=recorded)
    expected = []
    for noised in recorded.drawn:
        noise = noised - x
        if kernel is GaussianKernel:
            slope = -noise / width[:, None] ** 2
        else:
            slope = -noise / noise.abs() / width[:, None]
        expected.append(((OTHER_MIXTURE.score(noised) - slope) ** 2).sum(1) / 2)
    return equal(measured, torch.stack(expected).mean(0))


def constant(sigma: float) -> Tensor:
    """d/(2σ²) − ½ E‖s_σ‖² of the Gaussian."""
    return (3 / sigma**2 - GAUSSIAN.noised(sigma).precision.trace()) / 2


def mean_gaussian(n_noise: int) -> Outcome:
    generator = seeded("claims", NAME, "mean", n_noise)
    rows = dsm(OTHER_GAUSSIAN.score, GAUSSIAN.sample(ROWS, generator), SIGMA, n_noise, generator)
    noised = explicit.gaussian_mean(OTHER_GAUSSIAN, GAUSSIAN.noised(SIGMA))
    return average(rows, noised + constant(SIGMA))


def mean_mixture(n_noise: int) -> Outcome:
    """D_F at the noised mixture + constant, both by quadrature."""
    generator = seeded("claims", NAME, "mixture", n_noise)
    noised = MIXTURE.noised(SIGMA)
    x, mass = noised.nodes()
    true, model = noised.score(x), OTHER_MIXTURE.score(x)
    fisher = (mass * ((model - true) ** 2).sum(1)).sum() / 2
    shift = (2 / SIGMA**2 - (mass * (true**2).sum(1)).sum()) / 2
    data = MIXTURE.sample(ROWS, generator)
    rows = dsm(OTHER_MIXTURE.library().score, data, SIGMA, n_noise, generator)
    return average(rows, fisher + shift)


def mean_gaussian_laplace(n_noise: int) -> Outcome:
    """½ tr(K(Σ + 2b²I)K) + ½‖K(μ − m)‖² − tr K + d/(2b²), by Stein's identity."""
    generator = seeded("claims", NAME, "Laplace", n_noise)
    k = OTHER_GAUSSIAN.precision
    gap = k @ (GAUSSIAN.mean - OTHER_GAUSSIAN.mean)
    noised = GAUSSIAN.covariance + 2 * SCALE**2 * torch.eye(3, dtype=k.dtype)
    expected = ((k @ noised @ k).trace() + gap @ gap) / 2 - k.trace() + 3 / (2 * SCALE**2)
    data = GAUSSIAN.sample(ROWS, generator)
    kernel = LaplaceKernel(SCALE)
    rows = dsm(OTHER_GAUSSIAN.score, data, None, n_noise, generator, kernel=kernel)
    return average(rows, expected)


def mean_line_laplace(n_noise: int) -> Outcome:
    """D_F at the Normal–Laplace mixture + d/(2b²) − ½ E s_b², by quadrature."""
    generator = seeded("claims", NAME, "line", n_noise)
    x, weight = truths.segments([-20, -8, -4, -2, -1, 0, 1, 2, 4, 8, 20])
    density, true = LINE.density_and_score(x)
    _, model = OTHER_LINE.density_and_score(x)
    fisher = (weight * density * (model - true) ** 2).sum() / 2
    shift = (1 / SCALE**2 - (weight * density * true**2).sum()) / 2
    data = LINE.clean().sample(ROWS, generator)
    rows = dsm(OTHER_LINE.score, data, None, n_noise, generator, kernel=LaplaceKernel(SCALE))
    return average(rows, fisher + shift)


def slopes(
    score: Callable[[Tensor], Tensor], data: Tensor, kernel: NoiseKernel, generator: torch.Generator
) -> list[Tensor]:
    """Slopes in a of the loss of a·score at a = 0.7, 1 and 1.4, on the same draws."""
    state = generator.get_state()

    def rows(a: Tensor) -> Tensor:
        generator.set_state(state)
        return dsm(ScaledScore(score, a), data, None, 1, generator, kernel=kernel)

    return [truths.row_derivatives(rows, a) for a in (0.7, 1.0, 1.4)]


def argmin_gaussian() -> Outcome:
    generator = seeded("claims", NAME, "argmin")
    data = GAUSSIAN.sample(ROWS, generator)
    return argmin(*slopes(GAUSSIAN.noised(SIGMA).score, data, GaussianKernel(SIGMA), generator))


def argmin_mixture() -> Outcome:
    generator = seeded("claims", NAME, "argmin mixture")
    data = MIXTURE.sample(ROWS, generator)
    score = MIXTURE.library().diffused_score
    level = torch.full((ROWS,), SIGMA, dtype=data.dtype)
    noised = lambda x: score(x, torch.ones_like(level), level)  # noqa: E731
    return argmin(*slopes(noised, data, GaussianKernel(SIGMA), generator))


def argmin_laplace() -> Outcome:
    generator = seeded("claims", NAME, "argmin Laplace")
    data = LINE.clean().sample(ROWS, generator)
    return argmin(*slopes(LINE.score, data, LaplaceKernel(SCALE), generator))


def clean_score_is_no_minimum() -> Outcome:
    """At the score of the clean Gaussian d/da is tr(P²(Σ + σ²I)) − tr P = σ² tr P²."""
    generator = seeded("claims", NAME, "clean")
    data = GAUSSIAN.sample(ROWS, generator)
    at_one = slopes(GAUSSIAN.score, data, GaussianKernel(SIGMA), generator)[1]
    p = GAUSSIAN.precision
    return average(at_one, SIGMA**2 * (p @ p).trace())


def variance(n_noise: int) -> Outcome:
    """Given a row, the error e ~ N(u, C), u = −K(x − m), C = (I/σ − σK)²: a quadratic form.

    Var of a row = Var_x[½‖u‖² + ½ tr C] + E_x[½ tr C² + uᵀCu]/n_noise.
    """
    generator = seeded("claims", NAME, "variance", n_noise)
    x, mass = GAUSSIAN.nodes()
    root = torch.eye(3, dtype=x.dtype) / SIGMA - SIGMA * OTHER_GAUSSIAN.precision
    c, u = root @ root, OTHER_GAUSSIAN.score(x)
    given = (u**2).sum(1) / 2 + c.trace() / 2
    between = (mass * given**2).sum() - (mass * given).sum() ** 2
    within = (mass * ((c @ c).trace() / 2 + torch.einsum("ni,ij,nj->n", u, c, u))).sum()
    data = GAUSSIAN.sample(ROWS, generator)
    rows = dsm(OTHER_GAUSSIAN.score, data, SIGMA, n_noise, generator)
    return spread(rows, between + within / n_noise)


def cost() -> Outcome:
    x, _ = GAUSSIAN.nodes(2)
    used = passes(lambda score: dsm(score, x, SIGMA, 4), OTHER_GAUSSIAN.score)
    return same(str(used), "4 forward, 0 backward")


def claims() -> Iterator[Claim]:
    yield Claim(
        NAME,
        "each row given its 3 Gaussian draws, σ per row, mixture",
        "mean of ½‖s_θ(x̃) + (x̃ − x)/σ²‖²",
        lambda: rows_given_noise(GaussianKernel),
    )
    yield Claim(
        NAME,
        "each row given its 3 Laplace draws, b per row, mixture",
        "mean of ½‖s_θ(x̃) + sign(x̃ − x)/b‖²",
        lambda: rows_given_noise(LaplaceKernel),
    )
    for n in (1, 4, 16):
        yield Claim(
            NAME,
            f"= explicit at the noised density + constant, Gaussian, n_noise = {n}",
            "D_F(N(μ, Σ + σ²I)‖·) + d/(2σ²) − ½ tr (Σ + σ²I)⁻¹",
            lambda n=n: mean_gaussian(n),
        )
        yield Claim(
            NAME,
            f"= explicit at the noised density + constant, mixture, n_noise = {n}",
            "D_F(p_σ‖·) + d/(2σ²) − ½ E‖s_σ‖², by quadrature",
            lambda n=n: mean_mixture(n),
        )
        yield Claim(
            NAME,
            f"= explicit at the noised density + constant, Laplace kernel, n_noise = {n}",
            "the same at Normal–Laplace mixtures on the line, d/(2b²)",
            lambda n=n: mean_line_laplace(n),
        )
        yield Claim(
            NAME,
            f"its mean, Laplace kernel, Gaussian, n_noise = {n}",
            "½ tr(K(Σ + 2b²I)K) + ½‖K(μ − m)‖² − tr K + d/(2b²)",
            lambda n=n: mean_gaussian_laplace(n),
        )
    statement = "least at the score of the noised density, scaled by a"
    formula = "d/da at a = 0.7, 1, 1.4"
    yield Claim(NAME, f"{statement}, Gaussian", formula, argmin_gaussian)
    yield Claim(NAME, f"{statement}, mixture", formula, argmin_mixture)
    yield Claim(NAME, f"{statement}, Laplace kernel", formula, argmin_laplace)
    yield Claim(
        NAME,
        "control: the score of the clean density is no minimum, Gaussian",
        "d/da = σ² tr P² at a = 1",
        clean_score_is_no_minimum,
    )
    for n in (1, 4, 16):
        yield Claim(
            NAME,
            f"variance of a row, Gaussian, n_noise = {n}",
            "Var[½‖u‖²] + E[½ tr C² + uᵀCu]/n, u = K(x − m), C = (I/σ − σK)²",
            lambda n=n: variance(n),
        )
    yield Claim(NAME, "passes through the model, n_noise = 4", "n_noise forward, 0 backward", cost)
