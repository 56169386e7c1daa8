"""Symmetric matrices as vectors of their distinct entries, in a stated order."""

from __future__ import annotations

import torch
from torch import Tensor


def lower_by_rows(d: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of the lower triangle, row by row: (1,1), (2,1), (2,2), (3,1), …"""
    i, j = torch.tril_indices(d, d)
    return i, j


def upper_by_rows(d: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of the upper triangle, row by row: (1,1), (1,2), …, (2,2), …"""
    i, j = torch.triu_indices(d, d)
    return i, j


def interaction_names(d: int) -> tuple[str, ...]:
    """K's lower triangle row by row, then η: K[1,1], K[2,1], K[2,2], …, eta[1], …, eta[d]."""
    return (*entry_names("K", *lower_by_rows(d)), *vector_names("eta", d))


def interaction_theta(matrix: Tensor, linear: Tensor) -> Tensor:
    """θ of a symmetric K ``(d, d)`` and η ``(d,)``, in the order of `interaction_names`."""
    return torch.cat([matrix[lower_by_rows(len(linear))], linear])


def interaction_parts(theta: Tensor, d: int) -> tuple[Tensor, Tensor]:
    """K ``(d, d)`` and η ``(d,)`` of θ."""
    return symmetric(theta[:-d], *lower_by_rows(d), d), theta[-d:]


def diagonal_then_upper_by_columns(d: int) -> tuple[Tensor, Tensor]:
    """The diagonal, then the upper triangle column by column: (1,1), …, (1,2), (1,3), (2,3), …"""
    j, i = torch.tril_indices(d, d, offset=-1)
    diagonal = torch.arange(d)
    return torch.cat([diagonal, i]), torch.cat([diagonal, j])


def symmetric(entries: Tensor, i: Tensor, j: Tensor, d: int) -> Tensor:
    """The symmetric ``(d, d)`` matrix whose entries (i, j) and (j, i) are given, ``(m,)``."""
    matrix = entries.new_zeros(d, d)
    matrix[i, j] = entries
    matrix[j, i] = entries
    return matrix


def entry_names(symbol: str, i: Tensor, j: Tensor) -> tuple[str, ...]:
    """The names of matrix entries, counted from 1: ``K[2,1]``."""
    pairs = zip(i.tolist(), j.tolist(), strict=True)
    return tuple(f"{symbol}[{row + 1},{column + 1}]" for row, column in pairs)


def vector_names(symbol: str, d: int) -> tuple[str, ...]:
    """The names of a vector's entries, counted from 1: ``eta[3]``."""
    return tuple(f"{symbol}[{j + 1}]" for j in range(d))
