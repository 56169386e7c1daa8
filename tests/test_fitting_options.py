"""The options of `fit`: each has an effect, or is an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from fits import SMALL, gaussian_rows, quick, weights
from scorematching.data import from_array
from scorematching.errors import InvalidInput
from scorematching.fitting import fit
from scorematching.settling import VALIDATIONS
from scorematching.training import Record


def test_the_result_is_a_function_of_the_seed() -> None:
    x = gaussian_rows(60, 2)
    before = torch.random.get_rng_state()
    one, same, other = quick(x, 5), quick(x, 5, seed=0), quick(x, 5, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(weights(one), weights(same))
    assert np.array_equal(one.sample(9), same.sample(9))
    assert not torch.equal(weights(one), weights(other))


def test_the_state_that_all_share_has_no_say() -> None:
    x = gaussian_rows(60, 2)
    one = quick(x, 5)
    with torch.random.fork_rng():
        torch.manual_seed(12345)
        np.random.seed(12345)  # noqa: NPY002  (the state that must not matter)
        same = quick(x, 5)
        assert torch.equal(weights(one), weights(same))
        assert np.array_equal(one.sample(9), same.sample(9))


def test_an_integer_of_numpy_is_a_seed_and_text_is_none() -> None:
    x = gaussian_rows(30, 2)
    assert torch.equal(weights(quick(x, seed=np.int64(3))), weights(quick(x, seed=3)))
    with pytest.raises(InvalidInput, match="seed must be an integer: got 'x'"):
        quick(x, seed="x")


def test_a_configuration_replaces_what_was_chosen_and_says_so() -> None:
    fitted = quick(
        gaussian_rows(60, 2), 7, {"noise": {"sigma_max": 15.0}, "sampling": {"sigma_max": 9.0}}
    )
    assert fitted.configuration.noise.sigma_max == 15
    assert fitted.configuration.training.max_steps == 7
    assert fitted.reasons["noise.sigma_max"] == "15.0: as given"
    assert fitted.reasons["training.max_steps"] == "7: as given"
    again = fit(gaussian_rows(60, 2), configuration=fitted.configuration, quiet=True)
    assert torch.equal(weights(again), weights(fitted))


def test_validation_rows_choose_the_weights() -> None:
    """Held-out rows from elsewhere: the best weights for them are not the last ones."""
    x, elsewhere = gaussian_rows(100, 2), gaussian_rows(100, 2, seed=1) * 0.3 + 4
    seen: dict[str, list[Record]] = {"given": [], "held out": [], "none": []}
    quick(x, 24, validation=elsewhere, on_record=seen["given"].append)
    quick(x, 24, on_record=seen["held out"].append)
    quick(x, 24, {"validation_fraction": 0.0}, on_record=seen["none"].append)
    values = {k: [r.validation for r in v if r.validation is not None] for k, v in seen.items()}
    assert len(values["given"]) == len(values["held out"]) == VALIDATIONS
    assert values["none"] == []
    assert min(values["given"]) != min(values["held out"])


def test_validation_rows_of_a_labelled_array_need_labels() -> None:
    x = gaussian_rows(60, 2)
    labels = (x[:, 0] > 5).astype(int)
    quick(x, labels=labels, validation=x[:9], validation_labels=labels[:9])
    with pytest.raises(InvalidInput, match="validation rows have none: pass validation_labels"):
        quick(x, labels=labels, validation=x[:9])
    with pytest.raises(InvalidInput, match="fitted without labels"):
        quick(x, validation=x[:9], validation_labels=labels[:9])
    with pytest.raises(InvalidInput, match="validation=…, which is not given"):
        quick(x, labels=labels, validation_labels=labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "kind"}, "label name columns"),
        ({"columns": ["u"]}, "columns name columns"),
        ({"drop": ["u"], "positive": ["v"]}, "drop, positive name columns"),
        ({"bounds": {"u": (0, 1)}}, "bounds name columns"),
        ({"resume": True}, "resume needs the folder"),
        ({"device": "teapot"}, "device 'teapot' cannot be used"),
        ({"time_limit": -1.0}, "time_limit must be a positive"),
        ({"validation": np.zeros((3, 5))}, r"shape \(2,\): got \(5,\)"),
        ({"labels": [1, 2]}, r"one per row, shape \(60,\): got \(2,\)"),
        ({"net": nn.Identity()}, "cannot be called on"),
    ],
)
def test_an_option_that_does_not_apply_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        quick(gaussian_rows(60, 2), **options)


def test_labels_of_a_frame_are_a_column_of_it() -> None:
    with pytest.raises(InvalidInput, match="label='NAME'"):
        quick(pd.DataFrame({"u": [0.1, 0.7]}), labels=["a", "b"])
    with pytest.raises(InvalidInput, match="give neither"):
        quick(from_array(gaussian_rows(9, 2)), labels=[0] * 9)


def test_a_time_limit_becomes_a_number_of_steps() -> None:
    records: list[Record] = []
    settings = {"training": {"warmup_steps": 5, "max_steps": 10**6}, "validation_fraction": 0.0}
    configuration = {**SMALL, **settings}
    fit(
        gaussian_rows(60, 2),
        configuration=configuration,
        time_limit=0.2,
        quiet=True,
        on_record=records.append,
    )
    assert records[-1].step == records[-1].max_steps < 10**5
