"""What each command prints for a program is what docs/json.md says, key by key and type by type."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.calls import STEPS, TINY, TINY_IMAGES, Cli, csv_text, rows
from scorematching.cli import demo
from scorematching.cli.main import app

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "json.md"
KINDS: dict[str, Any] = {
    "text": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "map": dict,
    "list": list,
}


def documented() -> dict[str, dict[str, str]]:
    """Command → key → type, as the document has them."""
    sections = re.split(r"^## ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {
        section.split(None, 1)[0]: dict(
            re.findall(r"^\| `([^`]+)` \| ([a-z ]+?) \|", section, flags=re.MULTILINE)
        )
        for section in sections
    }


def faults(printed: Any, keys: dict[str, str], prefix: str = "") -> list[str]:
    """Where an object differs from what is documented of it."""
    here = {
        key.removeprefix(prefix)
        for key in keys
        if key.startswith(prefix) and not re.search(r"[.\[]", key.removeprefix(prefix))
    }
    found = [f"{prefix}{key}: not documented" for key in printed if key not in here]
    found += [f"{prefix}{key}: not printed" for key in here if key not in printed]
    for key in here & {*printed}:
        found += wrong(printed[key], keys[f"{prefix}{key}"], keys, f"{prefix}{key}")
    return found


def wrong(value: Any, kind: str, keys: dict[str, str], name: str) -> list[str]:
    """Where a value is not of its type."""
    bare = kind.removesuffix(" or null")
    if value is None:
        return [] if bare != kind else [f"{name}: null, and is to be {kind}"]
    if bare == "object":
        return faults(value, keys, f"{name}.") if isinstance(value, dict) else [f"{name}: {kind}"]
    if bare.startswith("list of "):
        if not isinstance(value, list):
            return [f"{name}: no list"]
        inner = bare.removeprefix("list of ")
        if inner == "object":
            return [fault for each in value for fault in faults(each, keys, f"{name}[].")]
        # What a fixed parameter lacks is null within.
        return [f for each in value if each is not None for f in wrong(each, inner, keys, name)]
    fits = isinstance(value, KINDS[bare]) and (bare == "boolean" or not isinstance(value, bool))
    return [] if fits else [f"{name}: {value!r:.40} is no {bare}"]


def test_every_command_is_documented_and_no_other() -> None:
    assert {*documented()} == {each.name for each in app.registered_commands}
    assert all(len(keys) >= 6 for keys in documented().values())


@pytest.mark.usefixtures("page")
def test_a_fit_prints_what_is_documented(cli: Cli, tmp_path: Path, tiny: Path) -> None:
    keys = documented()["fit"]
    columns = {"a": rows(60)["Größe"], "b": rows(60)["share"], "kind": rows(60)["kind"]}
    (tmp_path / "x.csv").write_text(csv_text(columns))
    options = ("--config", tiny, "--max-steps", STEPS, "--json", "-q", "--label", "kind")
    arguments = ("fit", tmp_path / "x.csv", "--out", tmp_path / "run", *options)
    dry = cli(*arguments, "--dry-run").json
    left_out = {"steps", "seconds", "held_out", "report"}
    short = {key: kind for key, kind in keys.items() if key.split(".")[0] not in left_out}
    assert faults(dry, short) == []
    assert faults(cli(*arguments).json, keys) == []
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal(60))
    plain = cli("fit", tmp_path / "x.npy", "--out", tmp_path / "b", *options[:-2], "--no-report")
    assert faults(plain.json, keys) == []  # no columns, no label, no page


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("sample", ("-n", 4, "--out", "OUT/s.csv")),
        ("sample", ("-n", 4, "--out", "OUT/s.csv", "--label", "red")),
        ("loglik", ("TABLE", "--out", "OUT/l.csv")),
        ("denoise", ("TABLE", "--sigma", 0.5, "--out", "OUT/d.csv")),
        ("report", ("--samples", 30, "--scored", 2, "--out", "OUT/p.html")),
        ("tensorboard", ("--out", "OUT/events")),
    ],
)
def test_a_command_on_a_run_prints_what_is_documented(
    cli: Cli, tmp_path: Path, run: Path, table: Path, command: str, arguments: tuple[object, ...]
) -> None:
    if command == "tensorboard":
        pytest.importorskip("tensorboard")
    words = [str(each).replace("OUT", str(tmp_path)) for each in arguments]
    words = [str(table) if word == "TABLE" else word for word in words]
    call = cli(command, run, *words, "--json", "-q")
    assert call.status == 0, call.err
    assert faults(call.json, documented()[command]) == []


def test_a_command_without_a_run_prints_what_is_documented(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(csv_text({"a": rows()["Größe"], "b": rows()["share"]}))
    for command, options in (
        ("estimate", ("gaussian", tmp_path / "x.csv", "--fixed", "eta[1]=0.5")),
        ("noise", (tmp_path / "x.csv",)),
    ):
        call = cli(command, *options, "--json", "-q")
        assert call.status == 0, call.err
        assert faults(call.json, documented()[command]) == []


def test_the_demo_prints_what_is_documented(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "DIGITS", TINY_IMAGES | {"training": {"max_steps": 1}})
    monkeypatch.setattr(demo, "WINE", TINY | {"training": {"max_steps": 1, "n_members": 1}})
    for name in ("first-light", "potentials"):
        quick = () if name == "first-light" else ("--quick",)
        call = cli("demo", name, *quick, "--out", tmp_path / name, "--json", "-q")
        assert faults(call.json, documented()["demo"]) == []


def test_what_differs_from_the_document_is_named() -> None:
    keys = {"a": "text", "b": "object", "b.c": "number or null", "d": "list of object",
            "d[].e": "boolean", "f": "list of integer"}  # fmt: skip
    good = {"a": "x", "b": {"c": None}, "d": [{"e": True}], "f": [1, 2]}
    assert faults(good, keys) == []
    for change, words in (
        ({"a": None}, "a: null"),
        ({"a": 1}, "a: 1 is no text"),
        ({"b": {"c": "x"}}, "b.c: 'x' is no number"),
        ({"b": {}}, "b.c: not printed"),
        ({"b": {"c": 1.5, "g": 1}}, "b.g: not documented"),
        ({"d": [{"e": True}, {"e": 1}]}, "d[].e: 1 is no boolean"),
        ({"f": [True]}, "f: True is no integer"),
        ({"f": 1}, "f: no list"),
    ):
        assert [line for line in faults({**good, **change}, keys) if words in line], words
