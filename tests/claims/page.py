"""The page docs/contract.md: every claim, what was expected and measured, whether it holds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from claims import (
    autoencoder,
    control_variate,
    denoising,
    efficiency,
    every,
    explicit,
    finite_difference,
    implicit,
    noise_conditional,
    regularised,
    sliced,
)
from claims.claim import SIGMAS, Claim, Outcome, number

TITLES = {
    "esm": "Explicit score matching, `esm`: ½‖s_θ − s‖²",
    "ism": "Implicit score matching, `ism`: tr ∂s_θ + ½‖s_θ‖², regularised: + λ Σⱼ (∂ⱼs_θ,ⱼ)²",
    "ssm": "Sliced score matching, `ssm`: vᵀ∂s_θ v + ½(vᵀs_θ)², reduced: ½‖s_θ‖²",
    "fd_ssm": "Finite-difference sliced, `fd_ssm`: `ssm` by differences along v",
    "dsm": "Denoising score matching, `dsm`: ½‖s_θ(x̃) − ∇ log q(x̃|x)‖²",
    "dae": "Denoising autoencoders, `dae`: ½‖r_θ(x + σz) − x‖²",
    "ncsn": "Noise-conditional, `ncsn`: λ(t) ½‖s_θ(x_t, t) + z/σ‖²",
    "every objective": "Every objective alike",
    "variance per unit of cost": "Variance per unit of cost",
}

INTRODUCTION = f"""\
# The contract of the objectives

Every objective returns one loss per row, is differentiable in the parameters of the model, and
keeps the claims below. Each was checked by the code that wrote this page, `make contract`; the
suite checks that the page is current and that nothing on it fails.

The data are a Gaussian N(μ, Σ) in three dimensions with precision P = Σ⁻¹, and a mixture of two
correlated Gaussians in the plane. The model is another member of the same family, a Gaussian
N(m, K⁻¹) or another mixture, unless a claim says otherwise. Scores, Jacobians and means of the
truth are written out apart from the package; expectations are by Gauss–Hermite nodes or the
trapezoidal rule, which are exact here but for rounding.

What is deterministic must agree within a relative error of 10⁻⁹ in float64; what is
random, within {SIGMAS:.0f} standard errors (z). A line with three numbers gives derivatives
below, at and above the truth, which must be negative, zero and positive. Where the claim is about
each row, the mean of the rows is shown and the error of the worst. A *control* shows where a
relation ends, and by how much.
"""

COSTS = """\
The family is a·s, s the score of the data (for denoising, of the noised data), at the truth a = 1.
*Variance* is that of d/da of one row's loss, in closed form; the claims under the table measure it.
*Passes* are those of the loss through the model, forward and backward; a gradient in the parameters
roughly doubles them. The last two columns are the variance of the estimate of a per row of
data, the sandwich Var(gradient)/(E‖s‖²)², alone and times the passes: what a fixed budget buys.
For comparison, maximum likelihood has 2/d = 0.667 per row in this family of clean densities.
"""


def all_claims() -> Iterator[Claim]:
    """Every claim of the contract, in the order of the page."""
    modules = (
        explicit,
        implicit,
        regularised,
        sliced,
        finite_difference,
        denoising,
        control_variate,
        autoencoder,
        noise_conditional,
        every,
        efficiency,
    )
    for module in modules:
        yield from module.claims()


def table(header: str, rows: list[list[str]]) -> str:
    columns = header.split("|")
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def cost_table() -> str:
    rows = []
    for entry in efficiency.entries():
        used = entry.passes()
        total = used.forward + used.backward
        rows.append(
            [
                entry.objective,
                entry.setting,
                str(used),
                number(entry.variance),
                number(entry.variance * total),
                number(entry.estimate_variance),
                number(entry.estimate_variance * total),
            ]
        )
    header = "objective|setting|passes|variance|× passes|n Var(â)|× passes"
    return table(header, rows)


def render(checked: Sequence[tuple[Claim, Outcome]]) -> str:
    """The whole page, from the claims and what came of them."""
    held = sum(outcome.holds for _, outcome in checked)
    parts = [INTRODUCTION, f"{held} of {len(checked)} claims hold.\n"]
    for objective, title in TITLES.items():
        rows = [
            [
                claim.statement,
                claim.formula.replace("|", "∣"),
                outcome.expected,
                outcome.measured,
                outcome.error,
                "yes" if outcome.holds else "**no**",
            ]
            for claim, outcome in checked
            if claim.objective == objective
        ]
        parts.append(f"## {title}\n")
        if objective == "variance per unit of cost":
            parts += [COSTS, cost_table()]
        parts.append(table("claim|closed form|expected|measured|error|holds", rows))
    return "\n".join(parts)


NUMBER = re.compile(r"(?<![\w.])[-+−]?\d+(?:\.\d+)?(?:e[-+]\d+)?(?![\w.])")


def difference(one: str, other: str) -> str:
    """The first place where two pages differ by more than rounding, or nothing.

    A relative error is rounding itself and is not compared, for *holds* says what it comes to.
    """
    left, right = one.splitlines(), other.splitlines()
    for i, (a, b) in enumerate(zip(left, right, strict=False), 1):
        if not same_line(a, b):
            return f"line {i}:\n  {a}\n  {b}"
    return "" if len(left) == len(right) else f"{len(left)} lines and {len(right)} lines"


def same_line(a: str, b: str) -> bool:
    """Whether two lines agree but for numbers, and their numbers but for rounding."""
    cells = [re.sub(r"\S+ relative", "relative", line).split("|") for line in (a, b)]
    if len(cells[0]) != len(cells[1]):
        return False
    for left, right in zip(*cells, strict=True):
        if NUMBER.sub("#", left) != NUMBER.sub("#", right):
            return False
        rounding = 0.02 if "z =" in left else 1e-9
        for p, q in zip(NUMBER.findall(left), NUMBER.findall(right), strict=True):
            values = (float(v.replace("−", "-")) for v in (p, q))
            if not math.isclose(*values, rel_tol=1e-4, abs_tol=rounding):
                return False
    return True
