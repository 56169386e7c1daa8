from __future__ import annotations

import pytest
import torch

from families.cases import W3
from scorematching.errors import InvalidInput
from scorematching.families.whitening import LinearMap, whitening
from scorematching.random import normal


def test_whitened_rows_have_unit_covariance(generator: torch.Generator) -> None:
    x = normal((50, 3), W3, generator) @ W3.mT + 5
    z = whitening(x).forward(x)
    torch.testing.assert_close(torch.cov(z.mT, correction=0), torch.eye(3).double())


def test_the_map_goes_there_and_back() -> None:
    chart, x = LinearMap(W3), torch.arange(6.0).reshape(2, 3).double()
    torch.testing.assert_close(chart.forward(x)[0], W3 @ x[0])
    torch.testing.assert_close(chart.inverse(chart.forward(x)), x)
    assert chart.log_abs_det(x).tolist() == [0, 0]


def test_collinear_columns_are_refused() -> None:
    x = torch.arange(8.0).reshape(4, 2).double()
    with pytest.raises(InvalidInput, match=r"collinear.*principal components"):
        whitening(x)
