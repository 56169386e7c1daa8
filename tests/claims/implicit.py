"""Claims about implicit score matching, tr ∂s_θ + ½‖s_θ‖², with exact and randomised traces."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from claims import truths
from claims.claim import Claim, Outcome, argmin_exact, average, equal, same, spread
from claims.cost import passes
from claims.explicit import gaussian_mean
from claims.truths import DOUBLE, GAUSSIAN, MIXTURE, OTHER_GAUSSIAN, OTHER_MIXTURE, ScaledScore
from scorematching.calculus import Exact, from_energy, score_of
from scorematching.hutchinson import (
    GaussianProbes,
    Hutchinson,
    Probes,
    Rademacher,
    SphereProbes,
)
from scorematching.objectives import esm, ism
from scorematching.random import seeded

NAME = "ism"
ROWS = 40_000


@dataclass
class EverySign:
    """The 2ᵈ vectors of signs in turn: their mean is the mean over the law of `Rademacher`."""

    calls: itertools.count[int] = field(default_factory=itertools.count)

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        d = math.prod(x.shape[1:])
        bits = next(self.calls) >> torch.arange(d)
        return (1.0 - 2.0 * (bits & 1)).to(x).reshape(x.shape[1:]).expand(x.shape)


@dataclass(frozen=True)
class UnitProbes:
    """v uniform on the sphere of radius 1: the mistake that divides a trace by d."""

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        v = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        return v / v.flatten(1).norm(dim=1).reshape(-1, *(1,) * (x.ndim - 1))


LAWS: dict[str, Probes] = {
    "Rademacher": Rademacher(),
    "Gaussian": GaussianProbes(),
    "sphere": SphereProbes(),
}


def off_diagonal(a: Tensor) -> Tensor:
    """2 Σ_{i≠j} a_ij², the variance of vᵀAv for signs v and symmetric A."""
    return 2 * ((a**2).sum((-1, -2)) - (torch.diagonal(a, dim1=-2, dim2=-1) ** 2).sum(-1))


def frobenius(a: Tensor) -> Tensor:
    """2‖A‖²_F, the variance of vᵀAv for v ~ N(0, I) and symmetric A."""
    return 2 * (a**2).sum((-1, -2))


def sphere_variance(a: Tensor) -> Tensor:
    """2(d‖A‖²_F − (tr A)²)/(d + 2), the variance of vᵀAv for v uniform on the √d-sphere."""
    d = a.shape[-1]
    trace = torch.diagonal(a, dim1=-2, dim2=-1).sum(-1)
    return 2 * (d * (a**2).sum((-1, -2)) - trace**2) / (d + 2)


VARIANCES: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "Rademacher": ("2 Σ_{i≠j} a_ij²", off_diagonal),
    "Gaussian": ("2‖A‖²_F", frobenius),
    "sphere": ("2(d‖A‖²_F − (tr A)²)/(d + 2)", sphere_variance),
}


def rows_gaussian() -> Outcome:
    x, _ = GAUSSIAN.nodes(4)
    k, gap = OTHER_GAUSSIAN.precision, x - OTHER_GAUSSIAN.mean
    expected = -k.trace() + ((gap @ k) ** 2).sum(1) / 2
    return equal(ism(OTHER_GAUSSIAN.score, x, Exact()), expected)


def mixture_rows(x: Tensor) -> Tensor:
    """tr ∂s + ½‖s‖² of the other mixture, its Jacobian written out."""
    jacobian = OTHER_MIXTURE.jacobian(x)
    trace = jacobian.diagonal(dim1=1, dim2=2).sum(1)
    return trace + (OTHER_MIXTURE.score(x) ** 2).sum(1) / 2


def rows_mixture() -> Outcome:
    x, _ = MIXTURE.nodes(6.0, 0.5)
    return equal(ism(OTHER_MIXTURE.library().score, x, Exact()), mixture_rows(x))


def quartic(x: Tensor) -> Tensor:
    """¼‖x‖⁴ + Σ cos x_j."""
    return (x**2).sum(1) ** 2 / 4 + x.cos().sum(1)


def rows_of_quartic(sign: int) -> Tensor:
    """The rows of ½‖∇f‖² ± Δf, f = ¼‖x‖⁴ + Σ cos x_j, by hand."""
    x, _ = GAUSSIAN.nodes(4)
    square = (x**2).sum(1)
    gradient = square[:, None] * x - x.sin()
    laplacian = (x.shape[1] + 2) * square - x.cos().sum(1)
    return (gradient**2).sum(1) / 2 + sign * laplacian


def rows_energy() -> Outcome:
    return equal(ism(from_energy(quartic), GAUSSIAN.nodes(4)[0]), rows_of_quartic(-1))


def rows_log_density() -> Outcome:
    return equal(ism(score_of(quartic), GAUSSIAN.nodes(4)[0]), rows_of_quartic(1))


def mean_gaussian() -> Tensor:
    """−tr K + ½ tr(KΣK) + ½‖K(μ − m)‖²."""
    k = OTHER_GAUSSIAN.precision
    gap = k @ (GAUSSIAN.mean - OTHER_GAUSSIAN.mean)
    return -k.trace() + (k @ GAUSSIAN.covariance @ k).trace() / 2 + gap @ gap / 2


def relation_gaussian() -> Outcome:
    x, mass = GAUSSIAN.nodes()
    measured = (mass * ism(OTHER_GAUSSIAN.score, x)).sum()
    constant = -GAUSSIAN.precision.trace() / 2
    return equal(measured, gaussian_mean(OTHER_GAUSSIAN, GAUSSIAN) + constant)


def relation_mixture() -> Outcome:
    x, mass = MIXTURE.nodes()
    constant = -(mass * (MIXTURE.score(x) ** 2).sum(1)).sum() / 2
    models = [OTHER_MIXTURE.score, ScaledScore(MIXTURE.score, 0.7), truths.ShiftedMixture(0.5)]
    gaps = [(mass * (ism(m, x) - esm(m, x, MIXTURE.score))).sum() for m in models]
    return equal(torch.stack(gaps), constant.expand(len(models)))


def boundary_half_normal() -> Outcome:
    """Data |z|, model −k(x − m): what implicit lacks of explicit + constant is p(0) s_θ(0)."""
    k, m = 1.3, 0.7
    x, weight = truths.segments([0.0, 1.0, 2.0, 4.0, 8.0, 12.0])
    mass = weight * math.sqrt(2 / math.pi) * torch.exp(-(x**2) / 2)
    implicit = (mass * ism(lambda x: -k * (x - m), x)).sum()
    explicit = (mass * esm(lambda x: -k * (x - m), x, lambda x: -x)).sum()
    constant = -(mass * x**2).sum() / 2
    return equal(implicit - explicit - constant, -math.sqrt(2 / math.pi) * k * m)


def boundary_uniform() -> Outcome:
    """Data uniform on [0, 1] (true score 0): the gap is s_θ(1) − s_θ(0)."""
    x, mass = truths.segments([0.0, 1.0])
    implicit = (mass * ism(lambda x: x**3 - torch.sin(x), x)).sum()
    explicit = (mass * esm(lambda x: x**3 - torch.sin(x), x, torch.zeros_like)).sum()
    return equal(implicit - explicit, 1 - math.sin(1))


def argmin_truncated() -> Outcome:
    """d/dm at the truth m = 0 of the location of a half-normal: p(0), not 0."""
    x, weight = truths.segments([0.0, 1.0, 2.0, 4.0, 8.0, 12.0])
    mass = weight * math.sqrt(2 / math.pi) * torch.exp(-(x**2) / 2)
    slope = truths.derivative(lambda m: (mass * ism(lambda x: m - x, x)).sum(), 0.0)
    return equal(slope, -math.sqrt(2 / math.pi))


def argmin_gaussian_scale() -> Outcome:
    x, mass = GAUSSIAN.nodes()

    def mean(a: Tensor) -> Tensor:
        return (mass * ism(ScaledScore(GAUSSIAN.score, a), x)).sum()

    return argmin_exact(*(truths.derivative(mean, a) for a in (0.8, 1.0, 1.25)))


def argmin_mixture_shift() -> Outcome:
    x, mass = MIXTURE.nodes()

    def mean(delta: Tensor) -> Tensor:
        return (mass * ism(truths.ShiftedMixture(delta), x)).sum()

    return argmin_exact(*(truths.derivative(mean, delta) for delta in (-0.3, 0.0, 0.3)))


def every_sign() -> Outcome:
    x, _ = MIXTURE.nodes(6.0, 0.5)
    trace = Hutchinson(n_probes=4, probes=EverySign())
    return equal(ism(OTHER_MIXTURE.library().score, x, trace), mixture_rows(x))


def hutchinson_gaussian(law: str, n_probes: int) -> Outcome:
    generator = seeded("claims", NAME, law, n_probes)
    x = GAUSSIAN.sample(ROWS, generator)
    trace = Hutchinson(n_probes, LAWS[law], generator)
    return average(ism(OTHER_GAUSSIAN.score, x, trace), mean_gaussian())


def hutchinson_excess(law: str, n_probes: int) -> Tensor:
    """ism with the random trace less ism with the exact one, at one row again and again."""
    generator = seeded("claims", NAME, "excess", law, n_probes)
    x = torch.tensor([[0.4, -0.9]], dtype=DOUBLE).expand(ROWS, 2)
    model = OTHER_MIXTURE.library().score
    return ism(model, x, Hutchinson(n_probes, LAWS[law], generator)) - ism(model, x, Exact())


def hutchinson_variance(law: str, n_probes: int) -> Outcome:
    jacobian = OTHER_MIXTURE.jacobian(torch.tensor([[0.4, -0.9]], dtype=DOUBLE))[0]
    expected = VARIANCES[law][1](jacobian) / n_probes
    return spread(hutchinson_excess(law, n_probes), expected)


def unit_probes_fail() -> Outcome:
    """With ‖v‖ = 1 the trace is divided by d: the mean is tr K (1 − 1/d) too large."""
    generator = seeded("claims", NAME, "unit")
    x = GAUSSIAN.sample(ROWS, generator)
    wrong = ism(OTHER_GAUSSIAN.score, x, Hutchinson(1, UnitProbes(), generator))
    right = ism(OTHER_GAUSSIAN.score, x, Exact())
    return average(wrong - right, OTHER_GAUSSIAN.precision.trace() * (1 - 1 / 3))


def cost(trace: Exact | Hutchinson, backward: int) -> Outcome:
    x, _ = GAUSSIAN.nodes(2)
    used = passes(lambda score: ism(score, x, trace), OTHER_GAUSSIAN.score)
    return same(str(used), f"1 forward, {backward} backward")


def claims() -> Iterator[Claim]:
    yield Claim(NAME, "each row, Gaussian", "−tr K + ½‖K(x − m)‖²", rows_gaussian)
    yield Claim(NAME, "each row, mixture", "tr ∂s + ½‖s‖², ∂s written out", rows_mixture)
    yield Claim(NAME, "each row of an energy φ", "½‖∇φ‖² − Δφ by hand", rows_energy)
    yield Claim(
        NAME, "each row of a log-density", "½‖∇ log p‖² + Δ log p by hand", rows_log_density
    )
    yield Claim(NAME, "implicit = explicit + constant, Gaussian", "D_F − ½ tr P", relation_gaussian)
    yield Claim(
        NAME,
        "implicit − explicit, mixture, three models",
        "−E ½‖s‖² by quadrature, whatever the model",
        relation_mixture,
    )
    yield Claim(
        NAME,
        "control: at a boundary the relation fails, half-normal data",
        "gap = −p(0) s_θ(0)",
        boundary_half_normal,
    )
    yield Claim(
        NAME,
        "control: at a boundary the relation fails, uniform data",
        "gap = s_θ(1) − s_θ(0)",
        boundary_uniform,
    )
    yield Claim(
        NAME,
        "control: and the truth is no minimum, half-normal data",
        "d/dm = −p(0) at the truth",
        argmin_truncated,
    )
    yield Claim(
        NAME, "least at the truth, precision × a", "d/da at a = 0.8, 1, 1.25", argmin_gaussian_scale
    )
    yield Claim(
        NAME,
        "least at the truth, mean moved by δ",
        "d/dδ at δ = −0.3, 0, 0.3",
        argmin_mixture_shift,
    )
    yield Claim(
        NAME, "over all 2ᵈ sign vectors Hutchinson is exact, mixture", "each row", every_sign
    )
    for law in LAWS:
        for n_probes in (1, 4):
            yield Claim(
                NAME,
                f"its mean with Hutchinson({n_probes}, {law}), Gaussian",
                "−tr K + ½ tr(KΣK) + ½‖K(μ − m)‖²",
                lambda law=law, n_probes=n_probes: hutchinson_gaussian(law, n_probes),
            )
        yield Claim(
            NAME,
            f"Hutchinson(2, {law}) is unbiased at one row, mixture",
            "0 = its mean − Exact",
            lambda law=law: average(hutchinson_excess(law, 2), 0.0),
        )
        for n_probes in (1, 4):
            yield Claim(
                NAME,
                f"variance of Hutchinson({n_probes}, {law}) at one row, mixture",
                f"{VARIANCES[law][0]}" + (f" / {n_probes}" if n_probes > 1 else ""),
                lambda law=law, n_probes=n_probes: hutchinson_variance(law, n_probes),
            )
    yield Claim(
        NAME, "control: probes of unit length are biased", "(1 − 1/d) tr K", unit_probes_fail
    )
    yield Claim(
        NAME,
        "passes through the model, Exact, d = 3",
        "1 forward, d backward",
        lambda: cost(Exact(), 3),
    )
    yield Claim(
        NAME,
        "passes through the model, Hutchinson(2)",
        "1 forward, n_probes backward",
        lambda: cost(Hutchinson(2), 2),
    )
