from __future__ import annotations

import pytest
import torch

from families.cases import W3, vector
from scorematching.errors import InvalidInput
from scorematching.families import amari_distance


def test_order_signs_and_scales_do_not_count() -> None:
    permutation = torch.eye(3).double()[[2, 0, 1]]
    unmixing = permutation @ torch.diag(vector(3.0, -0.1, 7.0)) @ torch.linalg.inv(W3)
    assert amari_distance(unmixing, W3) == pytest.approx(0, abs=1e-14)


def test_the_worst_is_one_and_a_rotation_is_in_between() -> None:
    assert amari_distance(torch.ones(4, 4), torch.eye(4)) == 1
    # P = [[c, s], [s, c]] with s/c = ½: each of four ratios is ½, over 2d(d − 1) = 4
    half = torch.tensor([[1.0, 0.5], [-0.5, 1.0]])
    assert amari_distance(half, torch.eye(2)) == pytest.approx(0.5)
    # rows give ½ and ½, columns ¼ and 1
    skew = torch.tensor([[1.0, 0.5], [0.25, -0.5]])
    assert amari_distance(skew, torch.eye(2)) == pytest.approx(2.25 / 4)


def test_shapes_and_singular_matrices_are_refused() -> None:
    with pytest.raises(InvalidInput, match="square matrices of one size"):
        amari_distance(torch.ones(3, 2), torch.ones(2, 2))
    with pytest.raises(InvalidInput, match="row or column of zeros"):
        amari_distance(torch.diag(vector(1.0, 0.0)), torch.eye(2))
