from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scorematching as sm
from cli.calls import TINY, Cli, csv_text, rows
from scorematching.data import read
from scorematching.data.noisy import noisy


def noisy_rows(n: int = 20) -> dict[str, list[object]]:
    """Rows with some noise, so that whole numbers are fractions."""
    rng = np.random.default_rng(1)
    columns = rows(n)
    columns["count"] = (np.array(columns["count"]) + rng.standard_normal(n)).tolist()
    columns["Größe"] = (np.array(columns["Größe"]) + rng.standard_normal(n)).tolist()
    return columns


def test_rows_come_back_in_their_own_form_and_as_the_model_denoises_them(
    cli: Cli, tmp_path: Path, run: Path
) -> None:
    (tmp_path / "n.csv").write_text(csv_text(noisy_rows()), encoding="utf-8")
    out = tmp_path / "clean.csv"
    call = cli("denoise", run, tmp_path / "n.csv", "--sigma", 0.5, "--out", out, "--json")
    assert call.status == 0, call.err
    assert {**call.json, "seconds": 0} == {
        "command": "denoise",
        "run": str(run),
        "data": str(tmp_path / "n.csv"),
        "out": str(out),
        "rows": 20,
        "sigma": 0.5,
        "label": None,
        "seconds": 0,
        "notes": [],
    }
    with out.open(encoding="utf-8", newline="") as file:
        header, *body = csv.reader(file)
    assert header == [*rows()]
    assert [row[2] for row in body] == noisy_rows()["kind"]
    assert all(row[0].lstrip("-").isdigit() for row in body)
    model = sm.load(run)
    given = read(tmp_path / "n.csv", like=noisy(model.schema))
    expected = model.denoise(given, 0.5)
    found = np.array([[*row[:2], *row[3:]] for row in body], dtype=float)
    np.testing.assert_array_equal(found[:, 0], np.rint(expected[:, 0]))
    np.testing.assert_allclose(found[:, 1:], expected[:, 1:], rtol=1e-6)
    assert np.abs(found[:, 3] - np.array(noisy_rows()["Größe"])).max() > 0.1  # it did something


def test_rows_without_their_label_take_one_for_all(cli: Cli, tmp_path: Path, run: Path) -> None:
    columns = noisy_rows()
    del columns["kind"]
    (tmp_path / "n.csv").write_text(csv_text(columns), encoding="utf-8")
    arguments = ("denoise", run, tmp_path / "n.csv", "--sigma", 0.5, "--out", tmp_path / "c.csv")
    missing = cli(*arguments)
    assert missing.status == 2
    assert "--label CLASS" in missing.error
    assert cli(*arguments, "--label", "red").status == 0
    with (tmp_path / "c.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == [*columns]


def test_images_are_denoised_in_the_units_of_their_pixels(cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = (100 + 20 * rng.standard_normal((40, 5, 5))).clip(0, 255).astype(np.uint8)
    np.save(tmp_path / "x.npy", x)
    config = {**TINY, "net": {"type": "ResidualMLP", "width": 8, "n_blocks": 1}}
    (tmp_path / "c.json").write_text(json.dumps(config))
    options = ("--config", tmp_path / "c.json", "--max-steps", 2, "--no-report")
    assert cli("fit", tmp_path / "x.npy", "--out", tmp_path / "run", *options).status == 0
    np.save(tmp_path / "n.npy", x[:6] + 15 * rng.standard_normal((6, 5, 5)))
    for name in ("c.npy", "pictures"):
        call = cli(
            "denoise", tmp_path / "run", tmp_path / "n.npy", "--sigma", 15, "--out", tmp_path / name
        )
        assert call.status == 0, call.err
    clean = np.load(tmp_path / "c.npy")
    assert (clean.dtype, clean.shape) == (np.uint8, (6, 5, 5))
    # Independent pixels: 400/(400 + 225) of the way from the mean.
    noise = np.load(tmp_path / "n.npy")
    slope = np.polyfit(noise.ravel(), clean.ravel().astype(float), 1)[0]
    assert slope == pytest.approx(0.64, abs=0.1)
    with Image.open(tmp_path / "pictures" / "000003.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), clean[3])


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("c.csv", ("--sigma", 1e4), ["sigma", "0.01 to 20"]),
        ("c.csv", ("--sigma", -1), ["sigma"]),
        ("c.csv", ("--sigma", "much"), ["--sigma"]),
        ("c.csv", (), ["--sigma"]),
        ("c.npy", ("--sigma", 1), ["c.npy", ".csv"]),
        ("taken.csv", ("--sigma", 1), ["exists"]),
        ("c.csv", ("--sigma", 1, "--label", "red"), ["leave --label out"]),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    cli: Cli, tmp_path: Path, run: Path, name: str, options: tuple[object, ...], words: list[str]
) -> None:
    (tmp_path / "n.csv").write_text(csv_text(noisy_rows()), encoding="utf-8")
    (tmp_path / "taken.csv").write_text("mine")
    call = cli("denoise", run, tmp_path / "n.csv", "--out", tmp_path / name, *options)
    assert call.status == 2
    for word in words:
        assert word in call.error
    assert (tmp_path / "taken.csv").read_text() == "mine"
    assert not (tmp_path / "c.csv").exists()
