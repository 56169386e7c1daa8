"""Bounds opened by logarithms and logits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from scorematching.data.bounded import Bounds, bounds_of
from scorematching.data.schema import Column, Kind, TableSchema
from scorematching.errors import InvalidInput

INF = math.inf
BOUNDS = Bounds(
    torch.tensor([-INF, 2.0, -INF, -1.0], dtype=torch.float64),
    torch.tensor([INF, INF, 5.0, 3.0], dtype=torch.float64),
)


def inside(n: int = 50) -> Tensor:
    rng = np.random.default_rng(17)
    free, low = rng.normal(size=n), 2 + rng.exponential(size=n)
    high, both = 5 - rng.exponential(size=n), rng.uniform(-1, 3, n)
    return torch.from_numpy(np.stack([free, low, high, both], axis=1))


def test_each_coordinate_follows_its_formula() -> None:
    x = inside()
    y = BOUNDS.forward(x)
    a = x.numpy()
    expected = [
        a[:, 0],
        np.log(a[:, 1] - 2),
        -np.log(5 - a[:, 2]),
        np.log((a[:, 3] + 1) / (3 - a[:, 3])),
    ]
    np.testing.assert_allclose(y, np.stack(expected, axis=1), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(BOUNDS.inverse(y), x, rtol=1e-12, atol=1e-12)


def test_the_jacobian_makes_an_exponential_density_of_its_logarithm() -> None:
    # If x ~ Exp(1), y = log x has log-density y − eʸ, and log p(x) = −x.
    bounds = Bounds(torch.zeros(1, dtype=torch.float64), torch.full((1,), INF, dtype=torch.float64))
    x = torch.logspace(-12, 2, 40, dtype=torch.float64)[:, None]
    y = bounds.forward(x)[:, 0]
    log_p = (y - y.exp()) + bounds.log_abs_det_jacobian(x)
    torch.testing.assert_close(log_p, -x[:, 0], rtol=1e-12, atol=1e-12)


def test_samples_far_out_stay_between_both_bounds() -> None:
    y = torch.tensor([[0.0, -800.0, 800.0, 30.0], [0.0, 3.0, -3.0, -30.0]], dtype=torch.float64)
    x = BOUNDS.inverse(y)
    assert bool((x >= BOUNDS.low).all() & (x <= BOUNDS.high).all())
    assert 0 < 3.0 - float(x[0, 3]) < 1e-12  # the logit does not round onto its bound


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (1, 2.0, r"strictly between 2 and inf: got 2 \(row 3, coordinate \[1\]\)"),
        (2, 6.5, r"strictly between -inf and 5: got 6.5 \(row 3, coordinate \[2\]\)"),
        (3, 3.0, r"strictly between -1 and 3: got 3 \(row 3"),
        (1, math.nan, "got nan"),
    ],
)
def test_values_on_or_beyond_a_bound_are_named(column: int, value: float, message: str) -> None:
    x = inside()
    x[3, column] = value
    with pytest.raises(InvalidInput, match=message):
        BOUNDS.forward(x)
    with pytest.raises(InvalidInput, match=message):
        BOUNDS.log_abs_det_jacobian(x)


def test_bounds_of_a_schema_leave_room_around_whole_numbers() -> None:
    schema = TableSchema(
        (
            Column("free", Kind.REAL),
            Column("fixed", Kind.REAL, low=0.0, constant=2.0),
            Column("count", Kind.INTEGER, low=0.0),
            Column("share", Kind.REAL, 0.0, 1.0),
        )
    )
    found = bounds_of(schema)
    assert found is not None
    assert found.low.tolist() == [-INF, -0.5, 0.0]
    assert found.high.tolist() == [INF, INF, 1.0]
    assert bounds_of(TableSchema((Column("free", Kind.REAL),))) is None


def test_bounds_without_room_are_refused() -> None:
    with pytest.raises(InvalidInput, match="low < high everywhere"):
        Bounds(torch.zeros(2), torch.zeros(2))
    with pytest.raises(InvalidInput, match="one shape"):
        Bounds(torch.zeros(2), torch.ones(3))
