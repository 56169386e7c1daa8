"""Rows that do not belong: errors that name the row, the value, what was expected and the remedy.

Rows and columns are counted from 0, as tensors count them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

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
        raise InvalidInput(
            f"expected at least one row of {d} columns, shape (n, {d}): got {tuple(x.shape)}. "
            + ("For one column use x[:, None]." if x.ndim == 1 and d == 1 else "")
        )
    refuse(
        ~x.isfinite(),
        x,
        "every value must be finite",
        "Drop or impute rows with missing values first.",
    )


def refuse(bad: Tensor, values: Tensor, expected: str, remedy: str) -> None:
    """Raise `InvalidInput` for the first True of bad, ``(n,)`` or ``(n, d)``.

    Parameters
    ----------
    bad, values
        Of the same shape: where something is wrong, and what to show for it.
    """
    if not bool(bad.any()):
        return
    place = bad.nonzero()[0].tolist()
    column = f", column {place[1]}" if len(place) > 1 else ""
    rows = int(bad.any(1).sum() if bad.ndim > 1 else bad.sum())
    more = f", and {rows - 1} more" if rows > 1 else ""
    raise InvalidInput(
        f"{expected}: got {values[tuple(place)].item():.9g} (row {place[0]}{column}{more}). "
        f"{remedy}"
    )


def check_inside(distance: Tensor, x: Tensor, expected: str, remedy: str) -> None:
    """Raise `InvalidInput` where a distance from the boundary is negative: the row is outside."""
    refuse(distance < 0, x, expected, remedy)


def check_weight_vanishes(weight: object, distances: Tensor, allowed: str) -> None:
    """Raise `InvalidInput` unless the weight is zero at each side of the boundary in turn.

    Parameters
    ----------
    weight
        A `Weight`.
    distances
        ``(k, k)`` or ``(k, 1)``: row j lies on side j, that is distance j is zero.
    allowed
        What to do instead.
    """
    if not callable(weight):
        raise InvalidInput(f"a weight must be a callable: got {weight!r}. {allowed}")
    w = weight(distances)
    if not isinstance(w, Tensor) or w.shape not in (distances.shape, distances.shape[:1]):
        got = tuple(w.shape) if isinstance(w, Tensor) else type(w).__name__
        raise InvalidInput(
            f"a weight of distances (n, k) must return (n, k) or (n,): got {got} for "
            f"{tuple(distances.shape)}. {allowed}"
        )
    at = w if w.ndim == 1 else w.diagonal()
    refuse(
        ~(at == 0),
        at,
        f"the weight {weight!r} must be zero at the boundary",
        "Otherwise the integral over the boundary stays in, and the estimate is biased. " + allowed,
    )
    refuse(~(w.flatten() >= 0), w.flatten(), f"the weight {weight!r} must be ≥ 0", allowed)


def plain(value: object, name: str) -> Tensor:
    """Numbers as a float64 tensor; NaN is refused."""
    tensor = torch.as_tensor(value, dtype=torch.float64)
    if bool(tensor.isnan().any()):
        raise InvalidInput(f"{name} must not be NaN: got {value!r}.")
    return tensor


def shown(x: float) -> str:
    """A number for a message, ∞ written out."""
    return ("∞" if x > 0 else "−∞") if math.isinf(x) else f"{x:g}"
