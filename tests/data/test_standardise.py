"""Standardising at any scale."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from scorematching.data.standardise import Standardise, standardise
from scorematching.errors import InvalidInput

ROWS = torch.from_numpy(np.random.default_rng(11).normal(2.0, 3.0, size=(400, 3)))
EPS = torch.finfo(torch.float64).eps


def test_mean_and_scale_are_numpys() -> None:
    found = standardise(ROWS)
    np.testing.assert_allclose(found.mean, ROWS.numpy().mean(0), rtol=1e-13)
    np.testing.assert_allclose(found.scale, ROWS.numpy().std(0), rtol=1e-13)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1.0, 1e12, 1e300])
def test_the_result_does_not_depend_on_the_unit(scale: float) -> None:
    y = standardise(ROWS).forward(ROWS)
    rows = ROWS * scale
    found = standardise(rows)
    torch.testing.assert_close(found.forward(rows), y, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.inverse(y), rows, rtol=1e-12, atol=1e-12 * scale)


def test_a_mean_far_above_the_spread_costs_only_what_rounding_the_data_costs() -> None:
    rows = ROWS + 1e12  # the data themselves are rounded to 1e12·2⁻⁵³ ≈ 1.2e-4
    found = standardise(rows)
    assert float((found.scale - ROWS.std(0, correction=0)).abs().max()) < 1e12 * EPS
    assert float(found.forward(rows).mean(0).abs().max()) < 1e12 * EPS


def test_a_constant_coordinate_keeps_its_scale() -> None:
    rows = ROWS.clone()
    rows[:, 1] = 0.1  # whose mean over 400 rows is not 0.1 in floating point
    assert float(standardise(rows).scale[1]) == 1.0


def test_images_can_share_a_scale_over_their_pixels() -> None:
    images = torch.from_numpy(np.random.default_rng(2).normal(size=(50, 3, 4, 5)))
    images = images * torch.tensor([1.0, 10.0, 100.0]).reshape(3, 1, 1)
    found = standardise(images, shared_axes=(2, 3))
    assert found.scale.shape == (3, 1, 1)
    expected = images.numpy().std((0, 2, 3))
    np.testing.assert_allclose(found.scale.flatten(), expected, rtol=1e-12)
    # Every pixel counts in the Jacobian, though they share three scales.
    log_det = found.log_abs_det_jacobian(images)
    np.testing.assert_allclose(log_det, -20 * np.log(expected).sum(), rtol=1e-12)


def test_rank_zero_events_work() -> None:
    found = standardise(ROWS[:, 0])
    log_det = found.log_abs_det_jacobian(ROWS[:5, 0])
    assert log_det.tolist() == pytest.approx([-math.log(float(found.scale))] * 5, rel=1e-12)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_a_scale_that_is_no_scale_is_refused(scale: float) -> None:
    with pytest.raises(InvalidInput, match="positive and finite"):
        Standardise(torch.zeros(2), torch.tensor([1.0, scale]))
