"""Ratios to a limit, on a clock that the test controls."""

from collections.abc import Callable

import pytest
from benchmarks.timing import Ratio, ratio_to_limit


class Clock:
    """Time that passes only where a call says so; ``speed`` drifts as on a shared machine."""

    def __init__(self) -> None:
        self.now = 0.0
        self.speed = 1.0

    def __call__(self) -> float:
        return self.now

    def taking(self, seconds: float) -> Callable[[], None]:
        def call() -> None:
            self.now += seconds * self.speed

        return call


def test_the_ratio_of_known_times_is_exact() -> None:
    clock = Clock()
    ratio = ratio_to_limit(clock.taking(3.0), clock.taking(2.0), clock=clock)
    assert ratio.median == pytest.approx(1.5)
    assert ratio.low == ratio.high == pytest.approx(1.5)
    assert (ratio.seconds, ratio.limit_seconds) == (3.0, 2.0)


def test_a_drifting_machine_hardly_moves_the_ratio() -> None:
    clock = Clock()
    slow_way, limit = clock.taking(3.0), clock.taking(2.0)

    def way() -> None:
        clock.speed *= 1.1  # 2.4 times slower after nine pairs
        slow_way()

    ratio = ratio_to_limit(way, limit, clock=clock)
    assert ratio.median == pytest.approx(1.5, rel=0.11)
    # the control: times pooled over the run would have spread by far more
    assert ratio.high / ratio.low < 1.2


def test_the_spread_is_shown() -> None:
    assert str(Ratio(1.234, 1.1, 1.4, 0.2, 0.1)) == "1.23 (1.10–1.40)"


def test_too_few_repeats_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 3"):
        ratio_to_limit(lambda: None, lambda: None, repeats=2)
