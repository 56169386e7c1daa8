"""Whole numbers spread evenly over their unit intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from scorematching.data.bounded import bounds_of
from scorematching.data.dequantise import dequantise
from scorematching.data.schema import ArraySchema, Column, ImageSchema, Kind, Schema, TableSchema
from scorematching.errors import InvalidInput
from scorematching.random import seeded

TABLE = TableSchema(
    (
        Column("real", Kind.REAL),
        Column("fixed", Kind.INTEGER, constant=1.0),
        Column("whole", Kind.INTEGER, 0.0, 3.0),
    )
)


def test_only_whole_coordinates_move_and_rounding_takes_them_back() -> None:
    x = torch.from_numpy(np.random.default_rng(3).integers(0, 4, (2000, 2)).astype(float))
    y = dequantise(x, TABLE, seeded(1))
    assert torch.equal(y[:, 0], x[:, 0])
    noise = (y - x)[:, 1]
    assert torch.equal(y[:, 1].round(), x[:, 1])
    # U(−½, ½): mean 0, variance 1/12, fourth moment 1/80.
    assert abs(float(noise.mean())) < 4 * math.sqrt(1 / 12 / 2000)
    spread = math.sqrt((1 / 80 - 1 / 144) / 2000)
    assert abs(float(noise.square().mean()) - 1 / 12) < 4 * spread
    assert float(noise.abs().max()) < 0.5


def test_dequantised_values_lie_inside_the_opened_bounds() -> None:
    x = torch.tensor([[0.0, 0.0], [0.0, 3.0]], dtype=torch.float64).repeat(5000, 1)
    bounds = bounds_of(TABLE)
    assert bounds is not None
    assert bool(torch.isfinite(bounds.forward(dequantise(x, TABLE, seeded(2)))).all())


@pytest.mark.parametrize(
    "schema", [TABLE, ImageSchema((1, 2, 1)), ArraySchema((2,), "int8"), ArraySchema((), "uint16")]
)
def test_the_same_generator_gives_the_same_noise(schema: Schema) -> None:
    x = torch.ones((6, *schema.event), dtype=torch.float64)
    first, again = dequantise(x, schema, seeded(5)), dequantise(x, schema, seeded(5))
    assert torch.equal(first, again)
    assert not torch.equal(first, dequantise(x, schema, seeded(6)))
    assert not torch.equal(first, x)


@pytest.mark.parametrize(
    "schema", [ArraySchema((2,)), ImageSchema((1, 2, 1), 0.0, 1.0, integer=False)]
)
def test_real_numbers_stay(schema: Schema) -> None:
    x = torch.ones((6, *schema.event), dtype=torch.float64)
    assert torch.equal(dequantise(x, schema, seeded(5)), x)


def test_another_shape_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"shape \(n, 2\): got \(6, 3\)"):
        dequantise(torch.ones(6, 3), TABLE, seeded(5))
