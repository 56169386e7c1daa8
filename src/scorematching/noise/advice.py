"""Which noise levels, and which Langevin steps on them: NCSNv2's five techniques, from the data.

Y. Song, S. Ermon, "Improved techniques for training score-based generative models" (NeurIPS 2020).
Where the paper leaves a choice, or its formulae say nothing, the reason printed says what is done.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass

from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.hutchinson import check_count
from scorematching.noise import reasons as because
from scorematching.noise.distances import diameter, local_scale
from scorematching.noise.ladder import Ladder
from scorematching.noise.reasons import Reason
from scorematching.noise.techniques import level_ratio, relative_step
from scorematching.noise.ve import check_range
from scorematching.shapes import event_size

EMA_DECAY = 0.999
WIDEST_RATIO = 1.04
FEWEST_STEPS, MOST_STEPS = 5, 30
BUDGET = 232 * 5 * 3072  # evaluations times coordinates of the published CIFAR-10 settings
_WIDTH = 88


@dataclass(frozen=True)
class NoiseAdvice:
    """Settings for noise-conditional training and annealed Langevin sampling; print it.

    Attributes
    ----------
    sigma_max, sigma_min
        The highest and the lowest noise level, in the units of x.
    n_levels
        L, the number of levels.
    n_steps_each
        T, Langevin steps at each level.
    step_size
        ε, the step at the lowest level, in squared units of x: x ← x + ε s + √(2ε) z there, and
        ε σᵢ²/σ_L² at level i.
    ema_decay
        The factor of the averaged weights at each training step.
    reasons
        Why.
    """

    sigma_max: float
    sigma_min: float
    n_levels: int
    n_steps_each: int
    step_size: float
    ema_decay: float
    reasons: tuple[Reason, ...]

    @property
    def ladder(self) -> Ladder:
        """The levels, a process to train under and to sample from."""
        return Ladder.geometric(self.sigma_min, self.sigma_max, self.n_levels)

    @property
    def langevin(self) -> dict[str, float | int]:
        """Options of `samplers.annealed_langevin`: step_size and n_steps_each."""
        return {"step_size": self.step_size, "n_steps_each": self.n_steps_each}

    def __str__(self) -> str:
        """The settings and their reasons, one paragraph each."""
        lines = []
        for reason in self.reasons:
            lines.append(f"{reason.name} = {reason.value}")
            lines += textwrap.wrap(
                reason.why, _WIDTH, initial_indent="    ", subsequent_indent="    "
            )
        return "\n".join(lines)


def advise(
    x: Tensor,
    *,
    sigma_max: float | None = None,
    sigma_min: float | None = None,
    n_levels: int | None = None,
    n_steps_each: int | None = None,
) -> NoiseAdvice:
    """Noise levels and Langevin steps for rows x, each with its reason.

    Parameters
    ----------
    x
        Rows of the data, ``(n, *event)``, in the units in which they are noised: standardised, if
        columns differ in scale. Thousands of rows are enough.
    sigma_max, sigma_min, n_levels, n_steps_each
        What is already decided; the rest follows from it.

    Returns
    -------
    NoiseAdvice
        ``advice.ladder`` is the process, ``**advice.langevin`` the options of
        `samplers.annealed_langevin`, and ``print(advice)`` tells the reasons.

    Raises
    ------
    InvalidInput
        There are fewer than two different rows, they are not finite, or a given setting is no
        positive number.
    """
    if sigma_max is None:
        widest = diameter(x)
        sigma_max, highest = widest.value, because.of_largest(widest)
        if not sigma_max:
            raise InvalidInput(
                f"all {len(x)} rows are the same, so that there is no scale to choose noise by. "
                "Pass rows that differ."
            )
    else:
        highest = because.given("sigma_max", sigma_max)
    if sigma_min is None:
        # One axis of events, for a range a coordinate.
        rows = x.detach().reshape(len(x), -1)
        span = (rows.amax(0).double() - rows.amin(0).double()).max().item() / 100
        near = local_scale(x) / 4
        sigma_min = near if 0 < near < span else span
        lowest = because.of_lowest(sigma_min, span, near)
    else:
        lowest = because.given("sigma_min", sigma_min)
    return advise_for(
        event_size(x),
        sigma_max,
        sigma_min,
        n_levels=n_levels,
        n_steps_each=n_steps_each,
        reasons=(highest, lowest),
    )


def advise_for(
    d: int,
    sigma_max: float,
    sigma_min: float,
    *,
    n_levels: int | None = None,
    n_steps_each: int | None = None,
    reasons: tuple[Reason, ...] | None = None,
) -> NoiseAdvice:
    """The same from the two ends of the noise and d, the coordinates of a row, without the rows.

    For CIFAR-10 (d = 3072, σ from 50 to 0.01) it gives L = 228 and T = 5, ε = 6.28e-6, where
    232, 5 and 6.2e-6 are published.

    Raises
    ------
    InvalidInput
        The ends are not positive, finite and increasing, or a count is not positive.
    """
    check_range(sigma_min, sigma_max)
    check_count(d, "d")
    levels = _levels(d, sigma_max / sigma_min) if n_levels is None else n_levels
    ladder = Ladder.geometric(sigma_min, sigma_max, levels)
    ratio = ladder.levels[1] / ladder.levels[0]
    steps = _steps_each(d, levels) if n_steps_each is None else n_steps_each
    step = relative_step(ratio, steps)
    step_size = step * sigma_min**2
    if reasons is None:
        reasons = because.given("sigma_max", sigma_max), because.given("sigma_min", sigma_min)
    half_life = math.log(0.5) / math.log(EMA_DECAY)
    return NoiseAdvice(
        sigma_max,
        sigma_min,
        levels,
        steps,
        step_size,
        EMA_DECAY,
        (
            *reasons,
            because.of_levels(d, levels, ratio, WIDEST_RATIO, given=n_levels is not None),
            because.of_conditioning(),
            because.of_steps(levels, ratio, steps, step, given=n_steps_each is not None),
            because.of_step_size(step_size, step, ratio, steps),
            because.of_averaging(EMA_DECAY, half_life),
        ),
    )


def _levels(d: int, span: float) -> int:
    """L: enough levels that no two neighbours lie further apart than they may."""
    ratio = min(level_ratio(d), WIDEST_RATIO)
    return max(2, math.ceil(1 + math.log(span) / math.log(ratio) - 1e-9))


def _steps_each(d: int, n_levels: int) -> int:
    """T, as large as the budget allows, within 5 and 30."""
    return min(max(BUDGET // (n_levels * d), FEWEST_STEPS), MOST_STEPS)
