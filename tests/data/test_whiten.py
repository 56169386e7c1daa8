"""Whitening: identity covariance, equivariance, and a word about collinear columns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from scorematching.data.whiten import Whiten, whiten
from scorematching.errors import InvalidInput


def rows(n: int = 500) -> Tensor:
    rng = np.random.default_rng(13)
    mix = rng.normal(size=(4, 4))
    return torch.from_numpy(rng.normal(size=(n, 4)) @ mix + [3.0, -1.0, 0.0, 7.0])


def test_whitened_rows_have_mean_zero_and_covariance_one() -> None:
    x = rows()
    found, notes = whiten(x)
    y = found.forward(x)
    assert notes == ()
    np.testing.assert_allclose(y.mean(0), np.zeros(4), atol=1e-12)
    np.testing.assert_allclose(np.cov(y.numpy().T, bias=True), np.eye(4), atol=1e-11)
    torch.testing.assert_close(found.inverse(y), x, rtol=1e-12, atol=1e-12)


def test_whitening_ignores_the_columns_units() -> None:
    x = rows()
    scale = torch.tensor([1e12, 1e-12, 1.0, 1e6], dtype=torch.float64)
    shift = torch.tensor([1e12, 0.0, -5.0, 1e3], dtype=torch.float64)
    plain, _ = whiten(x)
    scaled, notes = whiten(x * scale + shift)
    assert notes == ()
    z = x * scale + shift
    y = scaled.forward(z)
    torch.testing.assert_close(y, plain.forward(x), rtol=1e-9, atol=1e-9)
    back = (scaled.inverse(y) - z) / scale
    assert float(back.abs().max()) < 1e-9
    # log|det| changes by −Σ log scale.
    change = scaled.log_abs_det_jacobian(z) - plain.log_abs_det_jacobian(x)
    torch.testing.assert_close(change, -scale.log().sum().expand(len(x)), rtol=1e-12, atol=1e-9)


def test_collinear_columns_are_named_and_the_map_stays_invertible() -> None:
    x = rows()
    x = torch.cat([x, (2 * x[:, 1] - 3)[:, None]], dim=1)
    found, notes = whiten(x, ["a", "b", "c", "d", "twice b"])
    assert len(notes) == 1
    assert notes[0].startswith("columns 'b', 'twice b' are collinear: 1 of their combinations")
    y = found.forward(x)
    assert float((found.inverse(y) - x).abs().max()) < 1e-9
    variances = y.var(0, correction=0).sort().values
    assert float(variances[0]) < 1e-6
    np.testing.assert_allclose(variances[1:], np.ones(4), atol=1e-9)


def test_nearly_collinear_columns_are_not_called_collinear() -> None:
    x = rows()
    noise = torch.from_numpy(np.random.default_rng(1).normal(size=(500, 1)))
    # A correlation of about 1 − 0.05²/2: the smallest eigenvalue is near 1e-3.
    close = x[:, 1:2] + 0.05 * x[:, 1:2].std() * noise
    assert whiten(torch.cat([x, close], dim=1))[1] == ()


def test_fewer_rows_than_columns_are_regularised_and_said() -> None:
    x = torch.from_numpy(np.random.default_rng(4).normal(size=(5, 9)))
    found, notes = whiten(x)
    assert notes[0].startswith("5 rows span at most 4 of 9 directions")
    assert bool(torch.isfinite(found.forward(x)).all())
    assert float((found.inverse(found.forward(x)) - x).abs().max()) < 1e-9


@pytest.mark.parametrize(
    ("mean", "matrix", "message"),
    [
        (torch.zeros(2), torch.zeros(2, 2), "invertible"),
        (torch.zeros(2), torch.eye(3), r"mean must have shape \(d,\)"),
        (torch.zeros(2, 2), torch.eye(2), r"mean must have shape \(d,\)"),
        (torch.tensor([0.0, torch.nan]), torch.eye(2), "finite"),
    ],
)
def test_maps_that_cannot_be_inverted_are_refused(
    mean: Tensor, matrix: Tensor, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        Whiten(mean, matrix)


def test_rows_must_be_a_matrix_and_the_floor_positive() -> None:
    with pytest.raises(InvalidInput, match=r"shape \(n, d\): got \(3,\)"):
        whiten(torch.zeros(3))
    with pytest.raises(InvalidInput, match="floor must be positive"):
        whiten(rows(), floor=0.0)
