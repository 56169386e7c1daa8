"""How close to the cost of its arithmetic does an estimate come? One core, float64.

Question: what does `sm.estimate` add to the products that no way around can avoid?

- Gaussian on ℝᵈ, n = 1,000,000, d = 50, θ̂ alone; limit: XᵀX.
- PairwiseInteraction(20, ½, ½) on the orthant, n = 100,000, its own weight, θ̂ alone, by
  differentiation; limit: the Gram matrix of the dn derivatives of its p = 230 statistics.
- The same by the hand-written rule; limit: 20 weighted Gram matrices Yᵀ diag(wⱼ) Y, d × d.
- Standard errors, a second pass: what they add, and the memory that they take.

The way and its limit take turns in one process and the ratio of neighbours is kept (`timing`);
times are the processor's, so that other programs on the machine count less.

    python -m benchmarks.estimation_speed
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import process_time

import torch
from torch import Tensor

import scorematching as sm
from benchmarks.timing import Ratio, one_thread, ratio_to_limit
from scorematching.estimation import Quadratic, constraints
from scorematching.estimation.minimum import LinearMinimum

N_GAUSSIAN, D_GAUSSIAN = 1_000_000, 50
N_PAIRWISE, D_PAIRWISE = 100_000, 20
ROWS = 2048  # of a weighted Gram matrix at a time: faster than all at once


@dataclass(frozen=True)
class Case:
    """One line of the table: a way, its limit, and the ratio asked for."""

    what: str
    limit: str
    target: float
    way: Callable[[], object]
    bound: Callable[[], object]


def normal_rows() -> Tensor:
    """Correlated normal rows with a mean, (n, d)."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(N_GAUSSIAN, D_GAUSSIAN, generator=generator, dtype=torch.float64)
    mixing = torch.randn(D_GAUSSIAN, D_GAUSSIAN, generator=generator, dtype=torch.float64)
    return x @ (torch.eye(D_GAUSSIAN).to(x) + mixing / 10) + 1


def positive_rows() -> Tensor:
    """Gamma-like positive rows, (n, d)."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(N_PAIRWISE, D_PAIRWISE, generator=generator, dtype=torch.float64)
    return x.square() + 0.01


def weighted_grams(y: Tensor, w: Tensor) -> Tensor:
    """Yᵀ diag(wⱼ) Y for every column of w, (d, d, d), a portion of rows at a time."""
    total = y.new_zeros(w.shape[1], y.shape[1], y.shape[1])
    for rows, weights in zip(torch.split(y, ROWS), torch.split(w, ROWS), strict=True):
        for j in range(w.shape[1]):
            total[j].addmm_((rows * weights[:, j : j + 1]).mT, rows)
    return total


def general_gram(slopes: Tensor, times: int) -> Tensor:
    """The Gram matrix of (times · m × p) derivatives, of which m rows are kept in memory."""
    total = slopes.new_zeros(slopes.shape[1], slopes.shape[1])
    for _ in range(times):
        total.addmm_(slopes.mT, slopes)
    return total


def cases() -> Iterator[Case]:
    """The lines of the table."""
    x = normal_rows()
    gaussian = sm.families.Gaussian(D_GAUSSIAN)
    yield Case(
        f"Gaussian, n={len(x):,}, d={D_GAUSSIAN}",
        "XᵀX",
        1.2,
        lambda: sm.estimate(gaussian, x, covariance=None),
        lambda: x.mT @ x,
    )
    x = positive_rows()
    family = sm.families.PairwiseInteraction(D_PAIRWISE, 0.5, 0.5)
    bound = constraints(family.names)
    empty = Quadratic.of(family, family.domain)
    p = len(family.names)
    m = 4096
    slopes = torch.randn(m, p, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    yield Case(
        f"PairwiseInteraction({D_PAIRWISE}, ½, ½), n={len(x):,}, by differentiation",
        f"Gram of (dn × {p})",
        2.0,
        lambda: LinearMinimum.of(empty.update(x), empty, bound),
        lambda: general_gram(slopes, len(x) * D_PAIRWISE // m),
    )
    y, w = x.sqrt(), x.clamp(max=3.0) / x
    yield Case(
        "the same by the hand-written rule",
        f"{D_PAIRWISE} weighted {D_PAIRWISE} × {D_PAIRWISE} Grams",
        1.2,
        lambda: sm.estimate(family, x, covariance=None),
        lambda: weighted_grams(y, w),
    )


def main() -> None:
    """Measure and print a markdown table; standard errors in a process of their own."""
    if sys.argv[1:] == ["--errors"]:
        with one_thread():
            errors()
        return
    with one_thread():
        print("| estimate | limit | way s | limit s | ratio (quartiles) | asked |")
        print("|---|---|---|---|---|---|")
        for case in cases():
            ratio: Ratio = ratio_to_limit(case.way, case.bound, clock=process_time)
            print(
                f"| {case.what} | {case.limit} | {ratio.seconds:.3f} | {ratio.limit_seconds:.3f} "
                f"| {ratio} | ≤ {case.target} |"
            )
    subprocess.run([sys.executable, "-m", "benchmarks.estimation_speed", "--errors"], check=True)


def errors() -> None:
    """What standard errors add: time over that of θ̂ alone, and the peak of memory."""
    x = positive_rows()
    family = sm.families.PairwiseInteraction(D_PAIRWISE, 0.5, 0.5)
    sm.estimate(family, x, covariance=None)
    before = peak()
    sm.estimate(family, x)
    rise = peak() - before
    ratio = ratio_to_limit(
        lambda: sm.estimate(family, x),
        lambda: sm.estimate(family, x, covariance=None),
        repeats=5,
        warm_up=1,
        clock=process_time,
    )
    matrix = x.shape[0] * len(family.names) * 8 / 2**20
    print(
        f"\nStandard errors of the last case: {ratio.seconds:.2f} s, {ratio} × θ̂ alone; the peak "
        f"of memory rises by {rise:.0f} MiB (an n × p matrix takes {matrix:.0f} MiB)."
    )


def peak() -> float:
    """The most memory this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
