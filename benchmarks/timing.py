"""How many times the limit does a way take? Interleaved runs in one process, medians, spread.

The limit is what the arithmetic alone costs (the same products with nothing around them). On a
shared machine times drift by tens of per cent within minutes, so the way and its limit take turns
and only the ratio of neighbouring runs is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from threadpoolctl import threadpool_limits


@dataclass(frozen=True)
class Ratio:
    """Time of a way over time of its limit.

    Attributes
    ----------
    median, low, high : the median and the quartiles of the ratios of neighbouring runs.
    seconds, limit_seconds : median times of a call.
    """

    median: float
    low: float
    high: float
    seconds: float
    limit_seconds: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


def ratio_to_limit(
    way: Callable[[], object],
    limit: Callable[[], object],
    *,
    repeats: int = 9,
    warm_up: int = 2,
    clock: Callable[[], float] = perf_counter,
) -> Ratio:
    """Run ``way`` and ``limit`` in turns and compare neighbours.

    Parameters
    ----------
    way, limit : called without arguments; what they return is thrown away.
    repeats : pairs that count; at least 3, so that there is a spread to show.
    warm_up : pairs run first and not counted.
    clock : seconds, never decreasing.

    Raises
    ------
    ValueError
        If ``repeats`` is below 3.
    """
    if repeats < 3:
        raise ValueError(f"repeats must be at least 3 to show a spread: got {repeats}.")
    pairs = []
    for turn in range(warm_up + repeats):
        # the order alternates, so that neither always runs in the other's warm cache
        ways = (way, limit) if turn % 2 == 0 else (limit, way)
        first, second = (seconds_of(call, clock) for call in ways)
        pairs.append((first, second) if turn % 2 == 0 else (second, first))
    times = np.array(pairs[warm_up:])
    low, median, high = np.quantile(times[:, 0] / times[:, 1], [0.25, 0.5, 0.75])
    seconds, limit_seconds = np.median(times, axis=0)
    return Ratio(float(median), float(low), float(high), float(seconds), float(limit_seconds))


def seconds_of(call: Callable[[], object], clock: Callable[[], float] = perf_counter) -> float:
    """How long one call takes."""
    start = clock()
    call()
    return clock() - start


@contextmanager
def one_thread() -> Iterator[None]:
    """Everything inside runs on one thread: torch, BLAS and scikit-learn's OpenMP."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
