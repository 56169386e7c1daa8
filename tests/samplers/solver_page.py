"""The page docs/solvers.md: each solver with its declared and its measured order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from samplers.orders import ALLOWED, ENTRIES, Entry

HEAD = "| solver | equation | order | measured | evaluations a step | draws a step | steps |"

PAGE = """\
# Solvers

Sampling runs a process backwards, from much noise to little. Every solver is a step of one loop,
`walk`:

```python
import scorematching as sm

score, process = ..., sm.noise.EDM()  # s(x, t), and what the noise did
x = sm.samplers.prior_sample(1000, process, mean)  # where to start
grid = sm.samplers.LogUniformGrid(20)
sm.samplers.probability_flow(score, process, x, grid, step=sm.samplers.UniPC(2)).x
```

`probability_flow` takes any solver without noise and `reverse_sde` any with it; `adaptive_flow` and
`adaptive_sde` choose steps by a tolerance, for each row by itself. Rows that become non-finite are
frozen, flagged in `Walk.diverged` and counted in `Walk.divergent_fraction`; if all do, that is an
error.

## Orders

The error at the end of the walk falls as n^(−order) with n steps. For the flow dx/dt = f x − ½ g² s
it is that of the rows, on a Gaussian and a mixture. For an equation with noise it is that of the
mean and the covariance of the *exact* law of the discrete chain on a Gaussian, read off without
sampling: the weak order. Each is the slope of a least-squares line through five numbers of steps;
*measured* is the range over the processes VE, VP and EDM, and log-uniform and Karras grids. Each is
within {allowed} of the order that the solver declares, which a test checks. This page was written
by `make solvers`.

{table}

*between* is dx = [f x − ½(1 + η²) g² s] dt + η g dw̄, the flow at η = 0 and the reverse SDE at
η = 1; h is the length of a step in ln(σ/α). What the table does not show:

- UniPC-p predicts with p values of the denoiser and corrects with p + 1, which raises the order by
  one: the one of order 2 is UniPC-1. With p = 3 the first steps, which have fewer values, leave
  order 3.
- Heun with churn, consistent annealing and the Langevin corrector add an amount of noise that is
  theirs to choose; the orders hold where it falls with the length of the steps, as in the table.
  Heun with churn is of order 2 for rows that start with the process's own law, which is how it is
  used and measured; from any other start the weak order is 1.
- The ends of UniPC-3 and Dormand–Prince lie at σ/α = 1 and 0.3 here. Between levels where the
  denoiser hardly changes, their errors of highest order nearly cancel, and they do better than they
  promise.
- The final denoising, `final_denoise=True`, is one evaluation more and is left out of the table.

## Quality at few evaluations

![Energy distance against evaluations, and samples at ten evaluations](images/solvers.png)

A ring of eight unequal Gaussians with its exact score, 10,000 samples, from σ = 20 to σ = 0.05. In
the green band a sample is as close to the truth as 95% of other samples of the truth are.
`python -m benchmarks.solvers` measures and draws it, and `benchmarks/RESULTS.md` has the figures.

![Fréchet distance against evaluations, and digits at ten of them](images/solvers-digits.png)

A fitted model, whose score errs: digits of 8 × 8 with labels, 1,000 samples with spread labels,
from 20 to 0.12 spreads of the data. Given the class, the flow needs few evaluations, and more than
ten gain little. `python -m benchmarks.digits_solvers` measures and draws it.

## Which one

- **Few evaluations, 5 to 20:** `UniPC(2)` on `optimised_grid(score, process, pilots, n_steps)`,
  which chooses the levels for one model once and for all: it follows a few hundred rows down and
  looks where their denoiser changes. Without it, `LogUniformGrid` for UniPC, and `KarrasGrid` for
  `DPMSolver2M`, the default of `probability_flow`.
- **Imperfect models, 20 to 50 evaluations:** `SDEDPMSolver2M`, the default of `reverse_sde`. Fresh
  noise makes the rows forget errors of earlier steps.
- **A stated accuracy:** `adaptive_flow(…, tolerance=Tolerance(1e-3, 1e-3))`. The result of a row
  does not depend on the other rows.
- **Log-densities** have an integrator of their own, `likelihood.flow_log_density`.
- **Guidance:** wrap the two scores first, `Guided(conditional, unconditional, scale)`.
"""


def cells(entry: Entry, orders: Sequence[float]) -> list[str]:
    """The row of a solver."""
    solver = entry.example
    low, high = min(orders), max(orders)
    return [
        entry.name,
        entry.of,
        str(solver.order),
        f"{low:.2f}–{high:.2f}",
        str(solver.evaluations),
        str(solver.draws),
        f"{entry.steps[0]}–{entry.steps[-1]}",
    ]


def row(entry: Entry, orders: Sequence[float]) -> str:
    return "| " + " | ".join(cells(entry, orders)) + " |"


def render(measured: Mapping[str, Sequence[float]]) -> str:
    """The whole page, from the orders of every entry by its name."""
    rows = [row(entry, measured[entry.name]) for entry in ENTRIES]
    rule = "| " + " | ".join(["---"] * HEAD.count(" | ")) + " | --- |"
    return PAGE.format(allowed=ALLOWED, table="\n".join([HEAD, rule, *rows]))


RANGE = re.compile(r"(\d+\.\d\d)–(\d+\.\d\d)")


def same_row(one: str, other: str, rounding: float = 0.02) -> bool:
    """Whether two rows agree but for rounding of the measured orders."""
    found = [RANGE.findall(each) for each in (one, other)]
    if RANGE.sub("#", one) != RANGE.sub("#", other) or len(found[0]) != len(found[1]):
        return False
    pairs = zip(found[0], found[1], strict=True)
    return all(
        abs(float(a) - float(b)) <= rounding for p, q in pairs for a, b in zip(p, q, strict=True)
    )


def without_table(page: str) -> str:
    """The page without the rows of its table."""
    return "\n".join(line for line in page.splitlines() if not line.startswith("| "))
