"""Claims about the regularised implicit objective, tr ∂s_θ + ½‖s_θ‖² + λ Σⱼ (∂ⱼsⱼ)²."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from claims import implicit, truths
from claims.claim import Claim, Outcome, argmin_exact, average, equal, same
from claims.cost import passes
from claims.implicit import LAWS
from claims.truths import (
    DOUBLE,
    GAUSSIAN,
    MIXTURE,
    OTHER_GAUSSIAN,
    OTHER_MIXTURE,
    Normal,
    ScaledScore,
)
from scorematching.calculus import Exact
from scorematching.hutchinson import Hutchinson
from scorematching.objectives import ism
from scorematching.random import seeded

NAME = "ism"
ROWS = 10_000
LAMBDA = 0.3
INDEPENDENT = Normal(GAUSSIAN.mean, torch.diag(truths.tensor([1.2, 0.8, 0.6])))


def squares(jacobian: Tensor) -> Tensor:
    """Σⱼ (∂ⱼsⱼ)²."""
    return (jacobian.diagonal(dim1=-2, dim2=-1) ** 2).sum(-1)


def rows_mixture() -> Outcome:
    x, _ = MIXTURE.nodes(6.0, 0.5)
    measured = ism(OTHER_MIXTURE.library().score, x, regularisation=LAMBDA)
    return equal(measured, implicit.mixture_rows(x) + LAMBDA * squares(OTHER_MIXTURE.jacobian(x)))


def mean_gaussian() -> Outcome:
    x, mass = GAUSSIAN.nodes()
    measured = (mass * ism(OTHER_GAUSSIAN.score, x, regularisation=LAMBDA)).sum()
    return equal(measured, implicit.mean_gaussian() + LAMBDA * squares(OTHER_GAUSSIAN.precision))


def excess(law: str, n_probes: int) -> Outcome:
    """The penalty by probes less the exact one, at one row again and again."""
    generator = seeded("claims", NAME, "penalty", law, n_probes)
    x = torch.tensor([[0.4, -0.9]], dtype=DOUBLE).expand(ROWS, 2)
    model, trace = OTHER_MIXTURE.library().score, Hutchinson(n_probes, LAWS[law], generator)
    rows = ism(model, x, trace, regularisation=LAMBDA) - ism(model, x, regularisation=LAMBDA)
    return average(rows, 0.0)


def argmin_scale() -> Outcome:
    """E = −a tr P + ½a² tr P + λa² Σ P_jj² is least at a* = tr P/(tr P + 2λ Σ P_jj²) < 1."""
    x, mass = GAUSSIAN.nodes()
    p = GAUSSIAN.precision
    least = (p.trace() / (p.trace() + 2 * LAMBDA * squares(p))).item()

    def mean(a: Tensor) -> Tensor:
        rows = ism(ScaledScore(GAUSSIAN.score, a), x, regularisation=LAMBDA)
        return (mass * rows).sum()

    return argmin_exact(*(truths.derivative(mean, least * a) for a in (0.8, 1.0, 1.25)))


def stands_for_blur() -> Outcome:
    """λ = σ²/2: the implicit loss of data blurred by σ, for a linear score of coordinates alone."""
    sigma = 0.5
    x, mass = GAUSSIAN.nodes()
    blurred, blurred_mass = GAUSSIAN.noised(sigma).nodes()
    measured = (mass * ism(INDEPENDENT.score, x, regularisation=sigma**2 / 2)).sum()
    return equal(measured, (blurred_mass * ism(INDEPENDENT.score, blurred)).sum())


def blur_needs_independence() -> Outcome:
    """Control: for correlated coordinates the blur has ½σ² Σ_{i≠j} (∂ᵢsⱼ)² more."""
    sigma = 0.5
    x, mass = GAUSSIAN.nodes()
    blurred, blurred_mass = GAUSSIAN.noised(sigma).nodes()
    penalised = (mass * ism(OTHER_GAUSSIAN.score, x, regularisation=sigma**2 / 2)).sum()
    k = OTHER_GAUSSIAN.precision
    gap = (blurred_mass * ism(OTHER_GAUSSIAN.score, blurred)).sum() - penalised
    return equal(gap, sigma**2 / 2 * ((k**2).sum() - squares(k)))


def cost(trace: Exact | Hutchinson, backward: int) -> Outcome:
    x, _ = GAUSSIAN.nodes(2)
    used = passes(lambda score: ism(score, x, trace, regularisation=0.1), OTHER_GAUSSIAN.score)
    return same(str(used), f"1 forward, {backward} backward")


def claims() -> Iterator[Claim]:
    penalty = f"λ = {LAMBDA}"
    yield Claim(
        NAME,
        f"regularised, each row, {penalty}, mixture",
        "tr ∂s + ½‖s‖² + λ Σ (∂ⱼsⱼ)², ∂s written out",
        rows_mixture,
    )
    yield Claim(
        NAME,
        f"regularised, its mean, {penalty}, Gaussian",
        "−tr K + ½ tr(KΣK) + ½‖K(μ − m)‖² + λ Σ K_jj²",
        mean_gaussian,
    )
    for law in LAWS:
        for n_probes in (2, 5):
            yield Claim(
                NAME,
                f"regularised, Hutchinson({n_probes}, {law}) is unbiased at one row, mixture",
                "0 = its mean − Exact",
                lambda law=law, n=n_probes: excess(law, n),
            )
    yield Claim(
        NAME,
        f"regularised, least at a flatter score, {penalty}, precision × a",
        "d/da at 0.8, 1, 1.25 times tr P/(tr P + 2λ Σ P_jj²)",
        argmin_scale,
    )
    yield Claim(
        NAME,
        "regularised, λ = σ²/2 stands for a blur by σ, independent linear score",
        "implicit loss at N(μ, Σ + σ²I)",
        stands_for_blur,
    )
    yield Claim(
        NAME,
        "control: not for a correlated one",
        "gap = ½σ² Σ_{i≠j} K_ij²",
        blur_needs_independence,
    )
    yield Claim(
        NAME,
        "regularised, passes through the model, Exact, d = 3",
        "1 forward, d backward",
        lambda: cost(Exact(), 3),
    )
    yield Claim(
        NAME,
        "regularised, passes through the model, Hutchinson(2)",
        "1 forward, n_probes backward",
        lambda: cost(Hutchinson(2), 2),
    )
