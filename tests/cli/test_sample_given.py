"""What is given of rows on the command line: columns of the fit, numbers and scales of samples."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scorematching as sm
from cli.calls import Cli, csv_text, rows


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    """A run of columns given the count and the price, without labels."""
    folder = tmp_path_factory.mktemp("given")
    columns = {name: cells for name, cells in rows().items() if name != "kind"}
    (folder / "table.csv").write_text(csv_text(columns), encoding="utf-8")
    from scorematching.cli.main import main

    options = ["--config", str(tiny), "--max-steps", "3", "--no-report", "--quiet"]
    names = ["--condition", 'count,"price, net"']
    command = ["fit", str(folder / "table.csv"), "--out", str(folder / "run"), *names, *options]
    assert main(command) == 0
    return folder


def table(path: Path) -> dict[str, list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    return {name: [row[name] for row in found] for name in found[0]}


def test_a_fit_says_which_columns_are_given(cli: Cli, given: Path, tiny: Path) -> None:
    call = cli(
        "fit", given / "table.csv", "--out", given / "dry", "--condition", "count", "--dry-run",
        "--json", "--config", tiny,
    )  # fmt: skip
    assert call.status == 0, call.err
    assert call.json["condition"] == ["count"]
    assert call.json["event"] == [3]
    assert call.json["configuration"]["training"]["condition_dropout"] == 0.1
    assert "; given count" in call.err
    assert "rows not told their class or condition" in call.err


def test_samples_are_given_what_is_asked_for(cli: Cli, given: Path) -> None:
    out = given / "one.csv"
    call = cli(
        "sample", given / "run", "-n", 5, "--condition", 'count=21,"price, net=0.5"',
        "--guidance", 2, "--out", out, "--overwrite", "--json",
    )  # fmt: skip
    assert call.status == 0, call.err
    assert call.json["condition"] == {"count": 21.0, "price, net": 0.5}
    assert call.json["guidance"] == 2
    found = table(out)
    assert found["count"] == ["21"] * 5
    assert {float(cell) for cell in found["price, net"]} == {0.5}
    expected = sm.load(given / "run").sample(5, condition=[21, 0.5], guidance=2.0)
    last = np.array(found[list(found)[-1]], dtype=float)
    np.testing.assert_allclose(last, expected.values[:, -1])


def test_rows_of_a_file_are_given_of_as_many_samples(cli: Cli, given: Path) -> None:
    out = given / "file.csv"
    call = cli(
        "sample", given / "run", "--condition-file", given / "table.csv", "--out", out, "--json"
    )
    assert call.status == 0, call.err
    assert call.json["n"] == len(rows()["count"])
    assert call.json["condition_file"] == str(given / "table.csv")
    assert [int(cell) for cell in table(out)["count"]] == rows()["count"]
    alone = cli("sample", given / "run", "-n", 3, "--guidance", 0, "--out", given / "alone.csv")
    assert alone.status == 0, alone.err
    assert "count" not in table(given / "alone.csv")


def test_log_densities_and_clean_rows_are_given_the_columns_of_the_data(
    cli: Cli, given: Path
) -> None:
    for command in (["loglik"], ["denoise", "--sigma", 0.5]):
        out = given / f"{command[0]}.csv"
        name, *more = command
        call = cli(name, given / "run", given / "table.csv", "--out", out, *more)
        assert call.status == 0, call.err
        again = cli(
            name, given / "run", given / "table.csv", "--condition", "count=1",
            "--out", given / "x.csv", *more,
        )  # fmt: skip
        assert "carry the condition" in again.error
        bare = given / "bare.csv"
        columns = {k: v for k, v in rows().items() if k not in ("kind", "count", "price, net")}
        bare.write_text(csv_text(columns), encoding="utf-8")
        lacking = cli(name, given / "run", bare, "--out", given / "x.csv", *more)
        assert "or give one for all by --condition NAME=NUMBER" in lacking.error
        for_all = cli(
            name, given / "run", bare, "--condition", '"price, net=1",count=20',
            "--out", given / f"{name}-all.csv", *more,
        )  # fmt: skip
        assert for_all.status == 0, for_all.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--condition", "count"], "must be NAME=NUMBER"),
        (["--condition", "count=much"], "must be NAME=NUMBER"),
        (["--condition", "count=1,count=2"], "names 'count' twice"),
        (["--condition", "count=1"], "fitted with the condition"),
        (["--guidance", "nan"], "must be a finite number"),
        (["--guidance", "0", "--condition", "count=1"], "of which nothing is known"),
    ],
)
def test_what_cannot_be_given_is_refused(
    cli: Cli, given: Path, options: list[Any], message: str
) -> None:
    call = cli("sample", given / "run", "-n", 3, "--out", given / "none.csv", *options)
    assert call.status == 2
    assert message in call.error
    assert not (given / "none.csv").exists()


def test_numbers_beside_arrays_come_in_one_file(cli: Cli, tmp_path: Path, tiny: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "both.npz", x=rng.normal(size=(60, 2)), c=rng.normal(size=(60, 3)))
    options = ("--condition", "c", "--max-steps", 2, "--config", tiny)
    run, out = tmp_path / "run", tmp_path / "samples.npz"
    call = cli("fit", tmp_path / "both.npz", "--out", run, *options)
    assert call.status == 0, call.err
    assert cli("sample", run, "-n", 4, "--out", out).status == 0
    with np.load(out) as found:
        assert found["x"].shape == (4, 2)
        assert found["c"].shape == (4, 3)
    call = cli("loglik", run, out, "--out", tmp_path / "loglik.csv")
    assert call.status == 0, call.err
    wrong = cli("fit", tmp_path / "both.npz", "--out", tmp_path / "no", "--condition", "z")
    assert "'c' is the condition of this file" in wrong.error
