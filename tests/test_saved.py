"""A model on disk: bit-equal on return, for every form and for nets of the user's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

from fits import gaussian_rows, quick
from fixtures import make_model
from scorematching import saved
from scorematching.errors import InvalidInput
from scorematching.fitted import FittedScore, load
from scorematching.nets import ResidualMLP
from scorematching.random import forked

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
