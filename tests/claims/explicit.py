"""Claims about explicit score matching, ½‖s_θ − s‖²."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from claims import truths
from claims.claim import Claim, Outcome, argmin_exact, equal, same, zero
from claims.cost import passes
from claims.truths import GAUSSIAN, MIXTURE, OTHER_GAUSSIAN, OTHER_MIXTURE, ScaledScore
from scorematching.objectives import esm

NAME = "esm"


def gaussian_mean(model: truths.Normal, data: truths.Normal) -> Tensor:
    """D_F between Gaussians: ½ tr(AΣA) + ½‖K(μ − m)‖², A = K − P."""
    k, p = model.precision, data.precision
    gap = k @ (data.mean - model.mean)
    return ((k - p) @ data.covariance @ (k - p)).trace() / 2 + gap @ gap / 2


def rows_gaussian() -> Outcome:
    x, _ = GAUSSIAN.nodes(4)
    k, p = OTHER_GAUSSIAN.precision, GAUSSIAN.precision
    gap = x @ (p - k) + (k @ OTHER_GAUSSIAN.mean - p @ GAUSSIAN.mean)
    model = OTHER_GAUSSIAN.score
    return equal(esm(model, x, GAUSSIAN.score), (gap**2).sum(1) / 2)


def rows_mixture() -> Outcome:
    x, _ = MIXTURE.nodes(6.0, 0.5)
    model, data = OTHER_MIXTURE.library(), MIXTURE.library()
    gap = OTHER_MIXTURE.score(x) - MIXTURE.score(x)
    return equal(esm(model.score, x, data.score), (gap**2).sum(1) / 2)


def mean_gaussian() -> Outcome:
    x, mass = GAUSSIAN.nodes()
    measured = (mass * esm(OTHER_GAUSSIAN.score, x, GAUSSIAN.score)).sum()
    return equal(measured, gaussian_mean(OTHER_GAUSSIAN, GAUSSIAN))


def de_bruijn() -> tuple[Tensor, Tensor]:
    """D_F, and −d/dt KL(p_t‖q_t) at t = v by a difference of sixth order."""
    v = 0.2
    p, q = MIXTURE.noised(v**0.5), OTHER_MIXTURE.noised(v**0.5)
    x, mass = p.nodes()
    fisher = (mass * esm(q.library().score, x, p.library().score)).sum()

    def kl(t: float) -> Tensor:
        p, q = MIXTURE.noised(t**0.5), OTHER_MIXTURE.noised(t**0.5)
        x, mass = p.nodes()
        return (mass * (p.density(x) / q.density(x)).log()).sum()

    weights = {1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
    h = 0.005
    slope = sum(w * (kl(v + j * h) - kl(v - j * h)) for j, w in weights.items()) / h
    return fisher, -slope


def argmin_gaussian_scale() -> Outcome:
    x, mass = GAUSSIAN.nodes()

    def mean(a: Tensor) -> Tensor:
        return (mass * esm(ScaledScore(GAUSSIAN.score, a), x, GAUSSIAN.score)).sum()

    return argmin_exact(*(truths.derivative(mean, a) for a in (0.8, 1.0, 1.25)))


def argmin_mixture_shift() -> Outcome:
    x, mass = MIXTURE.nodes()

    def mean(delta: Tensor) -> Tensor:
        return (mass * esm(truths.ShiftedMixture(delta), x, MIXTURE.score)).sum()

    return argmin_exact(*(truths.derivative(mean, delta) for delta in (-0.3, 0.0, 0.3)))


def zero_at_truth() -> Outcome:
    x, _ = MIXTURE.nodes(6.0, 0.5)
    return zero(esm(MIXTURE.library().score, x, MIXTURE.score), (MIXTURE.score(x) ** 2).sum(1))


def cost() -> Outcome:
    x, _ = GAUSSIAN.nodes(2)
    used = passes(lambda score: esm(score, x, GAUSSIAN.score), OTHER_GAUSSIAN.score)
    return same(str(used), "1 forward, 0 backward")


def claims() -> Iterator[Claim]:
    yield Claim(NAME, "each row, Gaussian", "½‖K(x − m) − P(x − μ)‖²", rows_gaussian)
    yield Claim(NAME, "each row, mixture", "½‖s_θ − s‖², component by component", rows_mixture)
    yield Claim(NAME, "its mean, Gaussian", "½ tr((K − P)Σ(K − P)) + ½‖K(μ − m)‖²", mean_gaussian)
    yield Claim(
        NAME,
        "its mean, mixture, is the rate at which noise of variance t lowers KL",
        "−d/dt KL(p_t‖q_t) at t = 0.2, by differences",
        lambda: equal(*de_bruijn()),
    )
    yield Claim(NAME, "vanishes at the truth, mixture", "0 in every row", zero_at_truth)
    yield Claim(
        NAME, "least at the truth, precision × a", "d/da at a = 0.8, 1, 1.25", argmin_gaussian_scale
    )
    yield Claim(
        NAME,
        "least at the truth, mean moved by δ",
        "d/dδ at δ = −0.3, 0, 0.3",
        argmin_mixture_shift,
    )
    yield Claim(NAME, "passes through the model", "1 forward, 0 backward", cost)
