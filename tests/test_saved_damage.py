"""Models that are damaged or made up: none of them gets in."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fits import UNTRAINED, gaussian_rows, quick
from scorematching import saved
from scorematching.errors import CorruptCheckpoint, InvalidInput
from scorematching.fitted import FittedScore, load
from scorematching.storage import pack_tensors, unpack_tensors, write_snapshot


@pytest.fixture(scope="module")
def model() -> FittedScore:
    return quick(gaussian_rows(60, 2), 5)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(InvalidInput, match=r"holds no fitted model. Give the folder"):
            load(folder)


def newest(folder: Path) -> Path:
    pointer = json.loads((folder / "model" / "current").read_text())
    return folder / "model" / str(pointer["name"])


@pytest.mark.parametrize("file", ["model.json", "weights.safetensors", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "empty", "of another model"])
def test_a_damaged_model_is_refused_or_the_one_before_is_loaded(
    file: str, damage: str, model: FittedScore, tmp_path: Path
) -> None:
    other = quick(gaussian_rows(60, 2), 1, UNTRAINED)
    other.save(tmp_path)
    spoil(newest(tmp_path) / file, damage, model, tmp_path / "else")
    with pytest.raises(CorruptCheckpoint, match=file):
        load(tmp_path)
    other.save(tmp_path)
    model.save(tmp_path)
    assert np.array_equal(load(tmp_path).sample(5), model.sample(5))
    spoil(newest(tmp_path) / file, damage, other, tmp_path / "other")
    with pytest.warns(RuntimeWarning, match="Loaded the good snapshot") as caught:
        previous = load(tmp_path)
    assert caught[0].filename == __file__
    assert np.array_equal(previous.sample(5), other.sample(5))


def spoil(path: Path, damage: str, another: FittedScore, scratch: Path) -> None:
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
        return
    if damage == "cut":
        del content[len(content) // 2 :]
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
    elif damage == "empty":
        content.clear()
    else:
        another.save(scratch)
        content[:] = (newest(scratch) / path.name).read_bytes()
    path.write_bytes(content)


def test_a_newer_format_says_upgrade(model: FittedScore, tmp_path: Path) -> None:
    model.save(tmp_path)
    rewrite(tmp_path, lambda form, tensors: form.update(format_version=99, novelty=[]))
    with pytest.raises(CorruptCheckpoint, match=r"newer version .*format 99, .*upgrade"):
        load(tmp_path)


def rewrite(folder: Path, change: Callable[[dict[str, Any], dict[str, Tensor]], Any]) -> None:
    """Save the newest model again with changed content and sound checksums, as a forger would."""
    path = newest(folder)
    form = json.loads((path / "model.json").read_text("utf-8"))
    tensors = unpack_tensors((path / "weights.safetensors").read_bytes())
    replaced = change(form, tensors)
    text = replaced if isinstance(replaced, str) else json.dumps(form)
    files = {"model.json": text.encode(), "weights.safetensors": pack_tensors(tensors)}
    write_snapshot(folder / "model", "forged", files)


def setting(value: Any, *path: str) -> Callable[[dict[str, Any], dict[str, Tensor]], None]:
    def change(form: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        inner: Any = form
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value

    return change


def tensor(name: str, value: Tensor | None) -> Callable[[dict[str, Any], dict[str, Tensor]], None]:
    def change(form: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        del tensors[name]
        if value is not None:
            tensors[name] = value

    return change


FORGERIES: dict[str, Callable[[dict[str, Any], dict[str, Tensor]], Any]] = {
    "a width of 10⁹": setting(10**9, "configuration", "net", "width"),
    "the largest width": setting(8192, "configuration", "net", "width"),
    "64 members": setting(64, "configuration", "training", "n_members"),
    "a row of 10⁹ numbers": setting([10**9], "schema", "shape"),
    "a row of 10⁴⁰ numbers": setting([10**10] * 4, "schema", "shape"),
    "a row of no numbers": setting([0], "schema", "shape"),
    "another kind of net": setting("UNet", "configuration", "net", "type"),
    "a net of nobody": setting("os.system", "configuration", "net", "type"),
    "an unknown setting": setting(1, "configuration", "novelty"),
    "an unknown transform": setting("pickle", "transform", "type"),
    "an unknown form": setting("spreadsheet", "form"),
    "classes of nothing": setting([0.5, 0.5], "class_frequencies"),
    "reasons that are no table": setting([1], "reasons"),
    "an integer for a schema": setting(1, "schema"),
    "no version": lambda form, tensors: form.pop("format_version"),
    "no schema": lambda form, tensors: form.pop("schema"),
    "a list": lambda form, tensors: "[]",
    "no JSON": lambda form, tensors: "{",
    "deep nesting": lambda form, tensors: "[" * 100_000,
    "huge numbers": lambda form, tensors: '{"format_version": ' + "9" * 5000 + "}",
    "a weight missing": tensor("denoiser.net.outlet.bias", None),
    "a weight of another shape": tensor("denoiser.net.outlet.bias", torch.zeros(3)),
    "a mean of another shape": tensor("denoiser.base.mean", torch.zeros(3)),
    "directions of another shape": tensor("denoiser.base.directions", torch.zeros(3, 2)),
    "variances of another shape": tensor("denoiser.base.variances", torch.zeros(5)),
    "a transform of another shape": lambda form, tensors: tensors.update(
        {"transform.0.mean": torch.zeros(3).double(), "transform.0.matrix": torch.eye(3).double()}
    ),
    "one weight too many": lambda form, tensors: tensors.update({"denoiser.net.x": torch.zeros(1)}),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_made_up_content_is_refused_before_anything_is_built(
    name: str, model: FittedScore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sound checksums do not help: what is asked for must be what the file holds."""
    model.save(tmp_path)
    rewrite(tmp_path, FORGERIES[name])
    built: list[str] = []
    real = saved.build_net

    def watched(*arguments: Any) -> nn.Module:
        built.append(torch.get_default_device().type)
        return real(*arguments)

    monkeypatch.setattr(saved, "build_net", watched)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CorruptCheckpoint, match="is damaged"):
            load(tmp_path)
    assert "cpu" not in built
