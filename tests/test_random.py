"""Randomness that is passed in: streams, laws, and the global state left alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from scorematching.errors import InvalidInput
from scorematching.random import (
    ROWS_A_BLOCK,
    RowNoise,
    forked,
    fresh,
    normal,
    seeded,
    uniform,
)

DOUBLE = torch.zeros((), dtype=torch.float64)


def first_draw(*parts: int | str) -> float:
    return uniform((1,), DOUBLE, seeded(*parts)).item()


def test_the_same_parts_give_the_same_stream() -> None:
    assert torch.equal(
        normal((100,), DOUBLE, seeded(3, "sample", 0)),
        normal((100,), DOUBLE, seeded(3, "sample", 0)),
    )


def test_different_parts_give_different_streams() -> None:
    parts = [(0,), (1,), ("0",), (0, 0), (0, "a"), ("a", 0), ("0, 0",), ("ab",), ("a", "b"), (-1,)]
    parts += [("a\x1fb",), ("'a'\x1f'b'",), (10**30,)]
    assert len({first_draw(*p) for p in parts}) == len(parts)


def test_neighbouring_streams_are_not_correlated() -> None:
    draws = torch.stack([normal((2000,), DOUBLE, seeded(7, "block", i)) for i in range(20)])
    correlations = [(a * b).mean().item() * 2000**0.5 for a, b in itertools.combinations(draws, 2)]
    assert max(map(abs, correlations)) < 4.5  # 190 standard normals: P(exceeded) = 0.001


def test_the_stream_is_the_same_on_every_machine_and_version() -> None:
    """A saved run names its seeds, so that the mapping from parts to streams may never change."""
    assert seeded(0).initial_seed() == 2033344993903900207
    assert seeded(1, "sample", 2).initial_seed() == 8431399632241657225


@pytest.mark.parametrize("integer", [np.int64(3), np.uint8(3), np.int32(3)])
def test_an_integer_of_numpy_counts_as_its_value(integer: int) -> None:
    assert first_draw(integer, "x") == first_draw(3, "x")


@pytest.mark.parametrize("part", [1.0, None, (1, 2), b"a"])
def test_a_part_that_is_neither_integer_nor_string_is_refused(part: object) -> None:
    with pytest.raises(TypeError):
        seeded(part)


@pytest.mark.parametrize(
    ("draw", "law"), [(normal, stats.norm()), (uniform, stats.uniform())], ids=["normal", "uniform"]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_follow_their_law(draw: object, law: object, dtype: torch.dtype) -> None:
    n = 40_000
    x = draw((n,), torch.zeros((), dtype=dtype), seeded("law", str(dtype)))
    assert x.dtype == dtype
    x = x.double().numpy()
    moments = [(x - law.mean()) ** k for k in (1, 2, 3, 4)]
    for k, powers in enumerate(moments, 1):
        truth = law.expect(lambda v, k=k: (v - law.mean()) ** k)
        assert abs(powers.mean() - truth) < 4 * powers.std() / n**0.5
    assert stats.kstest(x, law.cdf).pvalue > 1e-4
    tail = law.ppf(0.99)
    assert abs((x > tail).mean() - 0.01) < 4 * (0.01 * 0.99 / n) ** 0.5


def test_shape_and_dtype_follow_what_was_asked() -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        like = torch.zeros(1, dtype=dtype)
        assert normal((2, 3), like).shape == (2, 3)
        assert normal((2, 3), like).dtype == uniform((4,), like).dtype == dtype
    assert normal((), like).shape == ()


def test_without_a_generator_draws_are_new_and_the_global_state_is_untouched() -> None:
    before = torch.random.get_rng_state()
    assert not torch.equal(normal((5,), DOUBLE), normal((5,), DOUBLE))
    assert not torch.equal(uniform((5,), DOUBLE), uniform((5,), DOUBLE))
    assert fresh().initial_seed() != fresh().initial_seed()
    seeded(1)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_forked_block_reads_its_own_stream_and_puts_the_state_back() -> None:
    def weights(*parts: int | str) -> torch.Tensor:
        with forked(*parts):
            return torch.nn.Linear(3, 3).weight.detach().clone()

    before = torch.random.get_rng_state()
    one, same, other = weights(1, "init"), weights(1, "init"), weights(2, "init")
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_state_is_put_back_after_an_error_as_well() -> None:
    before = torch.random.get_rng_state()
    with pytest.raises(ZeroDivisionError), forked(1):
        _ = torch.rand(3).tolist()[0] / 0
    assert torch.equal(before, torch.random.get_rng_state())


# -------------------------------------------------------------------------------- rows in blocks

PARTS = (5, "sample")


def test_the_noise_of_a_row_does_not_depend_on_how_many_are_drawn_at_a_time() -> None:
    n = 3 * ROWS_A_BLOCK + 5
    whole = RowNoise(0, n, PARTS)
    cuts = [0, ROWS_A_BLOCK, 3 * ROWS_A_BLOCK, n]
    pieces = [RowNoise(a, b - a, PARTS) for a, b in itertools.pairwise(cuts)]
    for _ in range(2):  # the second draw as well
        z = whole.normal(DOUBLE, (2, 2))
        assert z.shape == (n, 2, 2)
        assert torch.equal(z, torch.cat([piece.normal(DOUBLE, (2, 2)) for piece in pieces]))
        u = whole.uniform(DOUBLE)
        assert torch.equal(u, torch.cat([piece.uniform(DOUBLE) for piece in pieces]))


def test_fewer_rows_are_the_first_of_more() -> None:
    some, more = (RowNoise(0, n, PARTS).normal(DOUBLE, (3,)) for n in (10, 100))
    assert torch.equal(some, more[:10])


def test_blocks_and_draws_differ_from_each_other() -> None:
    noise = RowNoise(0, 2 * ROWS_A_BLOCK, PARTS)
    first, second = (
        noise(0, torch.zeros(len(noise.generators) * ROWS_A_BLOCK, 3)),
        noise(1, torch.zeros(2 * ROWS_A_BLOCK, 3)),
    )
    assert not torch.equal(first, second)
    assert not torch.equal(first[:ROWS_A_BLOCK], first[ROWS_A_BLOCK:])
    assert not torch.equal(first, RowNoise(0, 2 * ROWS_A_BLOCK, (6, "sample"))(0, first))


def test_rows_that_begin_inside_a_block_are_refused() -> None:
    with pytest.raises(InvalidInput, match=f"multiple of {ROWS_A_BLOCK}: got 3"):
        RowNoise(3, 10, PARTS)
