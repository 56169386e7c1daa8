"""Claims about what an objective's randomness costs: the variance of the gradient of one row.

A Gaussian with precision P and the family of scores a·s, at the truth a = 1; for denoising the
score of the noised density. The gradient in a is at most quadratic in Gaussian variables, so that
Gauss–Hermite nodes give its variance without error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from claims import truths
from claims.claim import Claim, Outcome, spread
from claims.cost import Passes, passes
from claims.implicit import LAWS, VARIANCES
from claims.truths import GAUSSIAN, Normal, ScaledScore
from scorematching.hutchinson import Hutchinson
from scorematching.objectives import dsm, fd_ssm, ism, ssm
from scorematching.random import seeded
from scorematching.typing import Score

ROWS = 40_000

# σ, the number of draws, and whether the control variate is used.
NOISE = (
    (0.01, 1, False),
    (0.01, 1, True),
    (0.1, 1, False),
    (0.1, 1, True),
    (0.5, 1, False),
    (0.5, 4, False),
    (0.5, 16, False),
    (0.5, 1, True),
    (2.0, 1, False),
    (2.0, 1, True),
)


@dataclass(frozen=True)
class Entry:
    """An objective at one setting: its loss, the family's score at a = 1, and in closed form the
    variance of a row's derivative in a and the mean of the second derivative, E‖s‖²."""

    objective: str
    setting: str
    loss: Callable[[Score, Tensor, torch.Generator], Tensor]
    truth: Score
    variance: float
    curvature: float

    def measure(self) -> Outcome:
        generator = seeded("claims", "efficiency", self.objective, self.setting)
        x = GAUSSIAN.sample(ROWS, generator)
        slopes = truths.row_derivatives(
            lambda a: self.loss(ScaledScore(self.truth, a), x, generator), 1.0
        )
        return spread(slopes, self.variance)

    @property
    def estimate_variance(self) -> float:
        """n·Var(â) as n → ∞, the sandwich Var(gradient)/curvature²."""
        return self.variance / self.curvature**2

    def passes(self) -> Passes:
        """Passes of the loss through the model; the parameters' gradient doubles them for all."""
        x, _ = GAUSSIAN.nodes(2)
        return passes(lambda score: self.loss(score, x, seeded("claims", "passes")), self.truth)


def sliced_variance(law: str, n_probes: int, *, reduced: bool) -> float:
    """Var_x[‖s‖²] + E_x Var_v[vᵀAv]/n, A = −P, or −P + ssᵀ for the plain form."""
    x, mass = GAUSSIAN.nodes()
    s, p = GAUSSIAN.score(x), GAUSSIAN.precision
    form = -p.expand(len(x), 3, 3)
    if not reduced:
        form = form + s[:, :, None] * s[:, None, :]
    square = (s**2).sum(1)
    between = (mass * square**2).sum() - (mass * square).sum() ** 2
    within = (mass * VARIANCES[law][1](form)).sum() if n_probes else 0.0
    return float(between + within / max(n_probes, 1))


def denoising_variance(sigma: float, n_noise: int, *, reduced: bool = False) -> float:
    """Var of s_σ(x̃)·(s_σ(x̃) + z/σ): over rows of its mean, plus over z given a row, over n.

    With the control variate z·s_σ(x)/σ is subtracted.
    """
    x, mass = GAUSSIAN.nodes(4)
    z, weight = Normal(torch.zeros_like(GAUSSIAN.mean), torch.eye(3, dtype=x.dtype)).nodes(4)
    score = GAUSSIAN.noised(sigma).score
    s = score((x[:, None] + sigma * z).reshape(-1, 3)).view(-1, len(z), 3)
    gradient = (s * (s + z / sigma)).sum(2)
    if reduced:
        gradient = gradient - score(x) @ z.T / sigma
    mean = gradient @ weight
    between = (mass * mean**2).sum() - (mass * mean).sum() ** 2
    within = (mass * ((gradient - mean[:, None]) ** 2 @ weight)).sum()
    return float(between + within / n_noise)


def entries() -> Iterator[Entry]:
    """The table, from the deterministic objective to the noisiest."""
    p, curvature = GAUSSIAN.score, float(GAUSSIAN.precision.trace())
    yield Entry(
        "ism",
        "exact trace",
        lambda s, x, g: ism(s, x),
        p,
        sliced_variance("Gaussian", 0, reduced=True),
        curvature,
    )
    for law in LAWS:
        yield Entry(
            "ism",
            f"Hutchinson(1, {law})",
            lambda s, x, g, law=law: ism(s, x, Hutchinson(1, LAWS[law], g)),
            p,
            sliced_variance(law, 1, reduced=True),
            curvature,
        )
    for n_probes in (1, 4):
        for reduced in (True, False):
            yield Entry(
                "ssm",
                f"{'reduced' if reduced else 'plain'}, {n_probes} Rademacher",
                lambda s, x, g, n=n_probes, reduced=reduced: ssm(s, x, n, reduced, generator=g),
                p,
                sliced_variance("Rademacher", n_probes, reduced=reduced),
                curvature,
            )
    for reduced in (True, False):
        yield Entry(
            "fd_ssm",
            f"{'reduced' if reduced else 'plain'}, 1 Rademacher",
            lambda s, x, g, reduced=reduced: fd_ssm(s, x, 1, reduced, generator=g),
            p,
            sliced_variance("Rademacher", 1, reduced=reduced),
            curvature,
        )
    for sigma, n_noise, control in NOISE:
        noised = GAUSSIAN.noised(sigma)
        yield Entry(
            "dsm",
            f"σ = {sigma}, n_noise = {n_noise}{', control variate' if control else ''}",
            lambda s, x, g, sigma=sigma, n=n_noise, control=control: dsm(
                s, x, sigma, n, g, control_variate=control
            ),
            noised.score,
            denoising_variance(sigma, n_noise, reduced=control),
            float(noised.precision.trace()),
        )


def claims() -> Iterator[Claim]:
    for entry in entries():
        if entry.objective == "dsm":
            formula = "Var_x E_z + E_x Var_z / n of s_σ·(s_σ + z/σ)"
            if "control" in entry.setting:
                formula += " − z·s_σ(x)/σ"
        else:
            formula = "Var ‖s‖² + E_x Var_v / n"
        yield Claim(
            "variance per unit of cost",
            f"{entry.objective}, {entry.setting}: variance of d/da of a row at the truth",
            formula,
            entry.measure,
        )
