"""Every map: its inverse, its Jacobian against automatic differentiation, and its saved form."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd.functional import jacobian

from scorematching.data.transform import (
    Bounds,
    Compose,
    Standardise,
    Transform,
    Whiten,
    standardise,
    transform_from_json,
    whiten,
)
from scorematching.errors import InvalidInput


def positive_rows(n: int, *event: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(23).gamma(2.0, size=(n, *event)))


X = positive_rows(60, 4)
INF = math.inf
BOUNDS = Bounds(
    torch.tensor([0.0, -INF, -INF, 0.0], dtype=torch.float64),
    torch.tensor([INF, INF, 40.0, 50.0], dtype=torch.float64),
)
AFTER_BOUNDS = BOUNDS.forward(X)
COMPOSED = Compose(
    (BOUNDS, standardise(AFTER_BOUNDS), whiten(standardise(AFTER_BOUNDS).forward(AFTER_BOUNDS))[0])
)
HALVED = Standardise(torch.zeros(4).double(), torch.full((4,), 2.0).double())
IMAGES = positive_rows(20, 2, 3, 2)
MAPS: list[Any] = [
    pytest.param(standardise(X), X, id="standardise"),
    pytest.param(standardise(X[:, 0]), X[:, 0], id="standardise-rank-0"),
    pytest.param(standardise(IMAGES), IMAGES, id="standardise-images"),
    pytest.param(standardise(IMAGES, shared_axes=(1, 2, 3)), IMAGES, id="standardise-shared"),
    pytest.param(whiten(X)[0], X, id="whiten"),
    pytest.param(BOUNDS, X, id="bounds"),
    pytest.param(COMPOSED, X, id="compose"),
    pytest.param(Compose((HALVED, BOUNDS)), X, id="bounds-last"),
    pytest.param(Compose(()), IMAGES, id="identity"),
]


@pytest.mark.parametrize(("f", "x"), MAPS)
def test_the_inverse_takes_rows_back(f: Transform, x: Tensor) -> None:
    y = f.forward(x)
    assert y.shape == x.shape
    torch.testing.assert_close(f.inverse(y), x, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("f", "x"), MAPS)
def test_the_log_jacobian_is_that_of_automatic_differentiation(f: Transform, x: Tensor) -> None:
    log_det = f.log_abs_det_jacobian(x)
    assert log_det.shape == x.shape[:1]
    for row in range(3):
        one = x[row : row + 1]
        matrix = jacobian(f.forward, one).reshape(one.numel(), one.numel())  # type: ignore[no-untyped-call]
        expected = torch.linalg.slogdet(matrix).logabsdet
        torch.testing.assert_close(log_det[row], expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("f", "x"), MAPS)
def test_the_inverse_has_the_opposite_log_jacobian(f: Transform, x: Tensor) -> None:
    one = x[:1]
    matrix = jacobian(f.inverse, f.forward(one)).reshape(one.numel(), one.numel())  # type: ignore[no-untyped-call]
    expected = -torch.linalg.slogdet(matrix).logabsdet
    torch.testing.assert_close(f.log_abs_det_jacobian(one)[0], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("f", "x"), MAPS)
def test_a_map_survives_being_saved(f: Transform, x: Tensor) -> None:
    loaded = transform_from_json(json.loads(json.dumps(f.to_json())), f.tensors())
    assert type(loaded) is type(f)
    assert torch.equal(loaded.forward(x), f.forward(x))
    assert torch.equal(loaded.log_abs_det_jacobian(x), f.log_abs_det_jacobian(x))


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_preprocessing_does_not_depend_on_the_unit(scale: float) -> None:
    def preprocess(x: Tensor) -> Compose:
        unit = standardise(x)
        return Compose((unit, whiten(unit.forward(x))[0]))

    shifted = X * scale + 3 * scale
    f, g = preprocess(X), preprocess(shifted)
    torch.testing.assert_close(g.forward(shifted), f.forward(X), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(g.inverse(f.forward(X)), shifted, rtol=1e-11, atol=1e-11 * scale)
    change = g.log_abs_det_jacobian(shifted) - f.log_abs_det_jacobian(X)
    expected = torch.full_like(change, -4 * math.log(scale))
    torch.testing.assert_close(change, expected, rtol=1e-11, atol=1e-11)


def test_a_standardised_normal_density_is_the_normal_density() -> None:
    # Without the log-Jacobian this would be off by d·log 3.
    mean, scale = torch.full((4,), 2.0).double(), torch.full((4,), 3.0).double()
    f = Standardise(mean, scale)
    standard = torch.distributions.Normal(torch.zeros(4).double(), 1.0)
    log_p = standard.log_prob(f.forward(X)).sum(1) + f.log_abs_det_jacobian(X)
    expected = torch.distributions.Normal(mean, scale).log_prob(X).sum(1)
    torch.testing.assert_close(log_p, expected, rtol=1e-12, atol=1e-12)


GOOD = {"mean": torch.zeros(2).double(), "scale": torch.ones(2).double()}


@pytest.mark.parametrize(
    ("data", "tensors", "message"),
    [
        ({"type": "pickle"}, {}, "standardise, whiten, bounds or compose: got 'pickle'"),
        (None, {}, "got None"),
        ({"type": "standardise", "extra": 1}, GOOD, "unknown extra"),
        ({"type": "standardise"}, {"mean": GOOD["mean"]}, "must have the tensors mean, scale"),
        ({"type": "standardise"}, GOOD | {"x": GOOD["mean"]}, "got mean, scale, x"),
        ({"type": "standardise"}, GOOD | {"mean": torch.zeros(2)}, "mean .* float64"),
        ({"type": "standardise"}, GOOD | {"scale": GOOD["mean"]}, "positive and finite"),
        ({"type": "bounds"}, {"low": GOOD["mean"] * torch.nan, "high": GOOD["scale"]}, "low of"),
        ({"type": "whiten"}, {"mean": GOOD["mean"], "matrix": torch.zeros(2, 2).double()}, "inv"),
        ({"type": "compose", "parts": []}, {"0.mean": GOOD["mean"]}, "of no part: 0.mean"),
        ({"type": "compose", "parts": [{"type": "compose", "parts": 3}]}, {}, "a list of at most"),
        ({"type": "compose", "parts": [{}] * 17}, {}, "a list of at most 16"),
    ],
)
def test_a_saved_map_that_someone_broke_is_refused(
    data: Any, tensors: dict[str, Tensor], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        transform_from_json(data, tensors)


def test_parts_are_applied_in_their_order() -> None:
    two = Standardise(torch.ones(1).double(), torch.full((1,), 2.0).double())
    double = Whiten(torch.zeros(1).double(), torch.full((1, 1), 10.0).double())
    x = torch.tensor([[5.0]]).double()
    assert Compose((two, double)).forward(x).item() == 20.0
    assert Compose((double, two)).forward(x).item() == 24.5
