"""Are the standard errors right, and what does it cost not to know the normalising constant?

Rows are drawn exactly from four densities with known parameters, again and again:

- Coverage: how often does a 95% interval, θ̂ ± 1.96 SE by the sandwich, hold the truth? Asked for:
  93.5 to 96.5% for every parameter at n = 2,000 (2,000 replications leave a standard error of
  0.5%). At n = 200 the bootstrap stands beside, over the first of the same replications: its
  standard errors, and its percentile intervals.
- Error against n: the slope of log error on log n, asked for −½ ± 0.05. The error is
  √(E (θ̂ − θ)ᵀI(θ̂ − θ)/p), I the Fisher information of a row, so that units do not matter.
- Efficiency against maximum likelihood, whose asymptotic variance is the limit: I⁻¹/n over the
  variance of θ̂ among replications. All four are exponential families, so that I = Cov T(x), taken
  over 400,000 draws.

    python -m benchmarks.coverage [--cases "von Mises–Fisher" …] [--replications 2000]
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from time import process_time

import torch
from torch import Tensor

import scorematching as sm
from benchmarks.timing import one_thread
from scorematching.domains import AnyDomain
from scorematching.estimation import Bootstrap, Covariance, Sandwich
from scorematching.families import LinearFamily, model_on
from scorematching.random import seeded

LARGE, SMALL = 2000, 200
SIZES = (500, 1000, 4000, 8000)  # and LARGE, of the regression on n
AIM = (0.935, 0.965)
INFORMATION_DRAWS = 400_000


@dataclass(frozen=True, eq=False)
class Case:
    """A density of known θ ``(p,)`` on a domain."""

    name: str
    family: LinearFamily
    domain: AnyDomain
    theta: Tensor

    def draw(self, n: int, *key: int | str) -> Tensor:
        """n exact draws, ``(n, d)``, the same for the same key."""
        generator = seeded(0, "coverage", self.name, n, *key)
        model = model_on(self.family, self.theta, self.domain)
        rows: Tensor = model.sample(n, generator)  # type: ignore[attr-defined]
        return rows

    def information(self) -> Tensor:
        """The Fisher information of a row, Cov T(x), ``(p, p)``."""
        return torch.cov(self.family.statistics(self.draw(INFORMATION_DRAWS, "information")).mT)


@dataclass(frozen=True, eq=False)
class Replications:
    """Estimates ``(R, p)`` and, where standard errors were asked for, intervals ``(R, p, 2)``."""

    theta: Tensor
    intervals: Tensor
    percentile: Tensor


def cases() -> tuple[Case, ...]:
    """The four densities."""
    families, domains = sm.families, sm.domains
    normal, gaussian = families.Gaussian(1), families.Gaussian(3)
    precision = _double([[1.0, 0.3, 0.0], [0.3, 1.5, -0.4], [0.0, -0.4, 1.2]])
    return (
        Case(
            "von Mises–Fisher",
            families.VonMisesFisher(3),
            domains.Sphere(3),
            _double([1.5, 2.5, -3.0]),
        ),
        Case("truncated normal", normal, domains.PositiveOrthant(1), _double([1.0, 0.5])),
        Case(
            "Dirichlet", families.Dirichlet(3), domains.SqrtSimplex(3), _double([-0.3, -0.1, 3.0])
        ),
        Case(
            "truncated Gaussian",
            gaussian,
            domains.PositiveOrthant(3),
            gaussian.theta(precision, _double([0.5, 1.0, 0.3])),
        ),
    )


def replicate(case: Case, n: int, count: int, covariance: Covariance | None) -> Replications:
    """Estimates from ``count`` independent samples of n rows; the k-th is always the same rows."""
    theta, intervals, percentile = [], [], []
    for k in range(count):
        found = sm.estimate(case.family, case.draw(n, k), domain=case.domain, covariance=covariance)
        theta.append(found.theta)
        if covariance is not None:
            intervals.append(found.conf_int(0.95))
        if isinstance(covariance, Bootstrap):
            percentile.append(found.percentile_interval(0.95))
    return Replications(torch.stack(theta), _stacked(intervals), _stacked(percentile))


def coverage(intervals: Tensor, truth: Tensor) -> Tensor:
    """The fraction of intervals ``(R, p, 2)`` that hold the truth ``(p,)``, ``(p,)``."""
    inside = (intervals[..., 0] <= truth) & (truth <= intervals[..., 1])
    return inside.double().mean(0)


def error(estimates: Tensor, truth: Tensor, information: Tensor) -> float:
    """√ of the mean of (θ̂ − θ)ᵀI(θ̂ − θ)/p over estimates ``(R, p)``: √(1/n) where efficient."""
    gap = estimates - truth
    return math.sqrt(((gap @ information) * gap).sum(1).mean().item() / len(truth))


def slope(sizes: Sequence[int], errors: Sequence[float]) -> float:
    """The least-squares slope of log error on log n."""
    u, v = (torch.tensor(each, dtype=torch.float64).log() for each in (sizes, errors))
    u = u - u.mean()
    return float(u @ v / (u @ u))


def efficiency(estimates: Tensor, information: Tensor, n: int) -> Tensor:
    """diag(I⁻¹)/n over the variance of estimates ``(R, p)``, ``(p,)``."""
    limit: Tensor = torch.linalg.inv(information).diagonal() / n
    return limit / estimates.var(0)


def rows_of(
    case: Case, large: Replications, small: Replications, resampled: Replications
) -> list[str]:
    """A line a parameter of the table of coverage."""
    first = len(resampled.theta)
    columns = (
        coverage(large.intervals, case.theta),
        coverage(small.intervals, case.theta),
        coverage(small.intervals[:first], case.theta),
        coverage(resampled.intervals, case.theta),
        coverage(resampled.percentile, case.theta),
    )
    lines = []
    for j, name in enumerate(case.family.names):
        values = [each[j].item() for each in columns]
        met = "" if AIM[0] <= values[0] <= AIM[1] else " (missed)"
        cells = " | ".join(f"{100 * value:.1f}" for value in values[1:])
        truth = case.theta[j].item()
        lines.append(f"| {case.name} | {name} | {truth:g} | {100 * values[0]:.1f}{met} | {cells} |")
    return lines


def measure(case: Case, options: argparse.Namespace) -> tuple[list[str], str]:
    """The lines of the two tables."""
    started = process_time()
    information = case.information()
    large = replicate(case, LARGE, options.replications, Sandwich())
    _progress(case, LARGE, large)
    small = replicate(case, SMALL, options.small_replications, Sandwich())
    _progress(case, SMALL, small)
    resampled = replicate(
        case, SMALL, options.bootstrap_replications, Bootstrap(options.bootstrap_draws)
    )
    errors = {LARGE: error(large.theta, case.theta, information)}
    for n in SIZES:
        theta = replicate(case, n, options.error_replications, None).theta
        errors[n] = error(theta, case.theta, information)
    sizes = sorted(errors)
    fitted = slope(sizes, [errors[n] for n in sizes])
    ratios = efficiency(large.theta, information, LARGE)
    line = (
        f"| {case.name} | {', '.join(f'{errors[n]:.4f}' for n in sizes)} | {fitted:.3f} | "
        f"{', '.join(f'{ratio:.2f}' for ratio in ratios.tolist())} | "
        f"{process_time() - started:.0f} |"
    )
    return rows_of(case, large, small, resampled), line


def main() -> None:
    """Measure and print two markdown tables."""
    known = {case.name: case for case in cases()}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", choices=known, default=list(known))
    parser.add_argument("--replications", type=int, default=2000, help="(default 2000)")
    parser.add_argument(
        "--small-replications", type=int, default=2000, help=f"at n = {SMALL} (default 2000)"
    )
    parser.add_argument("--bootstrap-replications", type=int, default=300, help="(default 300)")
    parser.add_argument("--bootstrap-draws", type=int, default=200, help="(default 200)")
    parser.add_argument(
        "--error-replications", type=int, default=200, help="at each other n (default 200)"
    )
    options = parser.parse_args()
    first = options.bootstrap_replications
    print(
        f"| coverage, % | parameter | truth | n = {LARGE:,} (aim 93.5–96.5) | n = {SMALL} "
        f"| n = {SMALL}, first {first} | bootstrap SE, the same {first} "
        f"| bootstrap percentiles, the same {first} |\n|---|---|---|---|---|---|---|---|"
    )
    found = []
    with one_thread():
        for name in options.cases:
            lines, line = measure(known[name], options)
            print("\n".join(lines), flush=True)
            found.append(line)
    print(
        f"\n| density | error at n = {', '.join(map(str, sorted((LARGE, *SIZES))))} "
        f"| slope (aim −½ ± 0.05) | efficiency of each parameter, n = {LARGE:,} "
        "| processor s |\n|---|---|---|---|---|"
    )
    print("\n".join(found))


def _progress(case: Case, n: int, found: Replications) -> None:
    rates = ", ".join(
        f"{100 * rate:.1f}" for rate in coverage(found.intervals, case.theta).tolist()
    )
    print(f"{case.name}, n = {n}, {len(found.theta)} replications: {rates}%", file=sys.stderr)


def _double(values: Sequence[object]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _stacked(values: list[Tensor]) -> Tensor:
    return torch.stack(values) if values else torch.empty(0)


if __name__ == "__main__":
    main()
