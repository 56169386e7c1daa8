"""Distances between rows: the largest of all pairs, and the scale on which rows are neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.hutchinson import check_count
from scorematching.shapes import check_rows

_BLOCK = 1024
_SWEEPS = 10


@dataclass(frozen=True)
class Diameter:
    """The largest distance found between two rows, and what no distance exceeds.

    Where they are equal it is the largest of all pairs.
    """

    value: float
    bound: float


def diameter(x: Tensor, max_rows: int = 4096) -> Diameter:
    """The largest Euclidean distance between two rows of x ``(n, *event)``.

    All pairs are compared of the max_rows rows furthest from the mean, and every row with the ends
    of the best pair. By the triangle inequality that decides all pairs, unless rows closer to the
    mean could reach further; `Diameter.bound` then tells by how much. The comparison takes
    max_rows²·d operations and is made in the precision of x.

    Raises
    ------
    InvalidInput
        There are fewer than two rows, or they are not finite.
    """
    check_count(max_rows, "max_rows")
    rows = _finite(x)
    blocks = torch.split(rows, _BLOCK)
    mean = torch.stack([block.sum(0, dtype=torch.float64) for block in blocks]).sum(0) / len(rows)
    mean = mean.to(rows.dtype)
    radii = _away(rows, mean)
    largest = radii.max().item()
    if largest == 0:
        return Diameter(0.0, 0.0)
    order = radii.argsort(descending=True)
    outer = (rows[order[:max_rows]] - mean) / largest  # of order one: nothing overflows
    pair = _furthest_pair(outer, radii[order[:max_rows]] / largest)
    best = _swept(rows, order[list(pair)])
    inner = radii[order[max_rows]].item() if len(rows) > max_rows else 0.0
    return Diameter(best, max(best, largest + inner) if inner else best)


def local_scale(x: Tensor, share: float = 0.05, max_rows: int = 1000) -> float:
    """A tenth of the rows have the share of all rows within √(2d) times this distance.

    On one coordinate, as a standard deviation: two rows of N(0, s²I) are √(2d) s apart. Zero if
    that many rows are copies. Of more than max_rows rows as many are taken, evenly spaced.

    Raises
    ------
    InvalidInput
        There are fewer than two rows, or they are not finite.
    """
    rows = _finite(x)
    chosen = torch.linspace(0, len(rows) - 1, min(len(rows), max_rows)).long()
    rows = rows[chosen].double()
    rows = rows - rows.mean(0)
    size = rows.abs().max().item() or 1.0
    rows = rows / size
    distances = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
    neighbour = min(len(rows) - 1, max(1, round(share * len(rows))))
    reach = distances.kthvalue(neighbour + 1, dim=1).values  # the nearest is the row itself
    return reach.quantile(0.1).item() * size / math.sqrt(2 * rows.shape[1])


def _finite(x: Tensor) -> Tensor:
    """x as a matrix ``(n, d)`` of at least single precision, if it can be measured."""
    rows = check_rows(x).detach().flatten(1) if x.ndim > 1 else check_rows(x).detach()[:, None]
    if len(rows) < 2:
        raise InvalidInput(f"distances need two rows or more: got {len(rows)}.")
    bad = ~rows.isfinite().all(1)
    if bool(bad.any()):
        raise InvalidInput(
            f"x must be finite: {int(bad.sum())} rows are not, the first is row "
            f"{int(bad.nonzero()[0])}. Leave them out, or impute them first."
        )
    return rows.to(torch.promote_types(rows.dtype, torch.float32))


def _furthest_pair(rows: Tensor, radii: Tensor) -> tuple[int, int]:
    """The pair furthest apart, of rows in the order of their decreasing distance from zero."""
    best, pair = -1.0, (0, 0)
    starts = range(0, len(rows), _BLOCK)
    for i in starts:
        for j in range(i, len(rows), _BLOCK):
            if (radii[i] + radii[j]).item() <= best:
                break  # nor will any later block
            distances = torch.cdist(rows[i : i + _BLOCK], rows[j : j + _BLOCK])
            largest = distances.max().item()
            if largest > best:
                row, column = divmod(int(distances.argmax()), distances.shape[1])
                best, pair = largest, (i + row, j + column)
    return pair


def _swept(rows: Tensor, ends: Tensor) -> float:
    """The distance of two rows, moved to the row furthest from either end until none is further."""
    best = _away(rows[ends[:1]], rows[ends[1]]).item()
    for _ in range(_SWEEPS):
        before = best
        for end in ends.clone():
            away = _away(rows, rows[end])
            if away.max().item() > best:
                best, ends = away.max().item(), torch.stack([end, away.argmax()])
        if best == before:
            break
    return best


def _away(rows: Tensor, point: Tensor) -> Tensor:
    """Distances of rows from a point, ``(n,)`` in float64."""
    blocks = [(block - point).double() for block in torch.split(rows, _BLOCK)]
    return torch.cat([torch.linalg.vector_norm(block, dim=1) for block in blocks])
