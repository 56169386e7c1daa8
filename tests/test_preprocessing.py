"""From the data's units to standardised rows and back, at every scale."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from scorematching.data import Dataset, from_array, from_frame
from scorematching.data.transform import Compose
from scorematching.errors import InvalidInput
from scorematching.noise import EDM
from scorematching.preprocessing import level_of, names, one_scale, preprocessing

NOISE = EDM(0.01, 20.0)


def map_of(data: Dataset) -> tuple[Compose, tuple[str, ...]]:
    return preprocessing(data, torch.from_numpy(data.values))


def normal(*shape: int) -> NDArray[np.float64]:
    return np.random.default_rng(shape).normal(size=shape)


def pixels(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(shape).integers(0, 256, size=shape, dtype=np.uint8)


def correlated(n: int, d: int) -> NDArray[np.float64]:
    return normal(n, d) @ normal(d, d) + normal(d)


def test_rows_of_columns_are_whitened() -> None:
    data = from_array(correlated(300, 4))
    transform, notes = map_of(data)
    y = transform.forward(torch.from_numpy(data.values))
    torch.testing.assert_close(y.mean(0), torch.zeros(4, dtype=y.dtype), rtol=0, atol=1e-12)
    torch.testing.assert_close(y.T @ y / 300, torch.eye(4, dtype=y.dtype), rtol=0, atol=1e-10)
    assert notes == ()


def test_bounded_columns_are_opened_before_they_are_whitened() -> None:
    z = normal(400, 2)
    frame = pd.DataFrame({"a": np.exp(z[:, 0]), "b": 1 / (1 + np.exp(-z[:, 1]))})
    data = from_frame(frame, positive=["a"], bounds={"b": (0.0, 1.0)})
    transform, _ = map_of(data)
    opened = (z - z.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T, ddof=0)).T)
    y = transform.forward(torch.from_numpy(data.values)).numpy()
    # Both are white images of the opened columns: they differ by a rotation.
    rotation = np.linalg.lstsq(opened, y, rcond=None)[0]
    np.testing.assert_allclose(opened @ rotation, y, atol=1e-8)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(2), atol=1e-8)


@pytest.mark.parametrize("top", [16, 255])
def test_images_are_scaled_by_their_spread_whatever_range_their_type_has(top: int) -> None:
    """Grey values that stop at 16 become the same rows as those that go on to 255."""
    levels = np.random.default_rng(5).uniform(size=(70, 8, 8)).round(1)
    data = from_array((levels * top).round().astype(np.uint8))
    transform, notes = map_of(data)
    y = transform.forward(torch.from_numpy(data.values))
    expected = levels - levels.mean(0)
    expected = expected / np.sqrt((expected**2).mean())
    torch.testing.assert_close(y[:, 0], torch.from_numpy(expected), rtol=0, atol=0.12)
    assert y.square().mean().item() == pytest.approx(1, abs=1e-12)
    assert notes == ()


@pytest.mark.parametrize("x", [np.full((9, 8, 8), 3, np.uint8), np.full((9, 2, 3), 0.5)])
def test_rows_that_are_all_the_same_are_refused(x: NDArray[np.generic]) -> None:
    with pytest.raises(InvalidInput, match="9 rows to fit are all the same"):
        map_of(from_array(x))


@pytest.mark.parametrize("event", [(), (2, 3), (1, 2, 2), (2, 1, 2, 2)])
@pytest.mark.parametrize(
    ("scale", "shift"), [(1, 0), (1e12, 0), (1e-12, 0), (1, 1e12), (1e-180, 0)]
)
def test_other_arrays_are_centred_and_scaled_by_one_number(
    event: tuple[int, ...], scale: float, shift: float
) -> None:
    """Up to the digits that float64 keeps of the mean: of 1e12, steps of 1.2e-4."""
    spreads = torch.linspace(0.5, 2, math.prod(event), dtype=torch.float64).reshape(event)
    x = shift + scale * spreads.numpy() * normal(80, *event)
    data = from_array(x)
    y = map_of(data)[0].forward(torch.from_numpy(data.values))
    zero = torch.zeros(event, dtype=y.dtype)
    torch.testing.assert_close(y.mean(0), zero, rtol=0, atol=1e-12 if shift == 0 else 2e-4)
    assert y.square().mean().item() == pytest.approx(1, abs=1e-12 if shift == 0 else 1e-6)
    deviation = torch.from_numpy(x - x.mean(0)) / scale
    expected = deviation / deviation.square().mean().sqrt()
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-9 if shift == 0 else 4e-4)


def test_a_coordinate_that_never_changes_does_not_spoil_the_scale() -> None:
    x = 1e-6 * normal(50, 2, 2)
    x[:, 0, 0] = 7.0
    data = from_array(x)
    y = map_of(data)[0].forward(torch.from_numpy(x))
    assert y.square().mean().item() == pytest.approx(1)
    assert bool((y[:, 0, 0] == 0).all())


def test_the_map_is_inverted_and_its_jacobian_is_the_slope() -> None:
    for data in (from_array(correlated(60, 3)), from_array(normal(60, 2, 2))):
        transform, _ = map_of(data)
        x = torch.from_numpy(data.values)[:2]
        torch.testing.assert_close(transform.inverse(transform.forward(x)), x)
        flat = x[0].flatten()

        def forward(v: Tensor, shape: torch.Size = x[:1].shape, f: Compose = transform) -> Tensor:
            return f.forward(v.reshape(shape)).flatten()

        slope = torch.autograd.functional.jacobian(forward, flat)
        expected = torch.linalg.slogdet(slope).logabsdet
        torch.testing.assert_close(transform.log_abs_det_jacobian(x)[0], expected)


def test_too_few_rows_and_collinear_columns_are_told() -> None:
    assert "5 rows span at most 4 of 9 directions" in map_of(from_array(correlated(5, 9)))[1][0]
    assert len(map_of(from_array(correlated(5, 9)))[1]) == 1
    assert "5 rows span" in map_of(from_array(normal(5, 2, 3)))[1][0]
    x = correlated(50, 2)
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "sum": x.sum(1)})
    assert "'sum'" in map_of(from_frame(frame))[1][0]


def test_coordinates_are_called_by_their_columns_or_numbers() -> None:
    assert names(from_frame(pd.DataFrame({"a": [1.0, 2.0], "c": 1.0})).schema) == ["a"]
    assert names(from_array(normal(3, 2)).schema) == ["x[0]", "x[1]"]


@pytest.mark.parametrize(
    ("x", "unit"),
    [
        (pixels(70, 8, 8), math.sqrt(12 / (256**2 - 1))),
        (5 * normal(4000), 1 / 5),
        (5 * normal(2000, 2, 2), 1 / 5),
        (5 * normal(2000, 2), 1.0),
    ],
)
def test_a_level_is_in_the_unit_that_all_coordinates_share(
    x: NDArray[np.generic], unit: float
) -> None:
    data = from_array(x)
    transform, _ = map_of(data)
    level = level_of(0.5 / unit, transform, data.schema, NOISE)
    assert level == pytest.approx(0.5, rel=0.05)
    if unit != 1:
        assert one_scale(data.schema)
        moved = transform.forward(torch.from_numpy(data.values[:1]) + 0.5 / unit)
        moved = moved - transform.forward(torch.from_numpy(data.values[:1]))
        assert moved.flatten()[0].item() == pytest.approx(level, rel=1e-9)


def test_a_level_must_be_one_of_the_model() -> None:
    data = from_array(normal(2000, 2, 2) * 5)
    transform, _ = map_of(data)

    def level(sigma: float | Tensor | None) -> float:
        return level_of(sigma, transform, data.schema, NOISE)

    unit = 0.1 / level(0.5)
    assert level(None) == 0.01
    # The ends in the data's units are levels, whatever their rounding.
    low, high = 0.01 * 5 * unit, 20.0 * 5 * unit
    assert level(low) >= 0.01
    assert level(high) <= 20.0
    with pytest.raises(InvalidInput, match=r"within the noise levels .*, .* to .*got 200"):
        level(200.0)
    with pytest.raises(InvalidInput, match="sigma must be positive and finite: got -1"):
        level(-1.0)
    with pytest.raises(InvalidInput, match=r"sigma must be one number: got shape \(2,\)"):
        level(torch.ones(2))
    assert level(torch.tensor([1.0])) == level(1.0)
