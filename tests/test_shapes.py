"""Shapes: rows first, the event after them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scorematching.errors import InvalidInput
from scorematching.shapes import (
    check_like,
    check_rows,
    event_size,
    per_row,
    positive,
    sum_event,
)

EVENTS = [(), (3,), (2, 3), (2, 1, 3), (2, 2, 1, 3)]


@pytest.mark.parametrize("event", EVENTS)
def test_everything_but_the_rows_is_summed(event: tuple[int, ...]) -> None:
    x = torch.arange(4 * int(np.prod(event)), dtype=torch.float64).reshape(4, *event)
    expected = x.numpy().sum(axis=tuple(range(1, x.ndim)))
    np.testing.assert_array_equal(sum_event(x).numpy(), expected)
    assert event_size(x) == np.prod(event)


@pytest.mark.parametrize("event", EVENTS)
def test_no_row_sums_to_nothing(event: tuple[int, ...]) -> None:
    assert sum_event(torch.zeros(0, *event)).shape == (0,)


@pytest.mark.parametrize("event", EVENTS)
def test_a_value_per_row_multiplies_its_own_row(event: tuple[int, ...]) -> None:
    x = torch.ones(4, *event, dtype=torch.float64)
    value = torch.tensor([1.0, 2.0, 3.0, 4.0])
    product = per_row(value, x) * x
    assert product.shape == x.shape
    assert product.dtype == torch.float64
    for row, factor in zip(product, value, strict=True):
        assert (row == factor).all()


def test_a_number_stays_a_number() -> None:
    x = torch.ones(4, 2, dtype=torch.float64)
    for value in (2, 2.0, torch.tensor(2), torch.tensor(2.0)):
        assert per_row(value, x).shape == ()
        assert per_row(value, x).dtype == torch.float64


def test_rows_are_not_mistaken_for_columns() -> None:
    square = torch.ones(3, 3)
    product = per_row(torch.tensor([1.0, 2.0, 3.0]), square) * square
    assert product[:, 0].tolist() == [1.0, 2.0, 3.0]
    assert product[0].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("shape", [(3,), (4, 1), (4, 2), (1,)])
def test_a_value_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"shape \(\) or \(4,\): got shape"):
        per_row(torch.ones(shape), torch.ones(4, 2))


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_floating_batch_passes_unchanged(event: tuple[int, ...], dtype: torch.dtype) -> None:
    x = torch.zeros(2, *event, dtype=dtype)
    assert check_rows(x) is x


@pytest.mark.parametrize(
    ("x", "complaint"),
    [
        (torch.zeros(2, 3, dtype=torch.int64), "got dtype torch.int64"),
        (torch.zeros(2, 3, dtype=torch.complex64), "got dtype torch.complex64"),
        (np.zeros((2, 3)), "got ndarray"),
        ([[1.0]], "got list"),
        (torch.tensor(1.0), r"got shape \(\)"),
        (torch.zeros(1, 1, 1, 1, 1, 1), r"got shape \(1, 1, 1, 1, 1, 1\)"),
    ],
)
def test_what_is_no_batch_is_refused_by_name(x: object, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=f"data must .*{complaint}"):
        check_rows(x, "data")


def test_another_shape_than_x_is_refused() -> None:
    x = torch.zeros(4, 2)
    assert check_like(x, torch.ones(4, 2), "score") is x
    with pytest.raises(InvalidInput, match=r"score must .*\(4, 2\): got \(4,\)"):
        check_like(torch.zeros(4), x, "score")


@pytest.mark.parametrize("bad", [0.0, -0.5, float("nan"), float("inf"), -float("inf"), 0, -1])
def test_a_number_that_is_not_positive_is_refused(bad: float) -> None:
    with pytest.raises(InvalidInput, match=rf"^sigma must be positive and finite: got {bad:g}\.$"):
        positive(bad, "sigma")


def test_the_message_names_the_row_and_the_remedy() -> None:
    value = torch.tensor([1.0, 2.0, -0.5, -1.0])
    with pytest.raises(InvalidInput) as caught:
        positive(value, "sigma", "Pass the noise standard deviation, not its variance.")
    assert str(caught.value) == (
        "sigma must be positive and finite: got -0.5 (row 2). "
        "Pass the noise standard deviation, not its variance."
    )


@pytest.mark.parametrize("value", [1e-300, 1e300, 1e-46, 1e39, 3])
def test_a_positive_number_beyond_single_precision_passes(value: float) -> None:
    assert positive(value, "sigma").item() == value


def test_a_positive_tensor_passes_unchanged() -> None:
    value = torch.tensor([1.0, 2.0])
    assert positive(value, "sigma") is value
