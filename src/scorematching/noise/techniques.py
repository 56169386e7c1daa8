"""The formulae of NCSNv2 for a ladder of noise levels and the Langevin steps on it.

Y. Song, S. Ermon, "Improved techniques for training score-based generative models" (NeurIPS 2020).
In d dimensions N(0, σ²I) sits on a shell, ‖x‖ ≈ N(√d σ, σ²/2); levels σ and γσ share the mass that
one has within three standard deviations of the other's shell.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scorematching.errors import InvalidInput
from scorematching.hutchinson import check_count

_LARGEST_RATIO = 1e3
_BISECTIONS = 100
_GOLDEN = (math.sqrt(5) - 1) / 2


def outward_overlap(ratio: float, d: int) -> float:
    """Φ(√(2d)(γ − 1) + 3γ) − Φ(√(2d)(γ − 1) − 3γ): the mass of σ on the shell of γσ.

    Equation of technique 2. For d ≤ 4 it never falls below ½, however large the ratio γ.
    """
    gap = math.sqrt(2 * d) * (ratio - 1)
    return _normal(gap + 3 * ratio) - _normal(gap - 3 * ratio)


def inward_overlap(ratio: float, d: int) -> float:
    """Φ((3 − g)/γ) − Φ((−3 − g)/γ), g = √(2d)(γ − 1): the mass of γσ on the shell of σ.

    The way that annealing goes; it bounds γ in every dimension.
    """
    gap = math.sqrt(2 * d) * (ratio - 1)
    return _normal((3 - gap) / ratio) - _normal((-3 - gap) / ratio)


def level_ratio(d: int, overlap: float = 0.5) -> float:
    """The largest γ at which both overlaps of neighbouring levels are at least the given one.

    Raises
    ------
    InvalidInput
        d is no positive integer, or the overlap not in (0, 0.99].
    """
    check_count(d, "d")
    if not 0 < overlap <= 0.99:
        raise InvalidInput(f"overlap must be in (0, 0.99]: got {overlap!r}.")
    return min(_largest(shared, d, overlap) for shared in (outward_overlap, inward_overlap))


def variance_ratio(step: float, ratio: float, n_steps_each: int) -> float:
    """s_T²/σ² after T steps at a level, from N(0, γ²σ²), for data of one point.

    Technique 4 with a = ε/σ_L²: (1 − a)^{2T} (γ² − v) + v, v = 1/(1 − a/2) the variance at which
    the chain x ← x − a x + √(2a) σ z comes to rest.
    """
    rest = 1 / (1 - step / 2)
    return (1 - step) ** (2 * n_steps_each) * (ratio**2 - rest) + rest


def relative_step(ratio: float, n_steps_each: int) -> float:
    """The a = ε/σ_L² in (0, 1) at which `variance_ratio` is closest to one, by golden section.

    Raises
    ------
    InvalidInput
        The ratio is not above one, or n_steps_each is no positive integer.
    """
    check_count(n_steps_each, "n_steps_each")
    if not 1 < ratio < float("inf"):
        raise InvalidInput(f"the ratio of two levels must be above 1: got {ratio!r}.")
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        width = _GOLDEN * (high - low)
        left, right = high - width, low + width
        if variance_ratio(left, ratio, n_steps_each) < variance_ratio(right, ratio, n_steps_each):
            high = right
        else:
            low = left
    return (low + high) / 2


def relaxations(step: float, ratio: float, n_steps_each: int) -> float:
    """T a/ln γ: how often the chain forgets itself while the noise falls by a factor e.

    The proportions of the modes lag behind the noise by about its inverse.
    """
    return n_steps_each * step / math.log(ratio)


def _largest(shared: Callable[[float, int], float], d: int, overlap: float) -> float:
    """The largest γ with at least this overlap, by bisection; infinite if there is no bound."""
    if shared(_LARGEST_RATIO, d) >= overlap:
        return math.inf
    low, high = 1.0, _LARGEST_RATIO
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if shared(middle, d) >= overlap else (low, middle)
    return low


def _normal(z: float) -> float:
    """Φ(z)."""
    return (1 + math.erf(z / math.sqrt(2))) / 2
