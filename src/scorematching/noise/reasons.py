"""Why a noise level, a number of levels or a step is what it is, in words."""

from __future__ import annotations

from dataclasses import dataclass

from scorematching.noise.distances import Diameter
from scorematching.noise.techniques import (
    inward_overlap,
    level_ratio,
    outward_overlap,
    relaxations,
    variance_ratio,
)

GIVEN = "Given."
ENOUGH = 18  # relaxations while the noise falls by a factor e


@dataclass(frozen=True)
class Reason:
    """One setting, its value in words, and why it is that."""

    name: str
    value: str
    why: str


def given(name: str, value: float) -> Reason:
    """A setting that was decided before."""
    return Reason(name, f"{value:.4g}", GIVEN)


def of_largest(widest: Diameter) -> Reason:
    """Technique 1."""
    why = (
        "Technique 1: the largest distance between two rows. At that noise a chain moves freely "
        "between any two of them, so that each mode gets its share whatever the start."
    )
    if widest.bound > widest.value:
        why += (
            f" Of the pairs of rows closer to the mean none is further apart than "
            f"{widest.bound:.4g}; they were not all compared."
        )
    return Reason("sigma_max", f"{widest.value:.4g}", why)


def of_lowest(sigma_min: float, span: float, near: float) -> Reason:
    """The paper's 0.01 for pixels, in other units."""
    why = (
        f"A hundredth of the widest range of a coordinate is {span:.3g}: the paper's 0.01 for "
        "pixels on [0, 1], where the noise cannot be seen. "
    )
    if 0 < near < span:
        why += (
            f"But a tenth of the rows have a twentieth of all rows within {4 * near:.3g} a "
            "coordinate, and a quarter of that does not blur what is as narrow. "
        )
    return Reason("sigma_min", f"{sigma_min:.4g}", why + "Sampling ends by denoising once.")


def of_levels(d: int, n_levels: int, ratio: float, widest: float, *, given: bool) -> Reason:
    """Technique 2."""
    shells = level_ratio(d)
    why = (
        f"Technique 2: a geometric ladder, here of ratio {ratio:.4f}, whose neighbours overlap: "
        f"{inward_overlap(ratio, d):.0%} of a level lies within three standard deviations of the "
        f"shell of the next one down, and {outward_overlap(ratio, d):.0%} of that the other way. "
    )
    if given:
        why = f"{GIVEN} {why}Half of it both ways would allow a ratio of {shells:.4g}."
    elif shells <= widest:
        why += f"Half of it both ways allows {shells:.4f} for d = {d}."
    else:
        why += (
            f"Half of it would allow {shells:.4g} for d = {d}, at which the chain would lag behind "
            f"the noise; the ratio is kept at {widest:g} or below."
        )
    return Reason("n_levels", str(n_levels), why)


def of_conditioning() -> Reason:
    """Technique 3."""
    why = (
        "Technique 3: s(x, σ) = f(x)/σ, one network f without the noise level as an input: the "
        "norm of the score goes as 1/σ. noise.UnconditionalScore(f, ladder) is that score; a "
        "network that takes σ as an input needs it less."
    )
    return Reason("score", "f(x)/σ", why)


def of_steps(n_levels: int, ratio: float, steps: int, step: float, *, given: bool) -> Reason:
    """Technique 4, the number of steps."""
    times = relaxations(step, ratio, steps)
    why = (
        f"Technique 4: as many as the budget allows, {n_levels * steps:,} evaluations a sample "
        f"here. The chain forgets itself {times:.0f} times while the noise falls by a factor e"
    )
    why = f"{GIVEN} {why}" if given else why
    if times < ENOUGH:
        why += (
            ", and the shares of far modes lag behind. In one and two dimensions they erred by "
            "0.02 to 0.03 at the 8 times of the settings published for CIFAR-10, and by 0.01 at "
            "27 times, 30 steps a level at a ratio of 1.04."
        )
    else:
        why += ": the shares of far modes erred by 0.01 in one, two and ten dimensions."
    return Reason("n_steps_each", str(steps), why)


def of_step_size(step_size: float, step: float, ratio: float, steps: int) -> Reason:
    """Technique 4, their size."""
    left = variance_ratio(step, ratio, steps)
    why = (
        f"Technique 4: {step:.4g} σ_min², at which the variance after {steps} steps at a level is "
        f"closest to that of the level, {left:.3f} of it, coming from the level above. Smaller "
        "steps leave more of the level above, larger ones err more themselves."
    )
    return Reason("step_size", f"{step_size:.4g}", why)


def of_averaging(decay: float, half_life: float) -> Reason:
    """Technique 5."""
    why = (
        f"Technique 5: sample from weights averaged over training, w̄ ← {decay:g} w̄ + "
        f"{1 - decay:.3g} w, a half-life of {half_life:.0f} steps. Without it samples change "
        "from step to step, in their colours above all."
    )
    return Reason("ema_decay", f"{decay:g}", why)
