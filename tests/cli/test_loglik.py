from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
import torch

import scorematching as sm
from cli.calls import STEPS, Cli, csv_text, rows
from scorematching.cli import loglik
from scorematching.cli.loglik import summarised
from scorematching.data import read
from scorematching.errors import Diverged
from scorematching.likelihood import FlowLogDensity


def test_each_row_gets_its_log_density_in_order_and_the_change_at_half_the_steps(
    cli: Cli, tmp_path: Path, run: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loglik, "PART", 30)  # 80 rows in three parts
    call = cli("loglik", run, table, "--out", tmp_path / "l.csv", "--json")
    assert call.status == 0, call.err
    found = pyarrow.csv.read_csv(tmp_path / "l.csv")
    assert found.column_names == ["log_density", "step_error"]
    model = sm.load(run)
    expected = model.flow_log_density(read(table, like=model.schema), step_doubling=True)
    assert expected.step_error is not None
    values = found["log_density"].to_numpy()
    np.testing.assert_allclose(values, expected.value.numpy(), atol=2e-5)
    np.testing.assert_allclose(
        found["step_error"].to_numpy(), expected.step_error.numpy(), atol=2e-5
    )
    assert call.json["rows"] == 80
    assert call.json["mean"] == pytest.approx(values.mean(), abs=1e-9)
    assert call.json["std_error"] == pytest.approx(values.std(ddof=1) / 80**0.5, abs=1e-9)
    assert f"{values.mean():.4f} ± " in call.err


def test_the_json_of_log_densities_holds_the_keys_that_its_help_names(
    cli: Cli, tmp_path: Path, run: Path, table: Path
) -> None:
    call = cli("loglik", run, table, "--out", tmp_path / "l.parquet", "--json", "--quiet")
    assert call.err == ""
    keys = {
        "command", "run", "data", "out", "rows", "mean", "std_error", "not_finite", "step_error",
        "seconds", "notes",
    }  # fmt: skip
    assert set(call.json) == keys
    text = " ".join(cli("loglik", "--help").out.split())
    assert all(key in text for key in keys)
    assert pyarrow.parquet.read_table(tmp_path / "l.parquet").num_rows == 80


def test_other_columns_are_left_aside_and_their_order_does_not_matter(
    cli: Cli, tmp_path: Path, run: Path, table: Path
) -> None:
    columns = rows()
    turned = {"extra": columns["kind"], **dict(reversed(columns.items()))}
    (tmp_path / "t.csv").write_text(csv_text(turned), encoding="utf-8")
    for name, data in (("a", table), ("b", tmp_path / "t.csv")):
        assert cli("loglik", run, data, "--out", tmp_path / f"{name}.csv").status == 0
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()


def test_rows_without_their_label_need_one_for_all(cli: Cli, tmp_path: Path, run: Path) -> None:
    columns = rows(20)
    kinds = columns.pop("kind")
    (tmp_path / "t.csv").write_text(csv_text(columns), encoding="utf-8")
    missing = cli("loglik", run, tmp_path / "t.csv", "--out", tmp_path / "l.csv")
    assert missing.status == 2
    assert "--label CLASS" in missing.error
    given = cli("loglik", run, tmp_path / "t.csv", "--label", "red", "--out", tmp_path / "l.csv")
    assert given.status == 0, given.err
    (tmp_path / "u.csv").write_text(csv_text({**columns, "kind": kinds}), encoding="utf-8")
    twice = cli("loglik", run, tmp_path / "u.csv", "--label", "red", "--out", tmp_path / "m.csv")
    assert twice.status == 2
    assert "leave --label out" in twice.error
    assert cli("loglik", run, tmp_path / "u.csv", "--out", tmp_path / "m.csv").status == 0
    one = pyarrow.csv.read_csv(tmp_path / "l.csv")["log_density"].to_numpy()
    own = pyarrow.csv.read_csv(tmp_path / "m.csv")["log_density"].to_numpy()
    red = np.array(kinds) == "red"
    np.testing.assert_allclose(one[red], own[red], atol=2e-5)
    assert np.abs(one[~red] - own[~red]).max() > 2e-4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"share": None}, ["'share'", "no column"]),
        ({"share": [1.5] * 20}, ["'share'", "less than 1", "1.5"]),
        ({"price, net": [-1.0] * 20}, ["'price, net'", "greater than 0"]),
        ({"count": [0.5] * 20}, ["'count'", "whole numbers"]),
        ({"kind": ["pink"] * 20}, ["'kind'", "'pink'"]),
        ({"share": ["nan"] * 20}, ["'share'", "20 missing or NaN"]),
    ],
)
def test_rows_that_are_not_like_the_data_are_refused(
    cli: Cli, tmp_path: Path, run: Path, change: dict[str, object], words: list[str]
) -> None:
    columns = {k: v for k, v in {**rows(20), **change}.items() if v is not None}
    (tmp_path / "t.csv").write_text(csv_text(columns), encoding="utf-8")  # type: ignore[arg-type]
    call = cli("loglik", run, tmp_path / "t.csv", "--out", tmp_path / "l.csv")
    assert call.status == 2
    for word in [*words, "t.csv"]:
        assert word in call.error
    assert not (tmp_path / "l.csv").exists()


def test_the_file_is_checked_before_the_data_are_read(cli: Cli, tmp_path: Path, run: Path) -> None:
    (tmp_path / "l.csv").write_text("mine")
    for name, word in (("l.csv", "exists"), ("l.npy", ".csv"), ("no/l.csv", "does not exist")):
        call = cli("loglik", run, tmp_path / "missing.csv", "--out", tmp_path / name)
        assert call.status == 2
        assert word in call.error


def test_many_coordinates_report_the_error_of_their_probes(
    cli: Cli, tmp_path: Path, tiny: Path
) -> None:
    x = np.random.default_rng(0).standard_normal((60, 3))
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "c.json").write_text(
        tiny.read_text().replace('"n_steps": 4', '"n_steps": 4, "exact_up_to": 2, "n_probes": 3')
    )
    options = ("--config", tmp_path / "c.json", "--max-steps", STEPS)
    assert cli("fit", tmp_path / "x.npy", "--out", tmp_path / "run", *options).status == 0
    call = cli("loglik", tmp_path / "run", tmp_path / "x.npy", "--out", tmp_path / "l.csv")
    assert call.status == 0, call.err
    found = pyarrow.csv.read_csv(tmp_path / "l.csv")
    assert found.column_names == ["log_density", "step_error", "probe_error"]


def test_rows_whose_flow_diverged_are_counted_and_left_out_of_the_mean() -> None:
    values = torch.tensor([1.0, torch.nan, 3.0, -torch.inf], dtype=torch.float64)
    steps = torch.tensor([0.1, torch.nan, 0.3, torch.inf], dtype=torch.float64)
    found = summarised(FlowLogDensity(values, steps, None, 1), Path("run"))
    assert (found["rows"], found["not_finite"], found["mean"]) == (4, 2, 2.0)
    assert found["std_error"] == pytest.approx(1.0)  # √2/√2
    assert found["step_error"] == {"median": pytest.approx(0.1), "max": pytest.approx(0.3)}
    with pytest.raises(Diverged, match="none of 2"):
        summarised(FlowLogDensity(values[[1, 3]], None, None, 1), Path("run"))
