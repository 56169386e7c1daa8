"""The law of noise that is drawn in blocks of rows."""

from __future__ import annotations

import pytest
import torch

from scorematching.random import ROWS_A_BLOCK, RowNoise, normal, seeded

DOUBLE = torch.zeros((), dtype=torch.float64)
N = 300 * ROWS_A_BLOCK


def test_rows_of_all_blocks_together_are_standard_normal_and_uncorrelated() -> None:
    z = RowNoise(0, N, (1, "law")).normal(DOUBLE, (2,))
    bound = 4 / N**0.5
    assert float(z.mean(0).abs().max()) < bound
    assert float((z.T @ z / N - torch.eye(2)).abs().max()) < 2**0.5 * bound
    assert float((z**4).mean(0).sub(3).abs().max()) < 96**0.5 * bound
    for lag in (1, ROWS_A_BLOCK):  # within blocks and across them
        assert float((z[:-lag] * z[lag:]).mean(0).abs().max()) < 1.1 * bound
    later = RowNoise(0, N, (1, "law"))
    first, second = later(0, z), later(1, z)
    assert torch.equal(first, z)
    assert float((first * second).mean(0).abs().max()) < bound


def test_uniform_draws_fill_the_unit_interval_evenly() -> None:
    u = RowNoise(0, N, (1, "law")).uniform(DOUBLE)
    assert u.shape == (N,)
    assert 0 <= float(u.min()) < float(u.max()) < 1
    counts = torch.histc(u, 10, 0.0, 1.0)
    assert float(((counts - N / 10) ** 2 / (N / 10)).sum()) < 27.9  # χ² with 9 degrees: P = 0.001


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("event", [(), (3,), (1, 2, 2), (1, 1, 1, 2)])
def test_shape_and_dtype_follow_what_is_asked(event: tuple[int, ...], dtype: torch.dtype) -> None:
    noise = RowNoise(ROWS_A_BLOCK, 5, (0,))
    like = torch.zeros(5, *event, dtype=dtype)
    assert noise(0, like).shape == (5, *event)
    assert noise(1, like).dtype == noise.uniform(like).dtype == dtype


def test_a_block_is_the_stream_of_its_number() -> None:
    """Written down, as saved samples are to stay what they are."""
    z = RowNoise(2 * ROWS_A_BLOCK, 3, (7, "sample")).normal(DOUBLE, (2,))
    expected = normal((ROWS_A_BLOCK, 2), DOUBLE, seeded(7, "sample", 2))[:3]
    assert torch.equal(z, expected)
