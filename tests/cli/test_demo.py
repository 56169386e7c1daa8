from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

import scorematching as sm
from cli.calls import TINY, TINY_IMAGES, Cli
from scorematching.cli import demo


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo with networks that train at once."""
    monkeypatch.setattr(demo, "DIGITS", TINY_IMAGES | {"training": {"max_steps": 2}})
    monkeypatch.setattr(demo, "WINE", TINY | {"training": {"max_steps": 2, "n_members": 1}})


def test_the_demo_leaves_models_samples_and_a_picture_and_says_where(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call = cli("demo", "--json")
    assert call.status == 0, call.err
    found = call.json
    keys = {"command", "name", "out", "picture", "samples", "runs", "numbers", "seconds"}
    assert set(found) == keys
    assert found["out"] == "runs/first-light"
    for path in (found["picture"], *found["samples"], *found["runs"]):
        assert Path(path).exists()
        assert path in call.err
    with Image.open(found["picture"]) as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
    images, table = map(Path, found["samples"])
    assert len(list(images.glob("*.png"))) == 100
    with table.open(encoding="utf-8", newline="") as file:
        header, *body = csv.reader(file)
    assert (len(header), header[-1], len(body)) == (14, "target", 1000)
    assert min(float(cell) for row in body for cell in row[:-1]) > 0
    for run in found["runs"]:
        assert sm.load(run).reasons
    again = cli("demo", "-q", "--json")
    assert again.json["out"] == "runs/first-light-2"
    assert again.err == ""


def test_the_demo_needs_a_folder_of_its_own(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for path in (tmp_path, tmp_path / "mine.txt"):
        call = cli("demo", "--out", path)
        assert call.status == 2
        assert "Choose another --out" in call.error
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


def test_an_example_leaves_its_picture_and_says_its_numbers(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call = cli("demo", "potentials", "--quick", "--json")
    assert call.status == 0, call.err
    found = call.json
    assert found["picture"] == "runs/potentials/potentials.png"
    assert found["picture"] in call.err
    assert found["numbers"]["information"] == pytest.approx(2.99647, abs=1e-5)
    assert "information  2.9965" in call.err
    with Image.open(found["picture"]) as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
    other = cli("demo", "potentials", "--quick", "--seed", 1, "--out", "other", "-q", "--json")
    assert other.err == ""
    assert other.json["picture"] == "other/potentials.png"
    assert other.json["numbers"]["best_kappa"] != found["numbers"]["best_kappa"]


def test_quick_is_for_examples(cli: Cli) -> None:
    call = cli("demo", "--quick")
    assert call.status == 2
    assert "first-light has no --quick" in call.error


def test_the_help_lists_every_demo_with_a_line(cli: Cli) -> None:
    text = " ".join(cli("demo", "--help").out.split())
    for name, line in demo.DEMOS.items():
        assert f"{name}: {line}." in text


def test_an_unknown_demo_is_an_error_that_lists_them(cli: Cli) -> None:
    call = cli("demo", "second-light")
    assert call.status == 2
    assert "'second-light'" in call.error
    for name in demo.DEMOS:
        assert name in call.error
