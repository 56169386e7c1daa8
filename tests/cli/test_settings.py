from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from cli.calls import Cli
from scorematching.cli.settings import (
    FILE,
    Options,
    RunSettings,
    check_same_options,
    printable,
    read_settings,
    source_of,
    write_settings,
)
from scorematching.configuration import Configuration, MLPSettings
from scorematching.data import from_array
from scorematching.errors import CorruptCheckpoint, InvalidInput


def settings() -> RunSettings:
    """Settings with something in every field."""
    return RunSettings(
        data=source_of("x.npy", from_array(np.arange(6.0).reshape(3, 2))),
        options=Options(columns=["a"], bounds={"a": (0.1, None)}, seed=3, time_limit=2.5),
        configuration=Configuration(net=MLPSettings(width=16)),
        reasons={"net": "because"},
    )


def test_settings_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_settings(tmp_path, settings())
    assert read_settings(tmp_path) == settings()
    assert [each.name for each in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format_version": 2}, "newer version"),
        ({"format_version": 0}, "damaged: format_version"),
        ({"options": {"sede": 1}}, "damaged: options.sede"),
        ({"data": None}, "damaged: data"),
        ({"extra": 1}, "damaged: extra"),
    ],
)
def test_damaged_settings_are_told_apart_from_missing_ones(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    write_settings(tmp_path, settings())
    written = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps({**written, **change}))
    with pytest.raises(CorruptCheckpoint, match=words):
        read_settings(tmp_path)
    with pytest.raises(InvalidInput, match="no run to resume"):
        read_settings(tmp_path / "elsewhere")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_settings_that_are_no_json_object_are_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(CorruptCheckpoint, match="damaged"):
        read_settings(tmp_path)


def test_damaged_settings_are_a_failed_run(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    call = cli("fit", "builtin:iris", "--out", tmp_path, "--resume")
    assert call.status == 3
    assert "settings.json is damaged" in call.error


def test_rows_are_known_by_their_values_order_labels_and_kind() -> None:
    x = np.arange(8.0).reshape(4, 2)
    same = source_of("a", from_array(x)).sha256
    assert source_of("b", from_array(x.copy())).sha256 == same
    assert source_of("a", from_array(x[::-1])).sha256 != same
    assert source_of("a", from_array(x.astype(np.float32))).sha256 != same
    first = source_of("a", from_array(x, np.array([0, 0, 1, 1]))).sha256
    assert first != source_of("a", from_array(x, np.array([0, 1, 0, 1]))).sha256
    assert first != same


def test_only_options_that_differ_are_complained_about(tmp_path: Path) -> None:
    written = Options(seed=1, drop=["a"])
    check_same_options(
        written, {"seed": 1, "drop": ["a"], "device": "x"}, tmp_path, frozenset({"device"})
    )
    with pytest.raises(InvalidInput, match=r"--drop is \['b'\] and was \['a'\]\. A"):
        check_same_options(written, {"seed": 1, "drop": ["b"]}, tmp_path, frozenset())


def test_a_path_of_any_bytes_can_be_written_down() -> None:
    path = os.fsdecode(b"caf\xe9.csv")
    assert printable(path) == "caf\\xe9.csv"
    assert printable("café.csv") == "café.csv"
