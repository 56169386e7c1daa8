"""The learning rate over a run."""

from __future__ import annotations

import math

from scorematching.errors import InvalidInput


def warmup_cosine(step: int, warmup_steps: int, max_steps: int) -> float:
    """Linear warm-up, then half a cosine down to 0: the factor on the learning rate.

    With k steps done, w warm-up steps and K steps in all,

        (k + 1)/w                              for k < w,
        ½ (1 + cos π (k − w)/(K − w))          for k ≥ w.

    The warm-up does not depend on K, so that K may be settled (from a time limit) during it.

    Parameters
    ----------
    step
        k, steps done before this one, from 0.
    warmup_steps, max_steps
        w ≥ 0 and K ≥ 1. A run with K ≤ w ends inside its warm-up.

    Raises
    ------
    InvalidInput
        step, warmup_steps is negative or max_steps is not positive.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017.
    """
    if step < 0 or warmup_steps < 0 or max_steps < 1:
        raise InvalidInput(
            "expected step ≥ 0, warmup_steps ≥ 0 and max_steps ≥ 1: "
            f"got {step}, {warmup_steps} and {max_steps}."
        )
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if step >= max_steps:
        return 0.0
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup_steps) / (max_steps - warmup_steps)))
