from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cli.calls import Cli


def test_every_setting_is_printed_with_its_reason(cli: Cli, table: Path) -> None:
    call = cli("noise", table, "--drop", "kind")
    assert call.status == 0
    for number in (1, 2, 3, 4, 5):
        assert f"Technique {number}:" in call.out
    for name in ("sigma_max", "sigma_min", "n_levels", "n_steps_each", "step_size", "ema_decay"):
        assert f"{name} = " in call.out


def test_json_holds_the_settings_and_their_reasons(cli: Cli, table: Path) -> None:
    found = cli("noise", table, "--drop", "kind", "--steps-each", 7, "--json").json
    assert found["command"] == "noise"
    assert found["data"] == {"name": str(table), "rows": 80}
    assert found["coordinates"] == 4
    assert found["n_steps_each"] == 7
    assert 0 < found["sigma_min"] < found["sigma_max"]
    names = [reason["name"] for reason in found["reasons"]]
    assert names[:3] == ["sigma_max", "sigma_min", "n_levels"]
    assert found["reasons"][4]["why"].startswith("Given.")


def test_columns_of_other_scales_do_not_matter(cli: Cli, tmp_path: Path) -> None:
    """The rows are those that fit trains on: whitened."""
    x = np.random.default_rng(3).standard_normal((60, 2))
    results = []
    for name, factor in (("one", 1.0), ("other", 1000.0)):
        file = tmp_path / f"{name}.npy"
        np.save(file, x * [1.0, factor])
        results.append(cli("noise", file, "--json").json)
    assert results[0]["n_levels"] == results[1]["n_levels"]
    assert results[0]["sigma_max"] == pytest.approx(results[1]["sigma_max"])


def test_quiet_says_nothing(cli: Cli, table: Path) -> None:
    call = cli("noise", table, "--columns", "count", "--quiet")
    assert (call.status, call.out, call.err) == (0, "", "")


def test_bad_input_ends_with_its_remedy(cli: Cli, table: Path, tmp_path: Path) -> None:
    call = cli("noise", tmp_path / "none.csv")
    assert call.status == 2
    call = cli("noise", table, "--drop", "nothing")
    assert call.status == 2
    assert "nothing" in call.error
