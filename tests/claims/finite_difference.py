"""Claims about finite-difference sliced score matching, of a score and of a log-density."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from claims import implicit, truths
from claims.claim import Claim, Outcome, argmin, average, equal, number, same
from claims.cost import passes
from claims.implicit import EverySign
from claims.truths import GAUSSIAN, MIXTURE, OTHER_GAUSSIAN, OTHER_MIXTURE, ScaledScore
from scorematching.calculus import from_energy, score_of
from scorematching.hutchinson import GaussianProbes, Rademacher
from scorematching.objectives import fd_ssm, ssm
from scorematching.random import seeded
from scorematching.typing import Score

NAME = "fd_ssm"
ROWS = 40_000
EPSILON = 0.3  # large, so that its square shows

# The model of each form, and whether its second term is variance-reduced.
FORMS: dict[str, bool | None] = {"reduced": True, "plain": False, "log-density": None}
SMALL = (0.04, 0.02, 0.01)


def mixture_model(form: str) -> Score:
    """The other mixture as a score, or by its log-density."""
    library = OTHER_MIXTURE.library()
    return library.score if form != "log-density" else score_of(library.log_density)


def gaussian_model(form: str) -> Score:
    """The other Gaussian as a score, or by its log-density, up to a constant."""
    if form != "log-density":
        return OTHER_GAUSSIAN.score

    def log_density(x: Tensor) -> Tensor:
        gap = x - OTHER_GAUSSIAN.mean
        return -((gap @ OTHER_GAUSSIAN.precision) * gap).sum(1) / 2

    return score_of(log_density)


def exact_on_a_gaussian(form: str) -> Outcome:
    """The differences of what is linear or quadratic are exact at any ε."""
    x = GAUSSIAN.sample(500, seeded("claims", NAME, "rows"))
    law, draws = GaussianProbes(), ("claims", NAME, "Gaussian")
    reduced = FORMS[form]
    measured = fd_ssm(gaussian_model(form), x, 3, reduced, law, seeded(*draws), epsilon=0.7)
    expected = ssm(OTHER_GAUSSIAN.score, x, 3, bool(reduced), law, seeded(*draws))
    return equal(measured, expected)


def rows_of_quartic(form: str) -> Outcome:
    """−¼Σx⁴ along signs: each term of the differences by hand, ε² included."""
    x, _ = GAUSSIAN.nodes(4)
    generator = seeded("claims", NAME, "quartic")
    v = Rademacher()(x, seeded("claims", NAME, "quartic"))
    e2 = EPSILON**2
    if form == "log-density":
        model: Score = score_of(lambda x: -(x**4).sum(1) / 4)
        along, extra = (v * (x**3 + e2 * x)).sum(1) ** 2, e2 / 2
    else:
        model = lambda x: -(x**3)  # noqa: E731
        s = x**3 + 3 * e2 * x
        along = (s**2).sum(1) if form == "reduced" else (v * s).sum(1) ** 2
        extra = e2
    expected = -3 * (x**2).sum(1) - extra * x.shape[1] + along / 2
    measured = fd_ssm(model, x, 1, FORMS[form], None, generator, epsilon=EPSILON)
    return equal(measured, expected)


def energy_and_log_density() -> Outcome:
    x = MIXTURE.sample(500, seeded("claims", NAME, "energy"))
    library = OTHER_MIXTURE.library()
    models = score_of(library.log_density), from_energy(lambda x: -library.log_density(x))
    draws = ("claims", NAME, "signs")
    one, other = (fd_ssm(m, x, 2, generator=seeded(*draws), epsilon=EPSILON) for m in models)
    return equal(one, other)


def bias(form: str, epsilon: float) -> Tensor:
    """The mean over the mixture and over all signs, less the implicit loss; by quadrature."""
    x, mass = MIXTURE.nodes(7.0, 0.2)
    rows = fd_ssm(mixture_model(form), x, 4, FORMS[form], EverySign(), epsilon=epsilon)
    return (mass * (rows - implicit.mixture_rows(x))).sum() / mass.sum()


def order_of_the_bias(form: str) -> Outcome:
    """The slope of ln|bias| on ln ε by least squares."""
    steps = torch.tensor(SMALL, dtype=torch.float64).log()
    logs = torch.stack([bias(form, epsilon).abs().log() for epsilon in SMALL])
    centred = steps - steps.mean()
    order = ((centred @ logs) / (centred @ centred)).item()
    return Outcome("2", number(order), f"{order - 2:+.3f}", abs(order - 2) <= 0.02)


def size_of_the_bias(form: str) -> Outcome:
    """At ε = 0.01 the bias is ε² times its coefficient, read off at a larger ε by extrapolation."""
    at, half = bias(form, 0.1), bias(form, 0.05)
    coefficient = (16 * half - at) / 3 / 0.1**2  # the fourth order removed
    measured = bias(form, 0.01)
    expected = coefficient * 0.01**2
    error = ((measured - expected) / expected).abs().item()
    return Outcome(number(expected.item()), number(measured.item()), f"{error:.1%}", error <= 0.01)


def mean_gaussian(form: str, n_probes: int) -> Outcome:
    generator = seeded("claims", NAME, "mean", form, n_probes)
    x = GAUSSIAN.sample(ROWS, generator)
    rows = fd_ssm(gaussian_model(form), x, n_probes, FORMS[form], None, generator)
    return average(rows, implicit.mean_gaussian())


def argmin_shift(form: str) -> Outcome:
    generator = seeded("claims", NAME, "shift", form)
    x = MIXTURE.sample(ROWS // 2, generator)
    state = generator.get_state()

    def rows(delta: Tensor) -> Tensor:
        generator.set_state(state)
        model: Score = truths.ShiftedMixture(delta)
        if form == "log-density":
            model = score_of(lambda x: shifted_log_density(x, delta))
        return fd_ssm(model, x, 2, FORMS[form], None, generator, epsilon=0.01)

    return argmin(*(truths.row_derivatives(rows, delta) for delta in (-0.3, 0.0, 0.3)))


def shifted_log_density(x: Tensor, delta: Tensor) -> Tensor:
    """ln p of `MIXTURE` with its first mean moved by δ along (1, ½)."""
    move = delta * truths.tensor([[1.0, 0.5], [0.0, 0.0]])
    moved = truths.Mixture(MIXTURE.weights, MIXTURE.means + move, MIXTURE.covariances)
    return moved.density(x).log()


def argmin_scale(form: str) -> Outcome:
    generator = seeded("claims", NAME, "scale", form)
    x = GAUSSIAN.sample(ROWS, generator)
    state = generator.get_state()

    def rows(a: Tensor) -> Tensor:
        generator.set_state(state)
        return fd_ssm(ScaledScore(GAUSSIAN.score, a), x, 1, FORMS[form], None, generator)

    return argmin(*(truths.row_derivatives(rows, a) for a in (0.8, 1.0, 1.25)))


def in_single_precision() -> Outcome:
    """The error of float32 rows at the default ε and at ε = 1e-5, over the spread of the rows."""
    x = MIXTURE.sample(2000, seeded("claims", NAME, "single"))
    exact = ssm(OTHER_MIXTURE.library().score, x, 4, False, EverySign())
    errors = []
    for epsilon in (None, 1e-5):
        model = mixture_model("log-density")
        rows = fd_ssm(model, x.float(), 4, probes=EverySign(), epsilon=epsilon).double()
        errors.append(((rows - exact).std() / exact.std()).item())
    expected, holds = "< 0.1%, > 100%", errors[0] < 1e-3 and errors[1] > 1
    return Outcome(expected, expected if holds else f"{errors}", "—", holds)


def cost(form: str) -> Outcome:
    x, _ = GAUSSIAN.nodes(2)
    used = passes(lambda score: fd_ssm(score, x, 4, FORMS[form]), OTHER_GAUSSIAN.score)
    return same(str(used), "8 forward, 0 backward")


def cost_of_log_density() -> Outcome:
    calls = []
    x, _ = GAUSSIAN.nodes(2)

    def log_density(x: Tensor) -> Tensor:
        calls.append(len(x))
        return -(x**2).sum(1)

    fd_ssm(score_of(log_density), x, 4)
    return same(f"{len(calls)} forward, 0 backward", "9 forward, 0 backward")


def claims() -> Iterator[Claim]:
    second = {"reduced": "½‖s̄‖²", "plain": "½(vᵀs̄)²", "log-density": "½((f₊ − f₋)/2ε)²"}
    for form in FORMS:
        yield Claim(
            NAME,
            f"each row at ε = 0.7 is the sliced one, {form}, Gaussian",
            "vᵀ∂s v + ½(vᵀs)², reduced: ½‖s‖²",
            lambda form=form: exact_on_a_gaussian(form),
        )
        yield Claim(
            NAME,
            f"each row of −¼Σx⁴ at ε = {EPSILON}, {form}",
            f"differences by hand, second term {second[form]}",
            lambda form=form: rows_of_quartic(form),
        )
        for n_probes in (1, 4):
            yield Claim(
                NAME,
                f"its mean, {form}, {n_probes} Rademacher, Gaussian",
                "−tr K + ½ tr(KΣK) + ½‖K(μ − m)‖²",
                lambda form=form, n=n_probes: mean_gaussian(form, n),
            )
        yield Claim(
            NAME,
            f"order of the bias in ε, {form}, mixture",
            "slope of ln∣bias∣ on ln ε, all signs, by quadrature",
            lambda form=form: order_of_the_bias(form),
        )
        yield Claim(
            NAME,
            f"bias at ε = 0.01, {form}, mixture",
            "cε², c extrapolated from ε = 0.1 and 0.05",
            lambda form=form: size_of_the_bias(form),
        )
        yield Claim(
            NAME,
            f"least at the truth, {form}, mean of the mixture moved by δ",
            "d/dδ at δ = −0.3, 0, 0.3, ε = 0.01",
            lambda form=form: argmin_shift(form),
        )
    yield Claim(
        NAME,
        "error in float32 at the default ε, and control: at ε = 1e-5, log-density, mixture",
        "standard deviation over that of the rows",
        in_single_precision,
    )
    yield Claim(NAME, "each row of an energy φ", "that of −φ", energy_and_log_density)
    for form in ("reduced", "plain"):
        yield Claim(
            NAME,
            f"least at the truth, {form}, precision × a",
            "d/da at a = 0.8, 1, 1.25",
            lambda form=form: argmin_scale(form),
        )
        yield Claim(
            NAME,
            f"passes through the model, {form}, 4 directions",
            "2 n_probes forward, 0 backward",
            lambda form=form: cost(form),
        )
    yield Claim(
        NAME,
        "passes through the model, log-density, 4 directions",
        "1 + 2 n_probes forward, 0 backward",
        cost_of_log_density,
    )
