"""Rows as float64 tensors, and the refusals that every estimate shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from scorematching.domains import AnyDomain, coordinates, working_rows
from scorematching.errors import InvalidInput


def as_rows(x: Any, d: int, at_least: int = 2) -> Tensor:
    """x as float64 rows ``(n, d)``; ``(n,)`` is one column where d is 1.

    Parameters
    ----------
    x
        Tensor, NumPy array, data frame (anything with ``to_numpy``) or nested lists of numbers.
    d
        The number of columns.
    at_least
        How many rows there must be; a portion of them may be one.

    Raises
    ------
    InvalidInput
        x does not hold real numbers, has other columns than d, or too few rows.
    """
    if isinstance(x, Tensor):
        tensor = x.detach()
    else:
        array = np.asarray(x.to_numpy() if hasattr(x, "to_numpy") else x)
        if array.dtype.kind not in "fiub":
            raise InvalidInput(
                f"x must hold real numbers: got {type(x).__name__} of dtype {array.dtype}. Drop or "
                "encode columns of text, objects and dates."
            )
        values = np.ascontiguousarray(array, dtype=np.float64)
        # Frames give arrays that must not be written to, which torch cannot promise.
        tensor = torch.from_numpy(values if values.flags.writeable else values.copy())
    if tensor.is_complex():
        raise InvalidInput(f"x must hold real numbers: got dtype {tensor.dtype}.")
    rows = tensor.to(torch.float64)
    if rows.ndim == 1 and d == 1:
        rows = rows[:, None]
    if rows.ndim != 2 or rows.shape[1] != d:
        raise InvalidInput(
            f"expected rows of {d} columns, shape (n, {d}): got {tuple(tensor.shape)}."
        )
    if len(rows) < at_least:
        raise InvalidInput(
            f"an estimate needs at least two rows: got n = {len(rows)}. One row tells nothing of "
            "the spread."
        )
    return rows


def check_enough(n: int, k: int) -> None:
    """Raise InvalidInput unless there are more rows than free parameters.

    The row gradients sum to zero at the minimum, so that the covariance of k of them is singular
    for n ≤ k rows.
    """
    if n <= k:
        raise InvalidInput(
            f"standard errors need more rows than free parameters: got n = {n} rows and {k} "
            "parameters. Bring more rows, fix or tie parameters (fixed=…, tied=…), ask for a ridge "
            "(ridge=…), or for the estimate alone (covariance=None)."
        )


def check_some(n: int) -> None:
    """Raise InvalidInput if there are no rows."""
    if n == 0:
        raise InvalidInput("there are no rows: got n = 0. An estimate needs two rows or more.")


def not_finite(x: Tensor, row: int, domain: AnyDomain) -> InvalidInput:
    """The error for a row of x whose loss is not finite, on the domain's boundary or inside."""
    got = f"the loss of row {row} is not finite: got x = {x[row].tolist()}"
    weight = coordinates(domain)[0].weight(working_rows(domain, x[row : row + 1]))
    if bool((weight == 0).any()):
        return InvalidInput(
            f"{got}, on the boundary of the domain, where the score of the family is infinite. "
            "Drop such rows, or put a value just inside in their place (half the smallest "
            "measured) with a weight that falls as the square of the distance (MinPower(2, cap)), "
            "so that the value hardly matters, or take a family with a finite score there (a "
            "Gaussian, powers a, b ≥ 1)."
        )
    return InvalidInput(
        f"{got}. The score or its derivative is infinite or no number there: rescale the columns, "
        "or drop the row."
    )


def too_large() -> InvalidInput:
    """The error for sums that overflow though each term is finite."""
    return InvalidInput(
        "the sums over the rows overflow: values are too large for double precision. Rescale the "
        "columns."
    )
