"""A model on disk: bit-equal on return, and nothing that is damaged or made up gets in."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

from fits import UNTRAINED, gaussian_rows, quick
from fixtures import make_model
from scorematching import saved
from scorematching.errors import CorruptCheckpoint, InvalidInput
from scorematching.fitted import FittedScore, load
from scorematching.nets import ResidualMLP
from scorematching.random import forked
from scorematching.storage import pack_tensors, unpack_tensors, write_snapshot

FIXTURES = Path(__file__).parent / "fixtures"


def own(width: int = 16) -> ResidualMLP:
    with forked("own", width):
        return ResidualMLP(2, width, 1, 0.0)


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "amount": rng.gamma(2.0, size=60),
            "count": rng.poisson(4, size=60),
            "kind": rng.choice(["a", "b"], size=60),
        }
    )


def pictures() -> Any:
    return np.random.default_rng(0).integers(0, 256, size=(70, 6, 6, 3), dtype=np.uint8)


MODELS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "table": (table, {"label": "kind", "positive": ["amount"]}),
    "numbers": (lambda: np.random.default_rng(0).gamma(2.0, size=60), {}),
    "tensor": (lambda: torch.from_numpy(gaussian_rows(60, 2).reshape(30, 2, 2)), {}),
    "members": (lambda: gaussian_rows(60, 2), {"settings": {"training": {"n_members": 2}}}),
    "pictures": (pictures, {}),
}


@pytest.fixture(scope="module")
def model() -> FittedScore:
    return quick(gaussian_rows(60, 2), 5)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_loaded_is_what_was_saved_to_the_bit(name: str, tmp_path: Path) -> None:
    rows, options = MODELS[name]
    fitted = quick(rows(), 5, **options)
    fitted.save(tmp_path)
    before = torch.random.get_rng_state()
    loaded = load(tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)
    ours, theirs = fitted.denoiser.state_dict(), loaded.denoiser.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[k], theirs[k]) for k in ours)
    for field in ("schema", "configuration", "reasons", "class_frequencies", "form"):
        assert getattr(loaded, field) == getattr(fitted, field)
    assert same(loaded.sample(20), fitted.sample(20))
    few = rows()[:3]
    assert same(loaded.log_density(few), fitted.log_density(few))
    assert not any(module.training for module in loaded.denoiser.modules())


def same(a: Any, b: Any) -> bool:
    assert type(a) is type(b)
    return bool(a.equals(b)) if isinstance(a, pd.DataFrame) else bool(np.array_equal(a, b))


def test_a_model_on_disk_is_json_and_safetensors(model: FittedScore, tmp_path: Path) -> None:
    model.save(tmp_path / "in a folder — ü\n")
    (path,) = (tmp_path / "in a folder — ü\n" / "model").glob("model*")
    assert {p.name for p in path.iterdir()} == {
        "manifest.json",
        "model.json",
        "weights.safetensors",
    }
    form = json.loads((path / "model.json").read_text("utf-8"))
    assert form["format_version"] == saved.FORMAT_VERSION
    assert form["configuration"]["net"]["type"] == "ResidualMLP"
    assert load(tmp_path / "in a folder — ü\n").reasons == model.reasons


def test_a_folder_of_an_older_version_is_read_and_gives_the_same() -> None:
    """Up to what another processor or library rounds."""
    for version in range(1, saved.FORMAT_VERSION + 1):
        folder = FIXTURES / f"model_v{version}"
        expected = json.loads((folder / "expected.json").read_text("utf-8"))
        fitted = load(folder)
        few = make_model.rows().slice(0, 5)
        np.testing.assert_allclose(fitted.log_density(few), expected["log_density"], atol=1e-3)
        np.testing.assert_allclose(fitted.score(few, 0.5), expected["score"], rtol=1e-3, atol=1e-4)
        samples = fitted.sample(5, seed=3)
        assert isinstance(samples, pa.Table)
        assert samples["kind"].to_pylist() == expected["sample"]["kind"]
        for name in ("plain", "amount"):
            np.testing.assert_allclose(samples[name], expected["sample"][name], rtol=1e-3)


# ------------------------------------------------------------------------------- ones own nets


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
        return self.layer(torch.cat([x, log_sigma[:, None]], 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_module_of_ones_own_gets_its_weights_back(dtype: torch.dtype, tmp_path: Path) -> None:
    with forked("line"):
        trained, fresh = Line().to(dtype), Line()
    fitted = quick(gaussian_rows(60, 2), 5, net=trained)
    fitted.save(tmp_path)
    with pytest.raises(InvalidInput, match="network of its own, Line: pass it as net="):
        load(tmp_path)
    loaded = load(tmp_path, net=fresh)
    assert loaded.denoiser.net is fresh
    assert fresh.layer.weight.dtype == dtype
    assert np.array_equal(loaded.sample(9), fitted.sample(9))
    for wrong in (own(), nn.Linear(3, 2), nn.Sequential()):
        with pytest.raises(InvalidInput, match="do not fit the net that was given: "):
            load(tmp_path, net=wrong)


def test_a_net_may_be_given_for_a_model_of_ours_too(model: FittedScore, tmp_path: Path) -> None:
    model.save(tmp_path)
    assert np.array_equal(load(tmp_path, net=ResidualMLP(2, 32, 1)).sample(9), model.sample(9))
    with pytest.raises(InvalidInput, match="do not fit the net"):
        load(tmp_path, net=own())


# ------------------------------------------------------------------------------- damage


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


# ------------------------------------------------------------------------------- saving again


def test_saving_again_keeps_the_model_before_and_no_more(
    model: FittedScore, tmp_path: Path
) -> None:
    for _ in range(5):
        model.save(tmp_path)
    assert len(list((tmp_path / "model").glob("model*"))) == 2
    assert np.array_equal(load(tmp_path).sample(3), model.sample(3))


def test_a_folder_that_cannot_be_written_says_so(model: FittedScore, tmp_path: Path) -> None:
    (tmp_path / "model").write_text("a file")
    with pytest.raises(InvalidInput, match="is a file: expected a folder"):
        model.save(tmp_path)
    (tmp_path / "file").write_text("a file")
    with pytest.raises(OSError, match="could not save"):
        model.save(tmp_path / "file" / "inside")
