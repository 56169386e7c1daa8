"""Bad input of every kind ends `fit` before it trains, with what is wrong and what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.calls import Call, Cli
from scorematching import fitting


@pytest.fixture(autouse=True)
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training is a failure of the test."""

    def fit(*_: object, **__: object) -> None:
        raise AssertionError("trained")

    monkeypatch.setattr(fitting, "fit", fit)


def refused(cli: Cli, data: Path, *options: object) -> Call:
    """A fit that must refuse its data in one line that names it, and leave nothing behind."""
    out = data.parent / "run"
    call = cli("fit", data, "--out", out, *options)
    assert call.status == 2, call.err
    assert call.out == ""
    assert len(call.err.splitlines()) == 1
    assert call.err.startswith(f"error: {data}")
    assert not out.exists()
    return call


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["empty"]),
        ("\n\n", ["empty"]),
        ("a,b\n", ["header and no rows"]),
        ("a,b\n1,2\n", ["one row"]),
        ("1,2\n3,4\n", ["line 1", "name the columns"]),
        ("a,b\n1,2\n3\n", ["line 3", "1 cells", "2 columns"]),
        ("a,b\n1,5,2\n1,2\n", ["line 2", "3 cells", "1.5"]),
        ('a;b\n"1,5";2\n"2,5";3\n', ["'a'", "decimal"]),
        ('a,b\n1,"2\n3,4\n', ["line 2", "never closed"]),
        ("a,b\n1,2\n3,\x004\n", ["line 3", "NUL"]),
        ("a,a\n1,2\n3,4\n", ["'a'", "same name"]),
        ("a,\n1,2\n3,4\n", ["column 2", "no name"]),
        ("a,b\n1,2\n3,\n", ["'b'", "1 missing", "--drop"]),
        ("a,b\n1,2\nnan,inf\n", ["'a'", "'b'", "1 infinite"]),
        ("a,b\n1,red\n2,blue\n3,red\n", ["'b'", "text", "--drop b", "--label b"]),
        ("a,b\n1,2024-01-02\n2,2024-01-03\n", ["'b'", "date", "--drop b"]),
        ("a,b\n1,2\n1,2\n", ["constant"]),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    cli: Cli, tmp_path: Path, text: str, words: list[str]
) -> None:
    data = tmp_path / "data.csv"
    data.write_text(text)
    call = refused(cli, data)
    for word in words:
        assert word in call.err


def test_a_label_of_too_many_classes_is_refused(cli: Cli, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("x,id\n" + "".join(f"{k / 7},n{k}\n" for k in range(40)))
    call = refused(cli, data, "--label", "id")
    assert "'id' has 40 classes" in call.err
    assert "--drop id" in call.err


def test_files_that_are_not_what_they_say_are_refused(cli: Cli, tmp_path: Path) -> None:
    for name in ("x.npy", "x.npz", "x.parquet", "x.feather"):
        (tmp_path / name).write_bytes(b"no such thing, whatever the ending says")
        refused(cli, tmp_path / name)
    np.save(tmp_path / "o.npy", np.array([{"a": 1}, {}], dtype=object), allow_pickle=True)
    assert "pickle" in refused(cli, tmp_path / "o.npy").err
    np.save(tmp_path / "n.npy", np.array([[1.0, np.nan], [2.0, 3.0]]))
    assert "1 values are NaN" in refused(cli, tmp_path / "n.npy").err


def test_folders_without_images_or_with_odd_ones_are_refused(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    assert "no images" in refused(cli, folder).err
    Image.new("L", (8, 8)).save(folder / "a.png")
    assert "one image" in refused(cli, folder).err
    Image.new("L", (9, 8)).save(folder / "b.png")
    call = cli("fit", folder, "--out", tmp_path / "run")
    assert call.status == 2
    assert "b.png: 9×8 pixels" in call.err
    (folder / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    call = cli("fit", folder, "--out", tmp_path / "run")
    assert call.status == 2
    assert "b.png: not a readable" in call.err


def test_what_is_not_there_is_refused(cli: Cli, tmp_path: Path) -> None:
    assert "no such file" in refused(cli, tmp_path / "none.csv").err
    assert "ending" in refused(cli, _touched(tmp_path / "x.xlsx")).err
    call = cli("fit", "builtin:wines", "--out", tmp_path / "run")
    assert call.status == 2
    assert "'wines'" in call.err
    assert "wine" in call.err.split("sets are")[1]


def test_validation_rows_must_be_like_the_data(cli: Cli, tmp_path: Path) -> None:
    for name, text in (("a.csv", "x,y\n1,2\n3,4.5\n5,1\n"), ("b.csv", "x,z\n1,2\n")):
        (tmp_path / name).write_text(text)
    call = cli("fit", tmp_path / "a.csv", "--out", tmp_path / "run",
               "--validation-data", tmp_path / "b.csv")  # fmt: skip
    assert call.status == 2
    assert "b.csv" in call.error
    assert "'y'" in call.error


def _touched(path: Path) -> Path:
    path.write_bytes(b"x")
    return path
