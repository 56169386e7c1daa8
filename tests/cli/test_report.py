from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import scorematching as sm
from cli.calls import STEPS, TINY, Cli, csv_text, rows
from fits import quick
from scorematching.errors import Diverged
from scorematching.fitted import FittedScore

#: So few rows that a page takes a second.
FEW = ("--samples", 40, "--scored", 4)


@pytest.mark.usefixtures("page")
def test_a_fit_leaves_a_page_and_says_where(cli: Cli, tmp_path: Path, tiny: Path) -> None:
    (tmp_path / "x.csv").write_text(csv_text({"a": rows(60)["Größe"], "b": rows(60)["share"]}))
    out = tmp_path / "run"
    options = ("--config", tiny, "--max-steps", STEPS, "--json")
    call = cli("fit", tmp_path / "x.csv", "--out", out, *options)
    assert call.status == 0, call.err
    assert call.json["report"] == str(out / "report.html")
    assert f"report    {out / 'report.html'}" in call.err
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "54 trained on, 6 held out, which chose the best weights" in text
    assert f"{STEPS} steps in" in text
    assert "Score and density" in text
    assert f"scorematching sample {out} -n 1000 --out samples.csv" in text
    plain = cli("fit", tmp_path / "x.csv", "--out", tmp_path / "b", *options, "--no-report")
    assert plain.json["report"] is None
    assert not (tmp_path / "b" / "report.html").exists()


def test_a_page_is_made_of_a_run_later_and_replaced(
    cli: Cli, tmp_path: Path, run: Path, table: Path
) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    for _ in range(2):
        call = cli("report", folder, *FEW, "--json")
        assert call.status == 0, call.err
    found = call.json
    assert (found["out"], found["samples"]) == (str(folder / "report.html"), 40)
    assert (found["rows"], found["held_out"]) == (72, 8)
    for merit in found["merits"]:
        assert f"{merit['name']}: {merit['verdict']}" in call.err
    text = (folder / "report.html").read_text(encoding="utf-8")
    for name in ("count", "price, net", "share", "Größe"):
        assert name in text


def test_rows_that_the_model_has_not_seen_judge_it(
    cli: Cli, tmp_path: Path, run: Path, table: Path
) -> None:
    columns = {name: cells[80:] for name, cells in rows(100).items()}
    (tmp_path / "new.csv").write_text(csv_text(columns), encoding="utf-8")
    out = tmp_path / "page.html"
    call = cli("report", run, "--held-out", tmp_path / "new.csv", "--out", out, *FEW, "--json")
    assert call.status == 0, call.err
    assert (call.json["rows"], call.json["held_out"]) == (72, 20)
    text = out.read_text(encoding="utf-8")
    assert "20 held out, which the fit knew nothing of" in text
    again = cli("report", run, "--out", out, *FEW)
    assert again.status == 2
    assert "exists" in again.error
    del columns["kind"]
    (tmp_path / "new.csv").write_text(csv_text(columns), encoding="utf-8")
    bare = cli("report", run, "--held-out", tmp_path / "new.csv", "--out", tmp_path / "b.html")
    assert bare.status == 2
    assert "'kind'" in bare.error


def test_the_rows_of_a_run_are_found_where_they_are_said_to_be_and_must_be_the_same(
    cli: Cli, tmp_path: Path, run: Path, table: Path
) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    settings = json.loads((folder / "settings.json").read_text())
    settings["data"]["name"] = str(tmp_path / "gone.csv")
    (folder / "settings.json").write_text(json.dumps(settings))
    gone = cli("report", folder)
    assert gone.status == 2
    assert "gone.csv" in gone.error
    assert "--data" in gone.error
    moved = shutil.copy(table, tmp_path / "moved.csv")
    assert cli("report", folder, "--data", moved, *FEW, "-q").status == 0
    (tmp_path / "other.csv").write_text(csv_text(rows(79)), encoding="utf-8")
    other = cli("report", folder, "--data", tmp_path / "other.csv")
    assert other.status == 2
    assert "79 rows that are not the 80 rows" in other.error
    assert "--held-out" in other.error


def test_a_run_of_python_needs_its_rows(cli: Cli, tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((60, 3))
    np.save(tmp_path / "x.npy", x)
    quick(x, 3, {k: v for k, v in TINY.items() if k != "net"}, out=tmp_path / "run")
    missing = cli("report", tmp_path / "run")
    assert missing.status == 2
    assert "--data" in missing.error
    call = cli("report", tmp_path / "run", "--data", tmp_path / "x.npy", *FEW, "--json")
    assert call.status == 0, call.err
    assert (call.json["rows"], call.json["held_out"]) == (60, 0)
    assert any("not known" in note for note in call.json["notes"])
    assert sm.load(tmp_path / "run").reasons


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--out", "x.pdf"), [".html", ".pdf"]),
        (("--out", "nowhere/x.html"), ["does not exist"]),
        (("--samples", 3), ["--samples"]),
        (("--device", "abacus"), ["--device"]),
        (("--held-out", "none.csv"), ["none.csv"]),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    cli: Cli, run: Path, options: tuple[object, ...], words: list[str]
) -> None:
    call = cli("report", run, *options)
    assert call.status == 2
    assert len(call.err.splitlines()) == 1
    for word in words:
        assert word in call.error


@pytest.mark.usefixtures("page")
def test_a_fit_whose_samples_all_diverge_keeps_its_model_and_has_no_page(
    cli: Cli, tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*_: object, **__: object) -> None:
        raise Diverged("all 40 samples became non-finite. Check the data for outliers.")

    monkeypatch.setattr(FittedScore, "sample", diverge)
    (tmp_path / "x.csv").write_text(csv_text({"a": rows(60)["Größe"], "b": rows(60)["share"]}))
    options = ("--config", tiny, "--max-steps", 2, "--json")
    call = cli("fit", tmp_path / "x.csv", "--out", tmp_path / "run", *options)
    assert call.status == 0
    assert call.json["report"] is None
    assert any("no report: all 40 samples" in note for note in call.json["notes"])
    assert (tmp_path / "run" / "model").is_dir()
