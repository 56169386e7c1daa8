"""Rows through the noise levels, against the closed form of a Gaussian."""

from __future__ import annotations

import numpy as np
import torch

from fits import gaussian_rows, untrained
from report.subjects import facts, few, subject
from scorematching.data import as_dataset
from scorematching.report.through import curve_levels, curves, image_levels, image_rows, through


def test_an_untrained_model_denoises_as_its_gaussian_does() -> None:
    x = gaussian_rows(200, 3)
    model = untrained(x)
    levels = (0.1, 1.0, 20.0)
    found = through(model, as_dataset(x[:6]), levels)
    y = model.transform.forward(torch.from_numpy(found.noised.reshape(-1, 3)))
    clean = model.transform.forward(torch.from_numpy(np.tile(found.clean, (3, 1))))
    z = ((y - clean).reshape(3, 6, 3) / torch.tensor(levels)[:, None, None]).numpy()
    np.testing.assert_allclose(z[0], z[1], atol=1e-9)  # one draw a row, scaled
    np.testing.assert_allclose(z[0], z[2], atol=1e-9)
    denoised = model.transform.forward(torch.from_numpy(found.denoised.reshape(-1, 3)))
    # Whitened rows have the covariance I: E[x₀ | y] = y/(1 + σ²).
    share = 1 / (1 + torch.tensor(levels, dtype=torch.float64) ** 2)
    expected = share.repeat_interleave(6)[:, None] * y
    np.testing.assert_allclose(denoised.numpy(), expected.numpy(), atol=1e-4)


def test_curves_end_at_the_row_and_start_near_the_mean() -> None:
    model = facts("table").subject.model
    rows = few(subject("table").train, 2)
    found = through(model, rows, curve_levels(model))
    assert found.levels[0] == model.process.sigma_min
    scale = rows.values.std(0) + 1e-9
    assert np.abs((found.denoised[0] - found.clean) / scale).max() < 0.2
    text = curves(found, 1, ["a", "b", "c", "d"], [0, 2], np.stack([scale * 0, scale]))
    assert f"a {found.clean[1, 0]:.4g}, c {found.clean[1, 2]:.4g}" in text


def test_images_lie_between_noise_and_themselves() -> None:
    model = subject("images").model
    levels = image_levels(model)
    assert list(levels) == sorted(levels, reverse=True)
    found = through(model, few(subject("images").train, 2), levels)
    table = image_rows(found, (0.0, 255.0))
    assert [len(row) for row in table] == [6, 6]
    assert 'alt="image 2, denoised at σ = 0.1"' in table[1][-1][1]
    flat = found.flat()
    assert flat.clean.shape == (2, 36)
    np.testing.assert_array_equal(flat.noised[3, 1], found.noised[3, 1].ravel())
