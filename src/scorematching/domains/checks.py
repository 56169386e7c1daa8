"""Rows that do not belong: errors that name the row, the value, what was expected and the remedy.

Rows and columns are counted from 0, as tensors count them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from scorematching.domains.weights import Weight
from scorematching.errors import InvalidInput
from scorematching.shapes import check_rows

# Unit length and unit sum hold to this much: single precision and six printed decimals pass.
TOLERANCE = 1e-6


def check_dimension(d: int, least: int, name: str) -> None:
    """Raise `InvalidInput` unless d is an integer of at least ``least``."""
    if isinstance(d, bool) or not isinstance(d, int) or d < least:
        raise InvalidInput(
            f"{name} needs an integer d of at least {least}, the number of columns: got {d!r}."
        )


def check_columns(x: Tensor, d: int) -> None:
    """Raise `InvalidInput` unless x is a floating tensor ``(n, d)``, n ≥ 1, all finite."""
    check_rows(x)
    if x.ndim != 2 or x.shape[1] != d or not x.shape[0]:
        remedy = " For one column use x[:, None]." if x.ndim == 1 and d == 1 else ""
        raise InvalidInput(
            f"expected at least one row of {d} columns, shape (n, {d}): got {tuple(x.shape)}."
            + remedy
        )
    refuse(
        ~x.isfinite(),
        x,
        "every value must be finite",
        "Drop or impute rows with missing values first.",
    )


def refuse(bad: Tensor, values: Tensor, expected: str, remedy: str, what: str = "") -> None:
    """Raise `InvalidInput` for the first True of bad, ``(n,)`` or ``(n, d)``.

    Parameters
    ----------
    bad, values
        Of the same shape: where something is wrong, and what to show for it.
    what
        The name of the values, where they are not the entries of the row.
    """
    if not bool(bad.any()):
        return
    place = bad.nonzero()[0].tolist()
    column = f", column {place[1]}" if len(place) > 1 else ""
    rows = int(bad.any(1).sum() if bad.ndim > 1 else bad.sum())
    more = f", and {rows - 1} more" if rows > 1 else ""
    got = f"{what} {values[tuple(place)].item():.9g}".strip()
    raise InvalidInput(f"{expected}: got {got} (row {place[0]}{column}{more}). {remedy}")


def check_inside(distance: Tensor, x: Tensor, expected: str, remedy: str) -> None:
    """Raise `InvalidInput` where a distance from the boundary is negative: the row is outside."""
    refuse(distance < 0, x, expected, remedy)


def check_weight_vanishes(weight: object, distances: Tensor, remedy: str) -> None:
    """Raise `InvalidInput` unless a weight is zero at the boundary and nowhere negative.

    Parameters
    ----------
    weight
        A `Weight`.
    distances
        ``(k, d)``: each row lies on one side of the boundary, where its distance is zero.
    remedy
        What to use instead.
    """
    if not callable(weight):
        raise InvalidInput(f"a weight must be a callable: got {weight!r}. {remedy}")
    w = weight(distances)
    if not isinstance(w, Tensor) or w.shape not in (distances.shape, distances.shape[:1]):
        got = tuple(w.shape) if isinstance(w, Tensor) else type(w).__name__
        raise InvalidInput(
            f"a weight must return one number a row, ({len(distances)},), or one a coordinate, "
            f"{tuple(distances.shape)}: got {got}. {remedy}"
        )
    on_side = w if w.ndim == 1 else w[distances == 0]
    wrong = on_side[on_side != 0].flatten()
    if len(wrong):
        raise InvalidInput(
            f"the weight must be zero at the boundary: {weight!r} is {wrong[0].item():g} there, "
            f"which would leave an integral over the boundary in, and bias the estimate. {remedy}"
        )
    if not bool((w >= 0).all()):
        raise InvalidInput(f"the weight must be at least 0: {weight!r} is not. {remedy}")


def nearest_weight(weight: Weight, distance: Tensor) -> Tensor:
    """The weight of one distance a row, ``(n,)`` → ``(n,)``."""
    return weight(distance[:, None]).reshape(distance.shape)


def check_nearest_weight(weight: Weight) -> None:
    """Raise `InvalidInput` unless the weight is zero at distance zero."""
    remedy = "Use MinPower(power, cap), Power(p) or Log1p()."
    check_weight_vanishes(weight, torch.zeros(1, 1, dtype=torch.float64), remedy)


Numbers = float | Sequence[float] | Tensor


def numbers(value: Numbers, name: str) -> Tensor:
    """Numbers as a float64 tensor ``()`` or ``(k,)`` on the CPU; NaN is refused."""
    tensor = torch.as_tensor(value, dtype=torch.float64).detach().cpu()
    if tensor.ndim > 1 or bool(tensor.isnan().any()):
        raise InvalidInput(f"{name} must be a number or a row of numbers: got {value!r}.")
    return tensor
