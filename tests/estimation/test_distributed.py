from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

import scorematching as sm
from scorematching.errors import InvalidInput
from scorematching.estimation import Accumulator, Bootstrap, Shard
from scorematching.random import normal, seeded

FAMILY, ORTHANT = sm.families.Gaussian(2), sm.domains.PositiveOrthant(2)


def process(rank: int, x: torch.Tensor, folder: Path) -> None:
    """What each of two processes does."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=2)
    mine = x[:7] if rank == 0 else x[7:]
    found = sm.estimate(FAMILY, Shard(mine), domain=ORTHANT)
    by_hand = Accumulator.of(FAMILY, domain=ORTHANT).update(mine).all_reduce()
    assert torch.equal(by_hand.finalize().theta, found.theta)
    refused = []
    for rows, covariance in ((mine - 9 * rank, None), (mine, Bootstrap(10))):
        try:
            sm.estimate(FAMILY, Shard(rows), domain=ORTHANT, covariance=covariance)
        except InvalidInput as error:
            refused.append(str(error))
    kept = {"theta": found.theta, "V": found.theta_covariance, "n": found.n, "refused": refused}
    torch.save(kept, folder / f"{rank}")
    dist.destroy_process_group()


def test_processes_together_give_the_estimate_and_errors_of_all_rows(tmp_path: Path) -> None:
    x = normal((60, 2), torch.zeros((), dtype=torch.float64), seeded("distributed")).abs()
    fork = multiprocessing.get_context("fork")  # no import of torch for each of them
    each = [fork.Process(target=process, args=(rank, x, tmp_path)) for rank in range(2)]
    for one in each:
        one.start()
    for one in each:
        one.join(timeout=120)
        assert one.exitcode == 0
    one, other = (torch.load(tmp_path / f"{rank}", weights_only=True) for rank in range(2))
    assert torch.equal(one["theta"], other["theta"])
    assert torch.equal(one["V"], other["V"])
    expected = sm.estimate(FAMILY, x, domain=ORTHANT)
    torch.testing.assert_close(one["theta"], expected.theta, rtol=1e-10, atol=0)
    torch.testing.assert_close(one["V"], expected.theta_covariance, rtol=1e-10, atol=0)
    assert one["n"] == 60
    assert "process 1 refused its rows" in one["refused"][0]  # which does not wait for the other
    assert "row 0" in other["refused"][0]
    assert all("Sandwich() or None" in each["refused"][1] for each in (one, other))


def test_a_shard_without_processes_is_refused() -> None:
    with pytest.raises(InvalidInput, match="torchrun"):
        Shard(torch.zeros(3, 1))
