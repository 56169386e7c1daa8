"""`fit`: every form of rows, every option with its effect, and what it refuses."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

from fits import SMALL, gaussian_rows, quick
from scorematching.data import Dataset, from_array, read
from scorematching.errors import InvalidInput, RunLocked
from scorematching.fitting import fit
from scorematching.nets import Ensemble, PreconditionedDenoiser, ResidualMLP
from scorematching.random import forked
from scorematching.storage import run_lock
from scorematching.training import Interrupted, Interrupts, Record


def own(d: int = 2, n_classes: int = 0) -> ResidualMLP:
    with forked("own net"):
        return ResidualMLP(d, 16, 1, 0.0, n_classes)


def weights(model: Any) -> Tensor:
    return torch.cat([p.flatten().double() for p in model.denoiser.net.parameters()])


def table(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(n)
    return pd.DataFrame(
        {
            "u": rng.normal(size=n),
            "amount": rng.gamma(2.0, size=n),
            "share": rng.uniform(0.01, 0.99, size=n),
            "count": rng.poisson(4, size=n),
            "unit": 1.5,
            "kind": rng.choice(["a", "b"], size=n),
        }
    )


TABLE_OPTIONS: dict[str, Any] = {
    "positive": ["amount"],
    "bounds": {"share": (0, 1), "count": (0, None)},
    "label": "kind",
}

# ------------------------------------------------------------------------------- forms of rows


@pytest.mark.parametrize(
    "event", [(), (1,), (3,), (2, 3), (1, 4, 4), (1, 8, 8), (3, 7, 6), (2, 1, 2, 2)], ids=str
)
@pytest.mark.parametrize("tensor", [False, True])
def test_rows_of_every_rank_are_fitted_and_given_back(event: tuple[int, ...], tensor: bool) -> None:
    n = 2 + math.prod(event)
    x: Any = np.random.default_rng(1).normal(size=(n, *event)).astype(np.float32)
    x = torch.from_numpy(x) if tensor else x
    fitted = quick(x)
    samples = fitted.sample(3)
    assert type(samples) is type(x)
    assert samples.dtype == x.dtype
    assert tuple(samples.shape) == (3, *event)
    few = x[:2]
    for value, shape in (
        (fitted.log_density(few), (2,)),
        (fitted.score(few), (2, *event)),
        (fitted.denoise(few, 0.5), (2, *event)),
    ):
        assert type(value) is type(x)
        assert tuple(value.shape) == shape
        assert np.isfinite(np.asarray(value)).all()


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
def test_a_frame_comes_back_with_its_names_types_rounding_and_bounds(kind: str) -> None:
    make = {
        "pandas": lambda f: f,
        "polars": lambda f: pl.DataFrame(f.to_dict("list")),
        "arrow": lambda f: pa.Table.from_pandas(f, preserve_index=False),
    }[kind]
    with pytest.warns(UserWarning, match="'unit' = 1.5"):
        fitted = quick(make(table()), 5, **TABLE_OPTIONS)
    raw = fitted.sample(200)
    assert type(raw) is type(make(table()))
    samples = raw if kind == "pandas" else raw.to_pandas()
    assert list(samples) == list(table())
    assert (samples["amount"] > 0).all()
    assert samples["share"].between(0, 1, inclusive="neither").all()
    assert samples["count"].dtype == np.int64
    assert (samples["count"] >= 0).all()
    assert (samples["unit"] == 1.5).all()
    assert set(samples["kind"]) == {"a", "b"}
    assert np.isfinite(fitted.log_density(make(table()))).all()


def test_a_dataset_comes_back_as_one_its_pictures_unmoved(tmp_path: Path) -> None:
    """Channels last: bright above, dark below, in every channel."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 20, size=(70, 6, 8, 3), dtype=np.uint8)
    images[:, :3] += 200
    np.save(tmp_path / "x.npy", images)
    fitted = quick_dataset(read(tmp_path / "x.npy"))
    samples = fitted.sample(2)
    assert isinstance(samples, Dataset)
    assert samples.values.shape == (2, 3, 6, 8)
    assert samples.values[:, :, :3].mean() > samples.values[:, :, 3:].mean() + 100


def quick_dataset(data: Dataset, steps: int = 1) -> Any:
    settings = {"net": {"channels": [8]}, "training": {"batch_size": 16}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return fit(data, configuration=settings, max_steps=steps, quiet=True)


def test_whole_numbers_are_spread_and_rounded() -> None:
    x = np.random.default_rng(0).integers(0, 5, size=(200, 2))
    fitted = quick(x)
    samples = fitted.sample(300)
    assert samples.dtype == x.dtype
    # Six standard deviations of the model around the data: rounded, not cut to the data's range.
    assert set(np.unique(samples)) <= set(range(-8, 13))
    # One unit of each: the density is over unit intervals, and sums to one over all pairs.
    grid = np.stack(np.meshgrid(range(-9, 14), range(-9, 14)), -1).reshape(-1, 2)
    assert np.exp(fitted.log_density(grid)).sum() == pytest.approx(1, abs=0.02)


def test_labels_of_arrays_make_a_conditional_model() -> None:
    x = gaussian_rows(80, 2)
    labels = np.where(x[:, 0] > 5, "right", "left")
    fitted = quick(x, labels=labels)
    shares = [float((labels == c).mean()) for c in ("left", "right")]
    assert fitted.class_frequencies == pytest.approx(shares)
    assert fitted.sample(4, labels="left").shape == (4, 2)
    assert fitted.log_density(x[:2], labels=["left", "right"]).shape == (2,)
    with pytest.raises(InvalidInput, match=r"fitted with labels: .*labels="):
        fitted.log_density(x[:2])
    with pytest.raises(InvalidInput, match="'up' is none of the classes left, right"):
        fitted.sample(2, labels="up")
    with pytest.raises(InvalidInput, match="fitted without labels"):
        quick(x).sample(2, labels="left")


# ------------------------------------------------------------------------------- few and odd rows


def test_a_single_row_has_no_density() -> None:
    with pytest.raises(InvalidInput, match="there is one row: a density needs two"):
        quick(np.zeros((1, 3)))


def test_two_rows_and_fewer_rows_than_columns_are_fitted_with_a_warning() -> None:
    for x in (gaussian_rows(2, 3), gaussian_rows(5, 9), gaussian_rows(4, 8).reshape(4, 2, 4)):
        with pytest.warns(UserWarning, match="rows span at most .* directions.* regularised"):
            fitted = quick(x, 3)
        assert np.isfinite(fitted.log_density(x)).all()
        assert np.isfinite(fitted.sample(5)).all()


def test_two_numbers_are_fitted() -> None:
    fitted = quick(np.array([1.0, 2.0]), 3)
    assert fitted.sample(5).shape == (5,)


def test_constant_and_missing_and_repeated_values_are_told() -> None:
    x = gaussian_rows(60, 3)
    with pytest.raises(InvalidInput, match=r"constant and have no density: \[1\]"):
        quick(np.where(np.arange(3) == 1, 7.0, x))
    x[3, 1] = np.nan
    with pytest.raises(InvalidInput, match=r"1 values are NaN .*row 3"):
        quick(x)
    with pytest.warns(UserWarning, match="20 of 40 rows repeat"):
        quick(np.repeat(gaussian_rows(20, 2), 2, axis=0))


def test_a_warning_points_at_the_line_that_called_fit() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(gaussian_rows(4, 6), configuration=SMALL, max_steps=1, quiet=True)
        fit(np.repeat(gaussian_rows(9, 1), 2, axis=0), configuration=SMALL, max_steps=1, quiet=True)
    assert {w.filename for w in caught if w.category is UserWarning} == {__file__}
    assert len(caught) == 2


# ------------------------------------------------------------------------------------- options


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
    assert len(values["given"]) == len(values["held out"]) == 12
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
        quick(table(), labels=table()["kind"])
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


# ------------------------------------------------------------------------------- ones own nets


class Line(nn.Module):
    """As small as a network of the user's may be."""

    def __init__(self, d: int = 2) -> None:
        super().__init__()
        with forked("line"):
            self.layer = nn.Linear(d + 1, d)

    def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
        return self.layer(torch.cat([x, log_sigma[:, None]], 1))


def test_a_module_of_ones_own_is_trained_in_place() -> None:
    net = Line()
    before = net.layer.weight.detach().clone()
    fitted = quick(gaussian_rows(60, 2), 5, net=net)
    assert fitted.denoiser.net is net
    assert not torch.equal(net.layer.weight, before)
    assert fitted.configuration.net.type == "own"
    assert fitted.reasons["net"] == "Line: as given"
    assert fitted.sample(3).shape == (3, 2)


def test_a_module_of_doubles_is_trained_in_doubles() -> None:
    fitted = quick(gaussian_rows(60, 2), 3, net=Line().double())
    assert fitted.denoiser.base.mean.dtype == torch.float64
    assert fitted.log_density(gaussian_rows(3, 2)).shape == (3,)


def test_our_own_net_given_by_hand_and_classes_work_as_well() -> None:
    x = gaussian_rows(60, 2)
    labels = (x[:, 0] > 5).astype(int)
    fitted = quick(x, 2, net=own(n_classes=2), labels=labels)
    assert fitted.sample(4, labels=1).shape == (4, 2)
    ensemble = quick(x, 2, net=Ensemble([own(), Line()]))
    assert ensemble.sample(4).shape == (4, 2)
    with pytest.raises(InvalidInput, match="built for 0 classes: got classes"):
        quick(x, net=own(), labels=labels)


class Silent(nn.Module):
    def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
        return x


class Column(Line):
    def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
        return super().forward(x, log_sigma)[:, :1]


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (Silent(), "no parameter that requires a gradient"),
        (nn.Linear(2, 2), r"cannot be called on x \(2, 2\), ln σ \(2,\) of torch.float32: TypeErr"),
        (Line(3), "cannot be called .*RuntimeError"),
        (Line().half(), "cannot be called .*RuntimeError"),
        (Column(), r"the network must return .*\(2, 2\): got \(2, 1\)"),
    ],
)
def test_a_net_that_does_not_fit_is_refused_before_training(net: nn.Module, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        quick(gaussian_rows(60, 2), net=net)


def test_a_net_and_the_settings_of_another_contradict_each_other() -> None:
    with pytest.raises(InvalidInput, match=r"net\.width is no setting; there are type, name"):
        fit(gaussian_rows(60, 2), net=Line(), configuration={"net": {"width": 32}}, quiet=True)
    with pytest.raises(InvalidInput, match="given as net=…"):
        fit(
            gaussian_rows(60, 2),
            configuration={"net": {"type": "own", "name": "Line"}},
            quiet=True,
        )


def test_the_trial_of_a_net_leaves_it_and_the_random_state_alone() -> None:
    class Dropping(Line):
        def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
            noise = nn.functional.dropout(torch.ones_like(x), 0.5, training=True)
            return super().forward(x * noise, log_sigma)

    before = torch.random.get_rng_state()
    quick(gaussian_rows(60, 2), net=Dropping())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_members_train_in_one_batch_of_rows_for_each() -> None:
    records: list[Record] = []
    settings = {"training": {"n_members": 3, "batch_size": 16}}
    fitted = quick(gaussian_rows(90, 2), 2, settings, on_record=records.append)
    assert isinstance(fitted.denoiser.net, Ensemble)
    assert len(fitted.denoiser.net.members) == 3
    first, second = (m.outlet.weight for m in list(fitted.denoiser.net.members)[:2])
    assert not torch.equal(first, second)


# ------------------------------------------------------------------------------- runs in folders


def test_a_run_in_a_folder_leaves_log_checkpoints_and_model(tmp_path: Path) -> None:
    out = tmp_path / "a run — ü\n1"
    fitted = quick(gaussian_rows(60, 2), 6, out=out)
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 7))
    assert (out / "checkpoints").is_dir()
    assert (out / "model").is_dir()
    with pytest.raises(InvalidInput, match="already holds a run: resume"):
        quick(gaussian_rows(60, 2), 6, out=out)
    again = quick(gaussian_rows(60, 2), 6, out=out, resume=True)
    assert torch.equal(weights(again), weights(fitted))


def test_a_run_that_was_stopped_and_resumed_is_the_run_never_stopped(tmp_path: Path) -> None:
    x = gaussian_rows(60, 2)
    whole = quick(x, 12)
    interrupts = Interrupts()

    def stop(record: Record) -> None:
        if record.step == 5:
            interrupts.signum = 2

    with pytest.raises(Interrupted):
        quick(x, 12, out=tmp_path, interrupts=interrupts, on_record=stop)
    resumed = quick(x, 12, out=tmp_path, resume=True)
    assert torch.equal(weights(resumed), weights(whole))
    assert np.array_equal(resumed.sample(20), whole.sample(20))


def test_other_data_settings_or_seeds_do_not_resume(tmp_path: Path) -> None:
    x = gaussian_rows(60, 2)
    quick(x, 4, out=tmp_path)
    for rows, options, message in (
        (x + 1e-3 * x**2, {}, "the data differ"),
        (x, {"seed": 1}, "seed"),
        (x, {"settings": {"training": {"learning_rate": 1e-4}}}, "learning_rate"),
    ):
        with pytest.raises(InvalidInput, match=message):
            quick(rows, 4, out=tmp_path, resume=True, **options)
    with pytest.raises(InvalidInput, match="no checkpoint to resume"):
        quick(x, 4, out=tmp_path / "none", resume=True)


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    with run_lock(tmp_path / "checkpoints"), pytest.raises(RunLocked, match="in use by process"):
        quick(gaussian_rows(60, 2), out=tmp_path)


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    quick(gaussian_rows(60, 2))
    assert list(tmp_path.iterdir()) == []


def test_a_fit_ends_in_evaluation_mode() -> None:
    fitted = quick(gaussian_rows(60, 2), settings={"net": {"dropout": 0.5}})
    assert isinstance(fitted.denoiser, PreconditionedDenoiser)
    assert not any(module.training for module in fitted.denoiser.modules())
