from __future__ import annotations

import torch

from scorematching.families.triangles import (
    diagonal_then_upper_by_columns,
    entry_names,
    interaction_names,
    interaction_parts,
    interaction_theta,
    lower_by_rows,
    symmetric,
    upper_by_rows,
    vector_names,
)


def pairs(indices: tuple[torch.Tensor, torch.Tensor]) -> list[tuple[int, int]]:
    return [(i + 1, j + 1) for i, j in zip(*(each.tolist() for each in indices), strict=True)]


def test_orders_are_those_of_the_design() -> None:
    assert pairs(lower_by_rows(3)) == [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3)]
    assert pairs(upper_by_rows(3)) == [(1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (3, 3)]
    assert pairs(diagonal_then_upper_by_columns(4)) == [
        *((1, 1), (2, 2), (3, 3), (4, 4)),
        *((1, 2), (1, 3), (2, 3), (1, 4), (2, 4), (3, 4)),
    ]


def test_entries_fill_both_triangles() -> None:
    entries = torch.arange(6.0)
    assert symmetric(entries, *lower_by_rows(3), 3).tolist() == [[0, 1, 3], [1, 2, 4], [3, 4, 5]]


def test_names_count_from_one() -> None:
    assert entry_names("K", *lower_by_rows(2)) == ("K[1,1]", "K[2,1]", "K[2,2]")
    assert vector_names("eta", 2) == ("eta[1]", "eta[2]")


def test_interactions_are_a_lower_triangle_and_then_a_vector() -> None:
    names = ("K[1,1]", "K[2,1]", "K[2,2]", "eta[1]", "eta[2]")
    assert interaction_names(2) == names
    matrix, linear = torch.tensor([[1.0, 2.0], [2.0, 3.0]]), torch.tensor([4.0, 5.0])
    theta = interaction_theta(matrix, linear)
    assert theta.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert all(map(torch.equal, interaction_parts(theta, 2), (matrix, linear)))
    assert interaction_parts(torch.tensor([1.0, 2.0]), 1)[0].tolist() == [[1.0]]
