"""Grids: the papers' spacings, ends met exactly, on every process."""

from __future__ import annotations

import pytest
import torch

from samplers.closed_form import F64, PROCESSES
from scorematching.errors import InvalidInput
from scorematching.noise import EDM, VE, VP, Ladder, Process
from scorematching.samplers import (
    Grid,
    KarrasGrid,
    LadderGrid,
    LevelGrid,
    LogUniformGrid,
    TimeUniformGrid,
)

GRIDS = (
    KarrasGrid(17),
    KarrasGrid(1),
    KarrasGrid(9, rho=1.0),
    LogUniformGrid(17),
    TimeUniformGrid(17),
)
ALL = (*PROCESSES, VE(), VP(), EDM(), Ladder.geometric(0.01, 10.0, 12))


@pytest.mark.parametrize("process", ALL, ids=repr)
@pytest.mark.parametrize("grid", GRIDS, ids=repr)
def test_a_grid_has_one_time_more_than_steps_and_its_ends_are_the_process_s_own(
    grid: KarrasGrid | LogUniformGrid | TimeUniformGrid, process: Process
) -> None:
    times = grid(process)
    assert times.dtype == F64
    assert times.shape == (grid.n_steps + 1,)
    assert bool((times.diff() < 0).all())
    assert times[0].item() == process.t_max
    assert times[-1].item() == process.t_min


@pytest.mark.parametrize("process", ALL, ids=repr)
def test_karras_levels_are_equally_spaced_in_their_seventh_root(process: Process) -> None:
    roots = process.noise_level(KarrasGrid(10)(process)) ** (1 / 7)
    torch.testing.assert_close(roots.diff(), roots.diff().mean().expand(10), rtol=1e-9, atol=1e-11)


def test_karras_levels_are_those_of_the_paper() -> None:
    times = KarrasGrid(17)(EDM(0.002, 80.0))  # 18 levels from 80 to 0.002, then zero
    expected = [80.0, 57.5860, 40.7856, 0.0020]
    assert times[[0, 1, 2, -1]].tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("process", ALL, ids=repr)
def test_log_uniform_levels_have_a_constant_ratio(process: Process) -> None:
    logs = process.noise_level(LogUniformGrid(10)(process)).log()
    torch.testing.assert_close(logs.diff(), logs.diff().mean().expand(10), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("process", ALL, ids=repr)
def test_log_uniform_levels_are_uniform_in_the_log_of_the_signal_to_noise_ratio(
    process: Process,
) -> None:
    steps = process.log_snr(LogUniformGrid(10)(process)).diff()
    torch.testing.assert_close(steps, steps.mean().expand(10), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("process", ALL, ids=repr)
def test_time_uniform_steps_are_equal(process: Process) -> None:
    steps = TimeUniformGrid(10)(process).diff()
    torch.testing.assert_close(steps, steps.mean().expand(10), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_levels_of_one_s_own_are_met(process: Process) -> None:
    levels = (2.5, 1.1, 0.3, 0.2)
    assert process.noise_level(LevelGrid(levels)(process)).tolist() == pytest.approx(levels)


def test_a_large_rho_comes_close_to_the_log_uniform_grid() -> None:
    process = EDM()
    karras, log_uniform = KarrasGrid(10, rho=1e5)(process), LogUniformGrid(10)(process)
    torch.testing.assert_close(karras, log_uniform, rtol=1e-3, atol=0)


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
@pytest.mark.parametrize(
    "grid",
    [KarrasGrid(6, 7.0, 0.2, 1.5), LogUniformGrid(6, 0.2, 1.5), TimeUniformGrid(6, 0.2, 1.5)],
)
def test_given_ends_are_met(grid: Grid, process: Process) -> None:
    levels = process.noise_level(grid(process))
    assert levels[[0, -1]].tolist() == pytest.approx([1.5, 0.2], rel=1e-12)


def test_the_ladder_grid_goes_down_the_ladder_s_own_levels() -> None:
    ladder = Ladder((0.1, 0.5, 0.7, 3.0))
    levels = ladder.noise_level(LadderGrid()(ladder))
    assert levels.tolist() == pytest.approx([3.0, 0.7, 0.5, 0.1], rel=1e-14)
    with pytest.raises(InvalidInput, match="only a Ladder has levels"):
        LadderGrid()(VE())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KarrasGrid(0), "n_steps must be an integer of at least 1: got 0"),
        (lambda: LogUniformGrid(2.5), "n_steps must be an integer"),  # type: ignore[arg-type]
        (lambda: KarrasGrid(5, rho=0.0), "rho must be positive"),
        (lambda: KarrasGrid(5, sigma_min=2.0, sigma_max=1.0)(EDM()), "sigma_min < sigma_max"),
        (lambda: LogUniformGrid(5, sigma_max=1e4)(EDM()), "noise levels must lie in"),
        (lambda: KarrasGrid(5, sigma_min=1e-4)(EDM()), "noise levels must lie in"),
        (lambda: TimeUniformGrid(0), "n_steps must be an integer"),
        (lambda: LevelGrid((1.0,)), "at least two levels: got 1"),
        (lambda: LevelGrid((1.0, 2.0)), "got 1.0 before 2.0. Sort them"),
        (lambda: LevelGrid((1.0, 0.0)), "must be positive, finite and decreasing"),
        (lambda: LevelGrid((1e3, 1.0))(EDM()), "noise levels must lie in"),
    ],
)
def test_impossible_grids_are_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(InvalidInput, match=message):
        make()
