"""A fitted score in the form of its data: samples, rows, labels, faults."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import scorematching as sm
from fits import SMALL, UNTRAINED, changed, gaussian_rows, merged, quick, untrained
from scorematching import batched
from scorematching.data import as_dataset
from scorematching.errors import Diverged, InvalidInput


def test_more_samples_begin_with_the_fewer_and_seeds_differ() -> None:
    fitted = quick(gaussian_rows(60, 2), 5)
    many = fitted.sample(500)
    np.testing.assert_allclose(fitted.sample(10), many[:10], rtol=1e-5)
    assert np.array_equal(fitted.sample(500), many)
    assert not np.allclose(fitted.sample(10, seed=1), many[:10])


def test_samples_with_labels_begin_with_the_fewer_and_are_as_frequent() -> None:
    data = pd.DataFrame({"u": gaussian_rows(90, 1)[:, 0], "kind": ["a", "b", "b"] * 30})
    fitted = quick(data, 5, label="kind")
    many = fitted.sample(3000)
    pd.testing.assert_frame_equal(fitted.sample(10), many[:10], rtol=1e-5)
    share = (many["kind"] == "b").mean()
    assert abs(share - 2 / 3) < 4 * math.sqrt(2 / 9 / 3000)
    assert fitted.sample(3, labels=["a", "b", "a"])["kind"].tolist() == ["a", "b", "a"]


def test_spread_labels_keep_the_frequencies_of_the_classes() -> None:
    data = pd.DataFrame({"u": gaussian_rows(90, 1)[:, 0], "kind": ["a", "b", "b"] * 30})
    fitted = quick(data, 5, label="kind")
    labels = fitted.spread_labels(300)
    assert (labels.count("a"), labels.count("b")) == (100, 200)
    assert fitted.sample(300, labels=labels)["kind"].tolist() == labels
    with pytest.raises(InvalidInput, match="fitted without labels: there are none to spread"):
        quick(gaussian_rows(60, 2)).spread_labels(3)
    with pytest.raises(InvalidInput, match="n must be"):
        fitted.spread_labels(0)


def test_the_number_of_evaluations_can_be_chosen_when_sampling() -> None:
    fitted = quick(gaussian_rows(60, 2), 5)
    for n_evaluations in (2, 9):
        wanted = changed(fitted, sampling={"n_evaluations": n_evaluations}).sample(20)
        assert np.array_equal(fitted.sample(20, n_evaluations=n_evaluations), wanted)
    with pytest.raises(InvalidInput, match=r"n_evaluations: .* greater than or equal to 2"):
        fitted.sample(20, n_evaluations=1)


def test_a_rows_log_density_does_not_depend_on_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    x = gaussian_rows(60, 2)
    fitted = quick(x, 5)
    whole = fitted.log_density(x)
    for rows in (slice(0, 1), slice(7, 31)):
        np.testing.assert_allclose(fitted.log_density(x[rows]), whole[rows], rtol=0, atol=1e-4)
    monkeypatch.setattr(batched, "BATCH", 7)
    np.testing.assert_allclose(fitted.log_density(x), whole, rtol=0, atol=1e-4)
    probed = changed(fitted, likelihood={"exact_up_to": 0, "n_probes": 2})
    np.testing.assert_allclose(
        probed.log_density(x[7:9]), probed.log_density(x)[7:9], rtol=0, atol=1e-4
    )


def test_errors_of_the_log_density_are_reported() -> None:
    x = gaussian_rows(60, 3)
    fitted = quick(x, 5)
    result = fitted.flow_log_density(x, step_doubling=True)
    assert np.array_equal(result.value.numpy(), fitted.log_density(x))
    assert result.step_error is not None
    assert float(result.step_error.max()) < 1
    assert result.n_evaluations == 6 * fitted.configuration.likelihood.n_steps


def test_a_tensor_is_answered_by_a_tensor_and_all_else_by_an_array() -> None:
    x = gaussian_rows(60, 2)
    fitted = quick(x)
    for given, kind in (
        (torch.from_numpy(x[:3]), Tensor),
        (torch.from_numpy(x[:3]).float(), Tensor),
        (x[:3], np.ndarray),
        (x[:3].tolist(), np.ndarray),
        (as_dataset(x[:3]), np.ndarray),
    ):
        for value in (fitted.log_density(given), fitted.score(given), fitted.denoise(given, 1.0)):
            assert isinstance(value, kind)
            assert str(value.dtype).endswith("float64")


def test_nothing_that_is_given_is_changed() -> None:
    x = gaussian_rows(60, 2)
    kept = x.copy()
    x.flags.writeable = False
    fitted = quick(x)
    rows = torch.from_numpy(kept.copy())
    fitted.score(rows)
    fitted.log_density(x)
    fitted.denoise(x, 1.0)
    assert not rows.requires_grad
    assert np.array_equal(x, kept)


def test_neither_the_random_state_nor_gradients_are_touched() -> None:
    fitted = quick(gaussian_rows(60, 2))
    before = torch.random.get_rng_state()
    with torch.no_grad():
        value = fitted.score(torch.from_numpy(gaussian_rows(3, 2)))
    fitted.sample(3)
    fitted.log_density(gaussian_rows(3, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert not value.requires_grad
    assert all(p.grad is None for p in fitted.denoiser.parameters())


def test_rows_outside_the_bounds_are_refused() -> None:
    fitted = untrained(pd.DataFrame({"v": np.exp(gaussian_rows(60, 1)[:, 0])}), positive=["v"])
    for rows in (pd.DataFrame({"v": [1.0, -2.0]}), np.array([[1.0], [-2.0]])):
        with pytest.raises(InvalidInput, match="-2"):
            fitted.log_density(rows)


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "3"])
def test_a_number_of_samples_is_a_positive_integer(n: Any) -> None:
    with pytest.raises(InvalidInput, match="n must be an integer of at least 1"):
        quick(gaussian_rows(30, 2)).sample(n)


class Blowing(nn.Module):
    """Not a number for the rows whose first coordinate is on the right at low noise."""

    def __init__(self, everywhere: bool) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(()))
        self.everywhere = everywhere

    def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
        right = (x[:, 0] > 0.5) & (log_sigma < 0) | self.everywhere
        if self.training or len(x) == 2:
            return self.scale * x
        return self.scale * x + torch.where(right, torch.nan, 0.0)[:, None]


def test_rows_that_diverge_are_left_out_with_a_warning_that_counts_them() -> None:
    x = gaussian_rows(60, 2)
    settings = merged(UNTRAINED, {})
    fitted = sm.fit(x, net=Blowing(False), configuration=settings, max_steps=1, quiet=True)
    with pytest.warns(RuntimeWarning, match="of 200 samples became non-finite") as caught:
        samples = fitted.sample(200)
    assert caught[0].filename == __file__
    assert 50 < len(samples) < 190
    assert np.isfinite(samples).all()
    fitted = sm.fit(x, net=Blowing(True), configuration=settings, max_steps=1, quiet=True)
    with pytest.raises(Diverged, match="all 20"):
        fitted.sample(20)


def test_the_description_gives_reasons_and_all_settings() -> None:
    fitted = quick(gaussian_rows(60, 2), 3)
    text = fitted.describe()
    assert "net.width: 32: as given" in text
    assert fitted.configuration.model_dump_json() in text
    assert SMALL["net"] == {"width": 32, "n_blocks": 1}


def test_the_levels_of_the_process_are_those_of_the_configuration() -> None:
    fitted = quick(gaussian_rows(60, 2), settings={"noise": {"sigma_max": 25.0}})
    assert (fitted.process.sigma_min, fitted.process.sigma_max) == (0.01, 25.0)
