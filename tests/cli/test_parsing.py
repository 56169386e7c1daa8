from __future__ import annotations

from pathlib import Path

import pytest

from scorematching.cli import parsing
from scorematching.errors import InvalidInput


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["a,b"], ["a", "b"]),
        (["a", "b, c"], ["a", "b", "c"]),
        (['"a,b",c'], ["a,b", "c"]),
        (['"say ""no"""'], ['say "no"']),
        (["größe, ½"], ["größe", "½"]),
        ([], []),
    ],
)
def test_names_are_separated_by_commas_and_quotes_keep_them(
    texts: list[str], expected: list[str]
) -> None:
    assert parsing.names("--drop", texts) == expected


@pytest.mark.parametrize("text", ["", "a,,b", "a,", '"a', '"a"b'])
def test_names_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="--drop"):
        parsing.names("--drop", [text])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=0:1", {"a": (0.0, 1.0)}),
        ("a=-1e3:", {"a": (-1000.0, None)}),
        ("a=:2.5", {"a": (None, 2.5)}),
        ("a=-inf:2", {"a": (None, 2.0)}),
        ("x=y=1:2", {"x=y": (1.0, 2.0)}),
        ("a:b=1:2", {"a:b": (1.0, 2.0)}),
    ],
)
def test_bounds_are_read(text: str, expected: object) -> None:
    assert parsing.bounds([text]) == expected


@pytest.mark.parametrize(
    "text", ["a", "a=", "a=:", "=1:2", "a=1", "a=1:2:3", "a=x:1", "a=0,5:1", "a=nan:1", "a=2:1"]
)
def test_bounds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="--bounds"):
        parsing.bounds([text])


def test_bounds_of_a_column_are_given_once() -> None:
    with pytest.raises(InvalidInput, match="'a' twice"):
        parsing.bounds(["a=0:", "a=:1"])


def test_a_configuration_is_read_from_json_and_toml_alike(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('\ufeff{"net": {"width": 8}}', encoding="utf-8")
    (tmp_path / "a.toml").write_text("[net]\nwidth = 8\n")
    assert parsing.config(tmp_path / "a.json") == {"net": {"width": 8}}
    assert parsing.config(tmp_path / "a.toml") == {"net": {"width": 8}}


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000, b" " * (1 << 21), b"1", b""])
def test_a_configuration_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"a\.json"):
        parsing.config(tmp_path / "a.json")
