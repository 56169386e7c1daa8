"""Claims about sliced score matching, vᵀ∂s_θ v + ½(vᵀs_θ)², plain and variance-reduced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from claims import implicit, truths
from claims.claim import Claim, Outcome, argmin, average, equal, same, spread, zero
from claims.cost import passes
from claims.implicit import LAWS, VARIANCES, EverySign
from claims.truths import GAUSSIAN, MIXTURE, OTHER_GAUSSIAN, OTHER_MIXTURE, ScaledScore
from scorematching.hutchinson import Probes, Rademacher
from scorematching.objectives import esm, ssm
from scorematching.random import seeded

NAME = "ssm"
ROWS = 40_000
FORMS = {True: "reduced", False: "plain"}

# E[vvᵀ] of directions that are not isotropic: regular, and singular along the second coordinate.
REGULAR = truths.tensor([[1.5, 0.4, 0.0], [0.4, 0.6, -0.2], [0.0, -0.2, 0.9]])
SINGULAR = torch.diag(truths.tensor([1.5, 0.0, 1.5]))


@dataclass(frozen=True)
class Coloured:
    """v = √M r, r of signs: E[vvᵀ] = M."""

    second_moment: Tensor

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        values, vectors = torch.linalg.eigh(self.second_moment)
        return Rademacher()(x, generator) @ (vectors * values.clamp(min=0).sqrt() @ vectors.T)


@dataclass
class Recorded:
    """Draws of a law of probes, kept."""

    probes: Probes
    drawn: list[Tensor] = field(default_factory=list)

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        self.drawn.append(self.probes(x, generator))
        return self.drawn[-1]


def rows_given_probes(law: str, *, reduced: bool) -> Outcome:
    generator = seeded("claims", NAME, "rows", law)
    x = MIXTURE.sample(500, generator)
    probes = Recorded(LAWS[law])
    measured = ssm(OTHER_MIXTURE.library().score, x, 3, reduced, probes, generator)
    v = torch.stack(probes.drawn)
    slope = torch.einsum("mni,nij,mnj->mn", v, OTHER_MIXTURE.jacobian(x), v)
    s = OTHER_MIXTURE.score(x)
    along = (s**2).sum(1) if reduced else (v * s).sum(2) ** 2
    return equal(measured, (slope + along / 2).mean(0))


def every_sign(*, reduced: bool) -> Outcome:
    x, _ = MIXTURE.nodes(6.0, 0.5)
    measured = ssm(OTHER_MIXTURE.library().score, x, 4, reduced, EverySign())
    return equal(measured, implicit.mixture_rows(x))


def mean_gaussian(law: str, n_probes: int, *, reduced: bool) -> Outcome:
    generator = seeded("claims", NAME, law, n_probes)
    x = GAUSSIAN.sample(ROWS, generator)
    rows = ssm(OTHER_GAUSSIAN.score, x, n_probes, reduced, LAWS[law], generator)
    return average(rows, implicit.mean_gaussian())


def mean_mixture(*, reduced: bool) -> Outcome:
    """Against E_p[ism] by quadrature."""
    generator = seeded("claims", NAME, "mixture")
    x, mass = MIXTURE.nodes()
    expected = (mass * implicit.mixture_rows(x)).sum()
    rows = ssm(
        OTHER_MIXTURE.library().score,
        MIXTURE.sample(ROWS, generator),
        2,
        reduced,
        generator=generator,
    )
    return average(rows, expected)


def mean_coloured() -> Outcome:
    """−tr(KM) + ½ tr(M(KΣK + gggᵀ)) with g = K(μ − m)."""
    generator = seeded("claims", NAME, "coloured")
    k = OTHER_GAUSSIAN.precision
    g = k @ (GAUSSIAN.mean - OTHER_GAUSSIAN.mean)
    second = k @ GAUSSIAN.covariance @ k + torch.outer(g, g)
    expected = -(k @ REGULAR).trace() + (REGULAR @ second).trace() / 2
    x = GAUSSIAN.sample(ROWS, generator)
    rows = ssm(OTHER_GAUSSIAN.score, x, 1, False, Coloured(REGULAR), generator)
    return average(rows, expected)


def argmin_scale(probes: Probes, *, reduced: bool) -> Outcome:
    """Slopes in a of the score a·s of the Gaussian, at a = 0.8, 1 and 1.25."""
    generator = seeded("claims", NAME, "argmin", repr(probes), int(reduced))
    x = GAUSSIAN.sample(ROWS, generator)
    state = generator.get_state()

    def rows(a: Tensor) -> Tensor:
        generator.set_state(state)
        return ssm(ScaledScore(GAUSSIAN.score, a), x, 1, reduced, probes, generator)

    return argmin(*(truths.row_derivatives(rows, a) for a in (0.8, 1.0, 1.25)))


def argmin_shift() -> Outcome:
    generator = seeded("claims", NAME, "shift")
    x = MIXTURE.sample(ROWS, generator)
    state = generator.get_state()

    def rows(delta: Tensor) -> Tensor:
        generator.set_state(state)
        return ssm(truths.ShiftedMixture(delta), x, 2, generator=generator)

    return argmin(*(truths.row_derivatives(rows, delta) for delta in (-0.3, 0.0, 0.3)))


def singular_is_blind() -> Outcome:
    """A model that is wrong along the unseen coordinate has the loss of the truth, row by row."""
    x = GAUSSIAN.sample(500, seeded("claims", NAME, "blind"))

    def wrong(x: Tensor) -> Tensor:
        return GAUSSIAN.score(x) + truths.tensor([0.0, 3.0, 0.0]) * x[:, 1:2].sin()

    rows = [
        ssm(model, x, 2, False, Coloured(SINGULAR), seeded("claims", NAME, "probes"))
        for model in (wrong, GAUSSIAN.score)
    ]
    assert esm(wrong, x, GAUSSIAN.score).mean() > 1
    return zero(rows[0] - rows[1], rows[1])


def regular_sees() -> Outcome:
    """The same model under regular directions: the excess is ½ E (vᵀ(s_θ − s))²."""
    generator = seeded("claims", NAME, "sees")
    x = GAUSSIAN.sample(ROWS, generator)

    def wrong(x: Tensor) -> Tensor:
        return GAUSSIAN.score(x) + truths.tensor([0.0, 3.0, 0.0])

    state = generator.get_state()
    losses = []
    for model in (wrong, GAUSSIAN.score):
        generator.set_state(state)
        losses.append(ssm(model, x, 1, False, Coloured(REGULAR), generator))
    return average(losses[0] - losses[1], 9 * REGULAR[1, 1] / 2)


def reduced_needs_identity() -> Outcome:
    """d/da at the truth a = 1 of the reduced form: tr P − tr(PM), not 0."""
    generator = seeded("claims", NAME, "reduced")
    x = GAUSSIAN.sample(ROWS, generator)

    def rows(a: Tensor) -> Tensor:
        return ssm(ScaledScore(GAUSSIAN.score, a), x, 1, True, Coloured(REGULAR), generator)

    p = GAUSSIAN.precision
    return average(truths.row_derivatives(rows, 1.0), p.trace() - (p @ REGULAR).trace())


def variance(law: str, n_probes: int, *, reduced: bool) -> Outcome:
    """Var over rows of the mean over v, plus the mean over rows of the variance over v.

    Given the row, vᵀ∂s v + ½(vᵀs)² = vᵀ(−K + ½ssᵀ)v is a quadratic form in v; the mean over rows
    is exact by Gauss–Hermite nodes.
    """
    x, mass = GAUSSIAN.nodes()
    k, s = OTHER_GAUSSIAN.precision, OTHER_GAUSSIAN.score(x)
    form = -k.expand(len(x), 3, 3)
    if not reduced:
        form = form + s[:, :, None] * s[:, None, :] / 2
    given = -k.trace() + (s**2).sum(1) / 2
    between = (mass * given**2).sum() - (mass * given).sum() ** 2
    within = (mass * VARIANCES[law][1](form)).sum()
    generator = seeded("claims", NAME, "variance", law, n_probes)
    data = GAUSSIAN.sample(2 * ROWS, generator)
    rows = ssm(OTHER_GAUSSIAN.score, data, n_probes, reduced, LAWS[law], generator)
    return spread(rows, between + within / n_probes)


def cost(*, reduced: bool) -> Outcome:
    x, _ = GAUSSIAN.nodes(2)
    used = passes(lambda score: ssm(score, x, 4, reduced), OTHER_GAUSSIAN.score)
    return same(str(used), "1 forward, 4 backward")


def claims() -> Iterator[Claim]:
    for reduced, form in FORMS.items():
        second = "½‖s‖²" if reduced else "½(vᵀs)²"
        yield Claim(
            NAME,
            f"each row given its 3 directions, {form}, mixture",
            f"mean of vᵀ∂s v + {second}, ∂s written out",
            lambda reduced=reduced: rows_given_probes("Gaussian", reduced=reduced),
        )
        yield Claim(
            NAME,
            f"over all 2ᵈ sign vectors it is the implicit row, {form}, mixture",
            "tr ∂s + ½‖s‖²",
            lambda reduced=reduced: every_sign(reduced=reduced),
        )
        for law in LAWS:
            for n_probes in (1, 4):
                yield Claim(
                    NAME,
                    f"its mean, {form}, {n_probes} {law}, Gaussian",
                    "−tr K + ½ tr(KΣK) + ½‖K(μ − m)‖²",
                    lambda law=law, n=n_probes, reduced=reduced: mean_gaussian(
                        law, n, reduced=reduced
                    ),
                )
        yield Claim(
            NAME,
            f"its mean, {form}, 2 Rademacher, mixture",
            "E[tr ∂s + ½‖s‖²] by quadrature",
            lambda reduced=reduced: mean_mixture(reduced=reduced),
        )
        yield Claim(
            NAME,
            f"least at the truth, {form}, precision × a",
            "d/da at a = 0.8, 1, 1.25",
            lambda reduced=reduced: argmin_scale(Rademacher(), reduced=reduced),
        )
    yield Claim(
        NAME,
        "least at the truth, reduced, mean of the mixture moved by δ",
        "d/dδ at δ = −0.3, 0, 0.3",
        argmin_shift,
    )
    yield Claim(
        NAME,
        "its mean, plain, E[vvᵀ] = M ≻ 0, Gaussian",
        "−tr(KM) + ½ tr(M(KΣK + ggᵀ)), g = K(μ − m)",
        mean_coloured,
    )
    yield Claim(
        NAME,
        "keeps its zero for E[vvᵀ] = M ≻ 0, plain, precision × a",
        "d/da at a = 0.8, 1, 1.25",
        lambda: argmin_scale(Coloured(REGULAR), reduced=False),
    )
    yield Claim(NAME, "M ≻ 0 sees an error along e₂, plain", "½ · 3² · M₂₂", regular_sees)
    yield Claim(
        NAME,
        "control: a singular M does not; another score has the loss of the truth",
        "loss(s + 3 sin(x₂) e₂) − loss(s) = 0 in every row",
        singular_is_blind,
    )
    yield Claim(
        NAME,
        "control: the reduced form moves its minimum for M ≠ I",
        "d/da = tr P − tr(PM) at the truth",
        reduced_needs_identity,
    )
    for reduced, form in FORMS.items():
        for law, n_probes in (("Rademacher", 1), ("Rademacher", 4), ("Gaussian", 1)):
            matrix = "K" if reduced else "K − ½ssᵀ"
            yield Claim(
                NAME,
                f"variance of a row, {form}, {n_probes} {law}, Gaussian",
                f"Var[ism] + E[{VARIANCES[law][0]}]/{n_probes}, A = {matrix}",
                lambda law=law, n=n_probes, reduced=reduced: variance(law, n, reduced=reduced),
            )
        yield Claim(
            NAME,
            f"passes through the model, {form}, 4 directions",
            "1 forward, n_probes backward",
            lambda reduced=reduced: cost(reduced=reduced),
        )
