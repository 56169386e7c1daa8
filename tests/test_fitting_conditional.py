"""Conditional fits end to end: what is learnt, drawn, saved, stopped and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fits import gaussian_rows, quick, weights
from scorematching.data import stream
from scorematching.errors import DataError, InvalidInput
from scorematching.fitted import load
from scorematching.fitting import fit
from scorematching.random import forked
from scorematching.training import Interrupted, Interrupts, Record

Array = NDArray[np.float64]
LABELS = np.array([0, 1, 0] * 20)


def bent(n: int = 1200) -> tuple[Array, Array]:
    """x = c² + 0.3 ε: a linear regression on c explains nothing of it."""
    rng = np.random.default_rng(5)
    c = rng.normal(size=n)
    return c**2 + 0.3 * rng.normal(size=n), c


@pytest.mark.slow
def test_what_a_linear_gaussian_misses_is_learnt_with_and_without_the_condition() -> None:
    """log p(x | c) within 0.12 nats of the truth on unseen rows, and log p(x) below it.

    E[x | c] = c², so that the base alone, of slope about 0, is a nat worse; and the samples given
    c, or given nothing, have the mean c² or E c² = 1.
    """
    x, c = bent()
    settings = {"training": {"n_members": 1}, "net": {"width": 64, "dropout": 0.0}}
    fitted = fit(x, condition=c, configuration=settings, max_steps=700, quiet=True)
    new = bent(1500)
    unseen, given = new[0][1200:], new[1][1200:]
    truth = -0.5 * ((unseen - given**2) / 0.3) ** 2 - np.log(0.3 * np.sqrt(2 * np.pi))
    found = fitted.log_density(unseen, condition=given)
    assert abs((found - truth).mean()) < 0.12
    alone = fitted.log_density(unseen, guidance=0)
    assert (found - alone).mean() > 0.6
    for at in (-1.5, 0.0, 1.5):
        drawn = fitted.sample(500, condition=at)
        assert abs(drawn.mean() - at**2) < 0.15
    assert abs(fitted.sample(1000, guidance=0).mean() - 1) < 0.25
    assert abs(fitted.sample(1000).mean() - 1) < 0.25


FORMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "array": (gaussian_rows(60, 2), {"condition": gaussian_rows(60, 3, 1)}),
    "both": (gaussian_rows(60, 2), {"condition": gaussian_rows(60, 1, 1), "labels": LABELS}),
    "pictures": (
        np.random.default_rng(0).integers(0, 256, (60, 6, 6), dtype=np.uint8),
        {"condition": torch.arange(60) % 7, "labels": LABELS},
    ),
    "frame": (
        pd.DataFrame(gaussian_rows(60, 3), columns=["a", "b", "c"]),
        {"condition": ["b"]},
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_conditional_model_is_saved_and_gives_the_same_again(name: str, tmp_path: Path) -> None:
    x, options = FORMS[name]
    fitted = quick(x, 3, **options)
    assert fitted.configuration.training.condition_dropout == 0.1
    assert fitted.reasons["training.condition_dropout"].startswith("0.1: the share of rows")
    fitted.save(tmp_path)
    loaded = load(tmp_path)
    for drawn in ({}, {"guidance": 0}, {"guidance": 1.5}):
        assert np.array_equal(loaded.sample(9, **drawn), fitted.sample(9, **drawn)), drawn
    assert len(fitted.sample(3)) == 3
    parts = dict(fitted.denoiser.state_dict())
    assert {"base.slopes", "base.marginal.mean", "base.residual.mean"} <= set(parts)


def test_columns_that_are_given_come_back_with_the_samples() -> None:
    x, options = FORMS["frame"]
    fitted = quick(x, 3, **options)
    drawn = fitted.sample(5)
    assert list(drawn.columns) == ["a", "b", "c"]
    assert set(drawn["b"]) <= set(x["b"])
    assert fitted.sample(5, condition={"b": 2.5})["b"].tolist() == [2.5] * 5
    assert list(fitted.sample(5, guidance=0).columns) == ["a", "c"]
    assert fitted.log_density(x.iloc[:4]).shape == (4,)
    bare = x.iloc[:4][["a", "c"]]
    np.testing.assert_allclose(
        fitted.log_density(bare, condition=x["b"][:4]), fitted.log_density(x.iloc[:4])
    )
    with pytest.raises(InvalidInput, match="carry a condition of their own"):
        fitted.log_density(x.iloc[:4], condition=1.0)


def test_a_run_that_drops_conditions_resumes_to_the_bit(tmp_path: Path) -> None:
    x, options = FORMS["both"]
    settings = {"training": {"condition_dropout": 0.5}}
    whole = quick(x, 12, settings, **options)
    interrupts = Interrupts()

    def stop(record: Record) -> None:
        if record.step == 5:
            interrupts.signum = 2

    with pytest.raises(Interrupted):
        quick(x, 12, settings, out=tmp_path, interrupts=interrupts, on_record=stop, **options)
    resumed = quick(x, 12, settings, out=tmp_path, resume=True, **options)
    assert torch.equal(weights(resumed), weights(whole))
    never = quick(x, 12, {"training": {"condition_dropout": 0.0}}, **options)
    assert len(weights(never)) < len(weights(whole))  # no place for rows that are told nothing


def test_a_network_learns_nothing_of_the_condition_of_rows_that_are_not_told() -> None:
    """With all but every row told nothing the weights of the condition hardly move."""
    x, options = FORMS["array"]
    before, after = (
        quick(x, steps, {"training": {"condition_dropout": 1 - 1e-9}}, **options)
        for steps in (1, 12)
    )
    ours, theirs = (each.denoiser.net.conditioning.condition[0].weight for each in (before, after))
    rate = 3e-3 * 0.01  # what weight decay alone takes off in a step
    torch.testing.assert_close(theirs, ours, rtol=12 * rate, atol=0)
    told = quick(x, 12, **options).denoiser.net.conditioning.condition[0].weight
    assert not torch.allclose(told, ours, rtol=1e-2)


class Own(nn.Module):
    """A net of the user's that says what it was called with."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)
        self.seen: list[tuple[Tensor, ...]] = []

    def forward(self, x: Tensor, log_sigma: Tensor, classes: Tensor, condition: Tensor) -> Tensor:
        self.seen.append((classes, condition))
        inputs = [x, log_sigma[:, None], classes[:, None], condition.nan_to_num(0.0)]
        return self.layer(torch.cat(inputs, 1))


def test_a_net_of_ones_own_is_called_with_classes_and_condition() -> None:
    x, condition = gaussian_rows(60, 2), gaussian_rows(60, 2, 1)
    with forked("own"):
        net = Own()
    fitted = quick(x, 4, net=net, labels=LABELS, condition=condition)
    assert fitted.configuration.training.condition_dropout == 0
    assert "your own" in fitted.reasons["training.condition_dropout"]
    assert not any(bool((classes < 0).any() or c.isnan().any()) for classes, c in net.seen)
    net.seen.clear()
    settings = {"training": {"condition_dropout": 0.4}}
    quick(x, 4, settings, net=net, labels=LABELS, condition=condition)
    assert any(bool(((classes < 0) & c.isnan().all(1)).any()) for classes, c in net.seen)
    with pytest.raises(InvalidInput, match=r"x \(2, 2\), ln σ \(2,\), condition \(2, 2\)"):
        quick(x, 4, net=net, condition=condition)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"condition": np.ones(60)}, "is 1 in every row: nothing can be learnt from it"),
        ({"condition": np.ones(59)}, "for each of 60 rows: got 59"),
        ({"condition": np.full(60, np.nan)}, "60 values are NaN"),
        ({"condition": ["a"]}, "condition name columns, which a ndarray does not have"),
        ({"settings": {"training": {"condition_dropout": 0.2}}}, "has no effect on rows without"),
        ({"condition": np.arange(60), "validation": gaussian_rows(9, 2)}, "validation_condition=…"),
        ({"validation_condition": np.arange(60)}, "validation_condition"),
    ],
)
def test_a_condition_that_cannot_be_used_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        quick(gaussian_rows(60, 2), 1, **options)


def test_validation_rows_are_given_their_own_condition() -> None:
    x, c = gaussian_rows(60, 2), gaussian_rows(60, 1, 1)
    fitted = quick(x, 3, condition=c, validation=x[:20], validation_condition=c[:20])
    assert fitted.configuration.validation_fraction == 0


def test_files_name_their_columns_and_are_not_streamed(tmp_path: Path) -> None:
    frame, _ = FORMS["frame"]
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    fitted = quick(path, 1, condition=["b"])
    assert fitted.schema.condition == ("b",)
    with pytest.raises(InvalidInput, match="condition are not streamed"):
        quick(path, 1, condition=["b"], stream=True)
    with pytest.raises(InvalidInput, match="named by its columns"):
        quick(path, 1, condition=frame["b"])
    with pytest.raises(InvalidInput, match="condition cannot change a Stream"):
        quick(stream(path), 1, condition=frame["b"])
    with pytest.raises(DataError, match="condition names 'z', which is no column"):
        quick(path, 1, condition=["z"])
