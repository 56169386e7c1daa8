"""The loop: it takes every step once, keeps what was asked for, and freezes divergent chains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from scorematching.calculus import score_of
from scorematching.errors import Diverged, InvalidInput
from scorematching.random import normal, seeded
from scorematching.samplers import Progress, UnadjustedLangevin, ula, walk
from scorematching.samplers.walk import OnlyX, freeze

F64 = torch.float64


@dataclass(frozen=True)
class Drift:
    """x ← x + (t_next − t), and a list of the pairs of times it was given."""

    seen: list[tuple[float, float]] = field(default_factory=list)
    order: ClassVar[int] = 1
    evaluations: ClassVar[int] = 3
    draws: ClassVar[int] = 0

    def init(self, x: Tensor) -> OnlyX:
        return OnlyX(x)

    def __call__(self, state: OnlyX, t: Tensor, t_next: Tensor, z: Tensor | None) -> OnlyX:
        assert z is None
        assert t.dtype == t_next.dtype == F64
        self.seen.append((t.item(), t_next.item()))
        return OnlyX(state.x + (t_next - t).to(state.x))


@dataclass(frozen=True)
class Blow:
    """x ← 2x, but rows that reach a threshold become NaN, and zero after that."""

    threshold: float
    order: ClassVar[int] = 1
    evaluations: ClassVar[int] = 1
    draws: ClassVar[int] = 0

    def init(self, x: Tensor) -> OnlyX:
        return OnlyX(x)

    def __call__(self, state: OnlyX, t: Tensor, t_next: Tensor, z: Tensor | None) -> OnlyX:
        doubled = torch.where(state.x * 2 >= self.threshold, torch.nan, state.x * 2)
        return OnlyX(torch.where(t >= 6, torch.zeros_like(doubled), doubled))


def standard(x: Tensor) -> Tensor:
    return -x


def test_walk_takes_each_pair_of_neighbouring_times_once_and_in_order() -> None:
    grid = torch.tensor([3.0, 2.0, 0.5, 0.1])
    step = Drift()
    result = walk(step, torch.zeros(2, 1, dtype=F64), grid)
    pairs = list(zip(grid.double().tolist(), grid.double().tolist()[1:], strict=False))
    assert step.seen == pairs
    torch.testing.assert_close(
        result.x, torch.full((2, 1), 0.1 - 3.0, dtype=F64), rtol=0, atol=1e-7
    )
    assert result.n_evaluations == 3 * 3
    assert result.trajectory is None


def test_walk_records_the_start_and_every_so_many_steps() -> None:
    x = torch.zeros(2, dtype=F64)
    result = walk(Drift(), x, torch.arange(8.0), record_every=3)
    assert result.trajectory is not None
    assert result.trajectory[:, 0].tolist() == [0.0, 3.0, 6.0]
    assert result.x.tolist() == [7.0, 7.0]


def test_walk_tells_the_callback_of_each_step() -> None:
    told: list[Progress] = []
    walk(Drift(), torch.zeros(2, dtype=F64), torch.arange(4.0), callback=told.append)
    assert [(p.done, p.total, p.t, p.x[0].item()) for p in told] == [
        (1, 3, 1.0, 1.0),
        (2, 3, 2.0, 2.0),
        (3, 3, 3.0, 3.0),
    ]


def test_a_divergent_chain_keeps_its_last_finite_value_and_disturbs_no_other() -> None:
    grid = torch.arange(6.0)
    result = walk(Blow(20.0), torch.tensor([[3.0], [0.1]], dtype=F64), grid)
    assert result.diverged.tolist() == [True, False]
    assert result.divergent_fraction == 0.5
    assert result.x[:, 0].tolist() == [12.0, pytest.approx(3.2)]
    alone = walk(Blow(20.0), torch.tensor([[0.1]], dtype=F64), grid)
    assert torch.equal(result.x[1:], alone.x)


def test_a_divergent_chain_stays_frozen_when_its_step_is_finite_again() -> None:
    result = walk(Blow(20.0), torch.tensor([3.0, 0.001], dtype=F64), torch.arange(9.0))
    assert result.diverged.tolist() == [True, False]
    assert result.x.tolist() == [12.0, 0.0]


def test_one_bad_coordinate_freezes_the_whole_row() -> None:
    before, after = torch.zeros(2, 2, 2), torch.ones(2, 2, 2)
    after[1, 0, 1] = torch.inf
    held, diverged = freeze(before, after, torch.zeros(2, dtype=torch.bool))
    assert diverged.tolist() == [False, True]
    assert torch.equal(held[0], after[0])
    assert torch.equal(held[1], before[1])


def test_all_chains_divergent_is_an_error_that_says_when() -> None:
    with pytest.raises(Diverged, match=r"all 2 chains became non-finite by step 3 of 5"):
        walk(Blow(20.0), torch.tensor([3.0, 4.0], dtype=F64), torch.arange(6.0))


@pytest.mark.parametrize(
    ("x", "grid", "message"),
    [
        (torch.tensor([[0.0], [torch.nan]]), torch.arange(3.0), "first is row 1"),
        (torch.zeros(0, 2), torch.arange(3.0), "at least one row"),
        (torch.zeros(2, 2), torch.zeros(1), "at least two finite times"),
        (torch.zeros(2, 2), torch.tensor([2.0, 1.0, 1.5]), "only fall or only grow"),
        (torch.zeros(2, 2), torch.tensor([2.0, torch.nan]), "finite"),
        (torch.zeros(2, 2, dtype=torch.long), torch.arange(3.0), "floating-point"),
    ],
)
def test_unusable_starts_and_grids_are_refused(x: Tensor, grid: Tensor, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        walk(Drift(), x, grid)


def test_noise_for_a_step_that_takes_none_is_refused_and_so_are_two_sources() -> None:
    x, grid = torch.zeros(2, dtype=F64), torch.arange(3.0)
    with pytest.raises(InvalidInput, match="takes no noise"):
        walk(Drift(), x, grid, generator=seeded(0))
    langevin = UnadjustedLangevin(standard, 0.1)
    with pytest.raises(InvalidInput, match="generator= or noise="):
        walk(langevin, x, grid, generator=seeded(0), noise=lambda i, x: x)
    with pytest.raises(InvalidInput, match="needs noise"):
        langevin(OnlyX(x), grid[0], grid[1], None)


def test_given_noise_is_used_in_place_of_draws() -> None:
    noise = normal((5, 3), torch.zeros((), dtype=F64), seeded("noise"))
    x = torch.zeros(3, dtype=F64)
    given = walk(
        UnadjustedLangevin(standard, 0.1), x, torch.arange(6.0), noise=lambda i, x: noise[i]
    )
    expected = x
    for z in noise:
        expected = 0.9 * expected + 0.2**0.5 * z
    torch.testing.assert_close(given.x, expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("event", [(), (3,), (2, 3), (1, 2, 3), (2, 1, 2, 3)])
def test_any_event_rank_and_dtype_walks_like_its_flattened_rows(
    event: tuple[int, ...], dtype: torch.dtype
) -> None:
    x = normal((4, *event), torch.zeros((), dtype=dtype), seeded("start"))
    shaped = ula(standard, x, 0.1, 7, generator=seeded("noise"), record_every=2)
    flat = ula(standard, x.reshape(4, -1), 0.1, 7, generator=seeded("noise"))
    assert shaped.x.shape == x.shape
    assert shaped.x.dtype == dtype
    assert shaped.diverged.shape == (4,)
    assert shaped.trajectory is not None
    assert shaped.trajectory.shape == (4, 4, *event)
    torch.testing.assert_close(shaped.x.reshape(4, -1), flat.x)


def test_the_same_seed_repeats_a_walk_and_another_changes_it() -> None:
    x = torch.zeros(5, 2)
    first, again, other = (
        ula(standard, x, 0.1, 10, generator=seeded(seed)).x for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_global_random_state_is_neither_read_nor_changed() -> None:
    before = torch.get_rng_state()
    unseeded = [ula(standard, torch.zeros(4), 0.1, 3).x for _ in range(2)]
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(unseeded[0], unseeded[1])


def test_scores_that_differentiate_inside_work_and_no_graph_is_kept() -> None:
    score = score_of(lambda x: -(x**2).sum(1) / 2)
    x = torch.ones(3, 2, dtype=F64, requires_grad=True)
    result = ula(score, x, 0.1, 5, generator=seeded(0))
    assert not result.x.requires_grad
    torch.testing.assert_close(result.x, ula(standard, x, 0.1, 5, generator=seeded(0)).x)


@dataclass(frozen=True)
class Several:
    """x ← x + Σⱼ 10^j zⱼ with a few draws a step."""

    draws: int
    order: ClassVar[int] = 1
    evaluations: ClassVar[int] = 2

    def init(self, x: Tensor) -> OnlyX:
        return OnlyX(x)

    def __call__(self, state: OnlyX, t: Tensor, t_next: Tensor, z: Tensor | None) -> OnlyX:
        assert z is not None
        zs = z[None] if self.draws == 1 else z
        assert zs.shape == (self.draws, *state.x.shape)
        return OnlyX(state.x + sum(10.0**j * zs[j] for j in range(self.draws)))


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_a_step_is_given_all_the_draws_that_it_takes_in_their_order(draws: int) -> None:
    x = torch.zeros(2, 1, dtype=F64)
    asked: list[int] = []

    def counted(index: int, x: Tensor) -> Tensor:
        asked.append(index)
        return torch.full_like(x, 1.0 + index)

    result = walk(Several(draws), x, torch.arange(3.0), noise=counted)
    assert asked == [*range(2 * draws)]
    expected = sum(10.0**j * (2 + draws + 2 * j) for j in range(draws))
    assert result.x[0, 0].item() == expected


def test_the_walk_ends_when_every_row_has_arrived_or_diverged() -> None:
    x = torch.tensor([[3.0], [0.1]], dtype=F64)
    result = walk(Blow(20.0), x, torch.arange(6.0), until=lambda state: state.x[:, 0] > 1.5)
    assert result.diverged.tolist() == [True, False]
    assert result.x[:, 0].tolist() == [12.0, pytest.approx(1.6)]
    assert result.n_evaluations == 4
    assert isinstance(result.state, OnlyX)
    assert torch.equal(result.state.x, result.x)
