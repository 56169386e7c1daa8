from __future__ import annotations

import csv
import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import scorematching as sm
from cli.calls import DECLARED, Cli, rows
from scorematching import fitted


def read(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *body = csv.reader(file)
    return header, body


def test_samples_keep_names_order_kinds_and_bounds(cli: Cli, tmp_path: Path, run: Path) -> None:
    call = cli("sample", run, "-n", 400, "--out", tmp_path / "s.csv")
    assert call.status == 0, call.err
    header, body = read(tmp_path / "s.csv")
    assert header == [*rows()]
    count, price, kind, share, free = zip(*body, strict=True)
    assert all(cell.lstrip("-").isdigit() for cell in count)
    assert {*kind} == {"red", "white"}
    prices, shares = np.array(price, dtype=float), np.array(share, dtype=float)
    assert (prices > 0).all()
    assert ((shares > 0) & (shares < 1)).all()
    assert np.array(free, dtype=float).min() < 0  # the control: a column without bounds


def test_without_bounds_samples_leave_them(
    cli: Cli, tmp_path: Path, table: Path, tiny: Path
) -> None:
    options = ("--drop", "kind", "--config", tiny, "--max-steps", 2)
    assert cli("fit", table, "--out", tmp_path / "run", *options).status == 0
    assert cli("sample", tmp_path / "run", "-n", 800, "--out", tmp_path / "s.csv").status == 0
    header, body = read(tmp_path / "s.csv")
    share = np.array([row[header.index("share")] for row in body], dtype=float)
    assert ((share < 0) | (share > 1)).any()


def test_samples_are_a_function_of_the_seed_and_longer_ones_start_the_same(
    cli: Cli, tmp_path: Path, run: Path
) -> None:
    for name, options in (("a", ()), ("b", ("--seed", 0)), ("c", ("--seed", 1))):
        assert cli("sample", run, "-n", 5, "--out", tmp_path / f"{name}.csv", *options).status == 0
    texts = {name: (tmp_path / f"{name}.csv").read_text() for name in "abc"}
    assert texts["a"] == texts["b"] != texts["c"]
    expected = sm.load(run).sample(5, seed=1)
    _, body = read(tmp_path / "c.csv")
    np.testing.assert_array_equal(
        np.array([[*row[:2], *row[3:]] for row in body], dtype=float), expected.values
    )


def test_a_class_is_drawn_alone_and_must_be_one_of_the_data(
    cli: Cli, tmp_path: Path, run: Path
) -> None:
    out = tmp_path / "s.csv"
    call = cli("sample", run, "-n", 9, "--label", "white", "--out", out)
    assert call.status == 0, call.err
    assert [row[2] for row in read(out)[1]] == ["white"] * 9
    wrong = cli("sample", run, "--label", "pink", "--out", tmp_path / "t.csv")
    assert wrong.status == 2
    assert "'pink'" in wrong.error
    assert "red, white" in wrong.error


def test_a_label_for_a_model_without_is_an_error(
    cli: Cli, tmp_path: Path, table: Path, tiny: Path
) -> None:
    options = ("--drop", "kind", "--config", tiny, "--max-steps", 2)
    assert cli("fit", table, "--out", tmp_path / "run", *options).status == 0
    call = cli("sample", tmp_path / "run", "--label", "red", "--out", tmp_path / "s.csv")
    assert call.status == 2
    assert "fitted without labels" in call.error


def test_the_number_of_evaluations_is_what_was_asked_for(
    cli: Cli, tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []
    sample = fitted.FittedScore.sample

    def counted(self: fitted.FittedScore, n: int, **options: object) -> object:
        used.append(self.configuration.sampling.n_evaluations)
        return sample(self, n, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(fitted.FittedScore, "sample", counted)
    for name, options in (("a", ()), ("b", ("--evaluations", 9))):
        call = cli("sample", run, "-n", 4, "--out", tmp_path / f"{name}.csv", *options, "--json")
        assert call.json["evaluations"] == used[-1]
    assert used == [6, 9]
    assert (tmp_path / "a.csv").read_text() != (tmp_path / "b.csv").read_text()


def test_the_json_of_samples_holds_the_keys_that_its_help_names(
    cli: Cli, tmp_path: Path, run: Path
) -> None:
    call = cli("sample", run, "-n", 4, "--out", tmp_path / "s.csv", "--json", "--quiet")
    assert call.err == ""
    keys = {
        "command",
        "run",
        "out",
        "n",
        "asked",
        "seed",
        "label",
        "condition",
        "condition_file",
        "guidance",
        "evaluations",
        "seconds",
        "notes",
    }
    assert set(call.json) == keys
    text = " ".join(cli("sample", "--help").out.split())
    assert all(key in text for key in keys)
    assert call.json["n"] == call.json["asked"] == 4


# ------------------------------------------------------------- refused before any work is done


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing is a failure of the test."""

    def sample(*_: object, **__: object) -> None:
        raise AssertionError("drew samples")

    monkeypatch.setattr(fitted.FittedScore, "sample", sample)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("taken.csv", (), ["taken.csv", "exists"]),
        ("folder.csv", ("--overwrite",), ["folder.csv", "got a folder"]),
        ("nowhere/s.csv", (), ["nowhere", "does not exist"]),
        ("s.npy", (), ["s.npy", ".csv"]),
        ("s", (), ["/s:", ".csv"]),
        ("s.csv", ("-n", 0), ["-n"]),
        ("s.csv", ("-n", 10**13), ["GiB", "--seed"]),
        ("s.csv", ("--evaluations", 1), ["--evaluations"]),
        ("s.csv", ("--device", "abacus"), ["--device"]),
    ],
)
def test_what_cannot_be_written_is_refused_before_drawing(
    cli: Cli, tmp_path: Path, run: Path, name: str, options: tuple[object, ...], words: list[str]
) -> None:
    (tmp_path / "taken.csv").write_text("mine")
    (tmp_path / "folder.csv").mkdir()
    call = cli("sample", run, "--out", tmp_path / name, *options)
    assert call.status == 2
    for word in words:
        assert word in call.error
    assert (tmp_path / "taken.csv").read_text() == "mine"


@pytest.mark.usefixtures("undrawn")
def test_a_read_only_folder_is_refused_before_drawing(
    cli: Cli, tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write everywhere, so what the system would say to others is said here.
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    call = cli("sample", run, "--out", tmp_path / "s.csv")
    assert call.status == 2
    assert "read-only" in call.error


@pytest.mark.usefixtures("undrawn")
def test_labels_need_a_file_with_room_for_them(
    cli: Cli, tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(0).standard_normal((40, 2))
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(40) % 2)
    options = ("--label", "y", "--config", tiny, "--max-steps", 2)
    assert cli("fit", tmp_path / "d.npz", "--out", tmp_path / "run", *options).status == 0
    call = cli("sample", tmp_path / "run", "--out", tmp_path / "s.npy")
    assert call.status == 2
    assert "no room for labels" in call.error


def test_overwrite_replaces_a_file(cli: Cli, tmp_path: Path, run: Path) -> None:
    (tmp_path / "s.csv").write_text("mine")
    assert cli("sample", run, "-n", 2, "--out", tmp_path / "s.csv", "--overwrite").status == 0
    assert len(read(tmp_path / "s.csv")[1]) == 2


# ------------------------------------------------------------------------------ other faults


def test_a_folder_without_a_model_is_an_error(cli: Cli, tmp_path: Path) -> None:
    for folder, words in ((tmp_path, "holds no fitted model"), (tmp_path / "x", "does not exist")):
        call = cli("sample", folder, "--out", tmp_path / "s.csv")
        assert call.status == 2
        assert words in call.error


def test_a_damaged_model_is_a_failed_run(cli: Cli, tmp_path: Path, run: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    for file in (tmp_path / "run" / "model").rglob("weights.safetensors"):
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    call = cli("sample", tmp_path / "run", "--out", tmp_path / "s.csv")
    assert call.status == 3
    assert "checksum" in call.error
    assert not (tmp_path / "s.csv").exists()


def test_a_full_disk_is_a_failed_run_and_leaves_what_was_there(
    cli: Cli, tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.csv").write_text("mine")

    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    call = cli("sample", run, "-n", 2, "--out", tmp_path / "s.csv", "--overwrite")
    assert call.status == 3
    assert "No space left" in call.error
    assert "Free some space" in call.error
    assert [each.name for each in tmp_path.iterdir()] == ["s.csv"]
    assert (tmp_path / "s.csv").read_text() == "mine"


@pytest.mark.parametrize("name", ["a name with spaces", "ünï🙂", "two\nlines", "x" * 100])
def test_odd_paths_work(cli: Cli, tmp_path: Path, table: Path, tiny: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    shutil.copy(table, folder / f"{name}.csv")
    fitted = cli("fit", folder / f"{name}.csv", "--out", folder / "run", "--config", tiny,
                 "--max-steps", 2, *DECLARED, "--json")  # fmt: skip
    assert fitted.status == 0, fitted.err
    assert json.loads((folder / "run" / "settings.json").read_text())["data"]["name"].endswith(
        f"{name}.csv"
    )
    call = cli("sample", folder / "run", "-n", 2, "--out", folder / f"{name}-s.csv")
    assert call.status == 0, call.err
    call = cli("loglik", folder / "run", folder / f"{name}.csv", "--out", folder / "l.csv")
    assert call.status == 0, call.err


def test_a_leading_dash_goes_after_two_dashes(
    cli: Cli, tmp_path: Path, table: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(table, "-data.csv")
    options = ("--config", tiny, "--max-steps", 2, *DECLARED)
    assert cli("fit", "--out=-run", *options, "--", "-data.csv").status == 0
    assert cli("sample", "--out=-s.csv", "-n", 2, "--", "-run").status == 0
    assert cli("loglik", "--out=-l.csv", "--", "-run", "-data.csv").status == 0
    assert {"-run", "-s.csv", "-l.csv"} <= {each.name for each in tmp_path.iterdir()}
