from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import scorematching as sm
from cli.calls import Cli
from scorematching.estimation import ClusterRobust
from scorematching.random import normal, seeded

LIKE = torch.zeros((), dtype=torch.float64)
X = normal((90, 2), LIKE, seeded("cli estimate")).abs() + 0.01
SITES = [f"site {i // 3}" for i in range(90)]
ORTHANT = sm.domains.PositiveOrthant(2, weight=sm.domains.MinPower(1, 3.0))
ON_ORTHANT = ("--domain", "positive-orthant", "--weight", "min(x,3)")


@pytest.fixture
def positive(tmp_path: Path) -> Path:
    """Two positive columns, and a text that names the cluster."""
    path = tmp_path / "rows.csv"
    lines = [f"{a!r},{site},{b!r}" for (a, b), site in zip(X.tolist(), SITES, strict=True)]
    path.write_text("\n".join(["a,site,b", *lines]) + "\n")
    return path


def test_it_prints_the_table_of_the_library_and_writes_its_numbers(
    cli: Cli, tmp_path: Path, positive: Path
) -> None:
    out = tmp_path / "result.json"
    call = cli("estimate", "gaussian", positive, "--drop", "site", *ON_ORTHANT, "--out", out)
    assert call.status == 0, call.err
    expected = sm.estimate(sm.families.Gaussian(2), X, domain=ORTHANT)
    assert call.out == expected.summary() + "\n"
    written = json.loads(out.read_text())
    np.testing.assert_array_equal(written["theta"], expected.theta.numpy())
    np.testing.assert_array_equal(written["std_errors"], expected.std_errors.numpy())
    np.testing.assert_array_equal(written["conf_int"], expected.conf_int().numpy())
    np.testing.assert_array_equal(written["covariance"], expected.theta_covariance.numpy())
    z = expected.theta / expected.std_errors
    p = 2 * torch.distributions.Normal(0, 1).cdf(-z.abs())
    np.testing.assert_allclose(written["p_values"], p.numpy(), atol=1e-7)
    assert written["names"] == list(expected.names)
    assert written["columns"] == ["a", "b"]
    assert written["objective"] == expected.objective


def test_the_json_holds_the_keys_that_its_help_names(
    cli: Cli, tmp_path: Path, positive: Path
) -> None:
    out = tmp_path / "result.json"
    arguments = ("estimate", "gaussian", positive, "--columns", "b,a", "--out", out)
    call = cli(*arguments, "--json", "--quiet", "--level", "0.9")
    assert call.err == ""
    assert call.json == json.loads(out.read_text())
    text = " ".join(cli("estimate", "--help").out.split())
    assert all(key in text for key in call.json)
    expected = sm.estimate(sm.families.Gaussian(2), X[:, [1, 0]])
    np.testing.assert_allclose(call.json["conf_int"], expected.conf_int(0.9).numpy(), rtol=1e-12)
    assert cli(*arguments).status == 2  # the file is there
    assert cli(*arguments, "--overwrite").status == 0


def test_parameters_are_held_and_clusters_kept_together(cli: Cli, positive: Path) -> None:
    call = cli(
        "estimate", "gaussian", positive, "--cluster", "site", "--fixed", "K[2,1]=-0.5", "--json"
    )
    assert call.status == 0, call.err
    expected = sm.estimate(
        sm.families.Gaussian(2), X, fixed={"K[2,1]": -0.5}, covariance=ClusterRobust(SITES)
    )
    np.testing.assert_array_equal(call.json["theta"], expected.theta.numpy())
    assert call.json["theta"][1] == -0.5
    assert call.json["std_errors"][1] is None
    free = [0, 2, 3, 4]
    found = np.array([call.json["std_errors"][k] for k in free])
    np.testing.assert_array_equal(found, expected.std_errors[free].numpy())
    assert "30 clusters" in call.json["convention"]


def test_a_file_in_portions_gives_the_same_table(cli: Cli, positive: Path) -> None:
    arguments = ("estimate", "gaussian", positive, "--cluster", "site", *ON_ORTHANT)
    whole, streamed = cli(*arguments), cli(*arguments, "--stream")
    assert streamed.status == 0, streamed.err
    assert streamed.out == whole.out


def test_a_family_of_one_column_works_from_a_builtin_table(cli: Cli) -> None:
    call = cli("estimate", "gamma", "builtin:wine", "--columns", "alcohol", "--json")
    assert call.status == 0, call.err
    assert call.json["names"] == ["alpha", "beta"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gausian", "rows.csv", "--drop", "site"), "Did you mean gaussian"),
        (("gaussian", "none.csv"), "no such file"),
        (("gaussian", "rows.csv"), "site"),
        (("gaussian", "rows.csv", "--drop", "site", "--domain", "ortant"), "positive-orthant"),
        (("gaussian", "rows.csv", "--drop", "site", "--weight", "x"), "--domain"),
        (
            ("gaussian", "rows.csv", "--drop", "site", "--domain", "box(0,9)", "--weight", "y"),
            "min(x,c)",
        ),
        (("gaussian", "rows.csv", "--drop", "site", "--domain", "sphere"), "unit length"),
        (("gaussian", "rows.csv", "--drop", "site", "--fixed", "K[1,2]=0"), "K[2,1]"),
        (("gaussian", "rows.csv", "--drop", "site", "--fixed", "K"), "NAME=VALUE"),
        (("gaussian", "rows.csv", "--drop", "site", "--level", "95"), "0.95"),
        (("gaussian", "rows.csv", "--cluster", "sites"), "--cluster names 'sites'"),
        (("gaussian", "rows.csv", "--drop", "site", "--out", "result.txt"), ".json"),
        (("gaussian", "rows.csv", "--drop", "site", "--ridge", "-1"), "at least 0"),
        (("gaussian", "builtin:wine", "--stream"), ".parquet"),
        (("gaussian", "builtin:digits"), "rows of shape"),
        (("gamma", "rows.csv", "--drop", "site"), "got 2 columns"),
    ],
)
def test_bad_input_is_one_line_with_a_remedy(
    cli: Cli,
    positive: Path,
    arguments: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(positive.parent)
    call = cli("estimate", *arguments)
    assert call.status == 2
    assert call.out == ""
    assert len(call.err.splitlines()) == 1
    assert words in call.err
    assert not Path("result.txt").exists()


def test_constant_columns_and_unidentified_directions_are_named(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "".join(f"{k},1\n" for k in range(9)))
    constant = cli("estimate", "gaussian", path)
    assert constant.status == 2
    assert "--drop 'b'" in constant.err
    path.write_text("a,b\n" + "".join(f"{k},{2 * k}\n" for k in range(9)))
    collinear = cli("estimate", "gaussian", path)
    assert collinear.status == 2
    assert "K[" in collinear.err


def test_the_help_loads_no_torch() -> None:
    script = (
        "import sys; from scorematching.cli.main import main; main(['estimate', '--help']);"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 0
