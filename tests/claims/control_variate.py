"""Claims about the control variate of denoising score matching, for small noise."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from claims import denoising, explicit, truths
from claims.claim import Claim, Outcome, argmin, average, equal, number, same
from claims.cost import passes
from claims.denoising import SCALE, Recorded
from claims.truths import GAUSSIAN, MIXTURE, OTHER_GAUSSIAN, OTHER_MIXTURE, ScaledScore
from scorematching.noise.kernels import GaussianKernel, LaplaceKernel
from scorematching.objectives import dsm
from scorematching.random import seeded

NAME = "dsm"
ROWS = 40_000
SMALL = 0.01


def rows_gaussian() -> Outcome:
    """The plain loss less zᵀs(x)/σ + (‖z‖² − d)/(2σ²), on the same 3 draws, σ per row."""
    generator = seeded("claims", NAME, "control variate")
    x = MIXTURE.sample(500, generator)
    width = torch.linspace(0.2, 2.0, 500, dtype=x.dtype)
    kernel, model = Recorded(GaussianKernel(width)), OTHER_MIXTURE.library().score
    state = generator.get_state()
    plain = dsm(model, x, None, 3, generator, kernel=kernel)
    variates = []
    for noised in kernel.drawn:
        z = (noised - x) / width[:, None]
        along = (z * OTHER_MIXTURE.score(x)).sum(1) / width
        variates.append(along + ((z**2).sum(1) - 2) / (2 * width**2))
    generator.set_state(state)
    measured = dsm(model, x, width, 3, generator, control_variate=True)
    return equal(measured, plain - torch.stack(variates).mean(0))


def rows_laplace() -> Outcome:
    """The plain loss less sign(x − x̃)ᵀs(x)/b taken with its sign; ‖∇ log q‖² = d/b² as it is."""
    generator = seeded("claims", NAME, "control variate", "Laplace")
    x = MIXTURE.sample(500, generator)
    state, kernel = generator.get_state(), Recorded(LaplaceKernel(SCALE))
    model = OTHER_MIXTURE.library().score
    plain = dsm(model, x, None, 2, generator, kernel=kernel)
    slopes = torch.stack([torch.sign(noised - x) / SCALE for noised in kernel.drawn])
    generator.set_state(state)
    measured = dsm(model, x, None, 2, generator, kernel=LaplaceKernel(SCALE), control_variate=True)
    return equal(measured, plain - (slopes * OTHER_MIXTURE.score(x)).sum(2).mean(0))


def mean_gaussian(sigma: float) -> Outcome:
    generator = seeded("claims", NAME, "control variate", "mean", repr(sigma))
    data = GAUSSIAN.sample(ROWS, generator)
    rows = dsm(OTHER_GAUSSIAN.score, data, sigma, 1, generator, control_variate=True)
    noised = explicit.gaussian_mean(OTHER_GAUSSIAN, GAUSSIAN.noised(sigma))
    return average(rows, noised + denoising.constant(sigma))


def slopes(reduced: bool) -> list[Tensor]:
    """d/da of each row's loss at a·s_σ of the mixture, a = 0.7, 1, 1.4, σ = 0.01."""
    generator = seeded("claims", NAME, "control variate", "argmin")
    data = MIXTURE.sample(ROWS, generator)
    state, noised = generator.get_state(), MIXTURE.noised(SMALL)

    def rows(a: Tensor) -> Tensor:
        generator.set_state(state)
        model = ScaledScore(noised.score, a)
        return dsm(model, data, SMALL, 1, generator, control_variate=reduced)

    return [truths.row_derivatives(rows, a) for a in (0.7, 1.0, 1.4)]


def without_it_the_minimum_is_lost() -> Outcome:
    """At σ = 0.01 the same draws do not tell the slope at a = 0.7 from zero without it."""
    z = []
    for reduced in (False, True):
        at = slopes(reduced)[0]
        z.append((at.mean() / at.std() * ROWS**0.5).item())
    return Outcome("∣z∣ < 4, z < −4", ", ".join(map(number, z)), "—", abs(z[0]) < 4 and z[1] < -4)


def in_single_precision() -> Outcome:
    """d/da in float32 at σ = 1e-4 against float64 on the same noise: the error over the spread."""
    data = GAUSSIAN.sample(2000, seeded("claims", NAME, "single"))
    z = torch.randn(data.shape, generator=seeded("claims", NAME, "z"), dtype=torch.float32)

    def slope(dtype: torch.dtype) -> Tensor:
        def score(x: Tensor) -> Tensor:
            return OTHER_GAUSSIAN.score(x.double()).to(dtype)

        def rows(a: Tensor) -> Tensor:
            model = ScaledScore(score, a.to(dtype))
            kernel = Fixed(z.to(dtype), 1e-4)
            return dsm(model, data.to(dtype), kernel=kernel, control_variate=True)

        return truths.row_derivatives(rows, 1.0).double()

    double, single = slope(torch.float64), slope(torch.float32)
    error = ((single - double).std() / double.std()).item()
    return Outcome("< 1%", "< 1%" if error < 0.01 else f"{error:.1%}", "—", error < 0.01)


class Fixed(GaussianKernel):
    """A Gaussian kernel with one given draw."""

    def __init__(self, z: Tensor, sigma: float) -> None:
        super().__init__(sigma)
        object.__setattr__(self, "z", z)

    def sample(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return x + self.sigma * self.z


def cost() -> Outcome:
    x, _ = GAUSSIAN.nodes(2)
    used = passes(lambda s: dsm(s, x, 0.1, 4, control_variate=True), OTHER_GAUSSIAN.score)
    return same(str(used), "5 forward, 0 backward")


def claims() -> Iterator[Claim]:
    yield Claim(
        NAME,
        "control variate, each row given its 3 Gaussian draws, σ per row, mixture",
        "½‖s_θ(x̃) + z/σ‖² − zᵀs_θ(x)/σ − (‖z‖² − d)/(2σ²)",
        rows_gaussian,
    )
    yield Claim(
        NAME,
        "control variate, each row given its 2 Laplace draws, mixture",
        "½‖s_θ(x̃) − k‖² + kᵀs_θ(x), k = ∇ log q",
        rows_laplace,
    )
    for sigma in (0.01, 0.6):
        yield Claim(
            NAME,
            f"control variate, the same mean, σ = {sigma}, Gaussian",
            "D_F(N(μ, Σ + σ²I)‖·) + d/(2σ²) − ½ tr (Σ + σ²I)⁻¹",
            lambda sigma=sigma: mean_gaussian(sigma),
        )
    yield Claim(
        NAME,
        "control variate, least at the score of the noised density, σ = 0.01, mixture",
        "d/da at a = 0.7, 1, 1.4",
        lambda: argmin(*slopes(True)),
    )
    yield Claim(
        NAME,
        "control: without it the same draws do not see the slope at a = 0.7",
        "mean over its standard error, without and with",
        without_it_the_minimum_is_lost,
    )
    yield Claim(
        NAME,
        "control variate, d/da in float32 at σ = 1e-4",
        "error over the spread of the rows",
        in_single_precision,
    )
    yield Claim(
        NAME,
        "control variate, passes through the model, n_noise = 4",
        "n_noise + 1 forward, 0 backward",
        cost,
    )
