"""Products in 16 bits: which, how well it trains, what is kept in 32, and the loss scale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput
from scorematching.nets import GaussianBase, PreconditionedDenoiser
from scorematching.random import normal, seeded
from scorematching.storage import read_snapshot, unpack_tensors
from scorematching.training import Precision, TrainingSettings, train
from scorematching.training import precision as room
from scorematching.training.checkpoint import TENSORS
from scorematching.training.precision import FIRST_SCALE, check_precision, next_scale

HALVES = [Precision.BFLOAT16, Precision.FLOAT16]
SETTINGS = TrainingSettings(60, batch_size=32, warmup_steps=8, checkpoint_every=7)
X = normal((200, 4), torch.zeros(()), seeded("precision"))


def net() -> nn.Module:
    module = nn.Sequential(nn.Linear(4, 32), nn.SiLU(), nn.Linear(32, 1))
    with torch.no_grad():
        for number, each in enumerate(module.parameters()):
            each.copy_(0.4 * normal(tuple(each.shape), each, seeded("net", number)))
    return module


def regression(module: nn.Module, batch: tuple[Tensor, ...], g: torch.Generator) -> Tensor:
    (x,) = batch
    return 0.5 * (module(x) - x.sin().sum(1, keepdim=True)).square().sum(1)


def run(module: nn.Module, precision: Precision, **options: Any) -> list[Any]:
    settings = replace(SETTINGS, precision=precision)
    return list(train(module, options.pop("loss", regression), (X,), settings, **options))


@pytest.mark.parametrize("precision", HALVES)
def test_products_are_in_16_bits_and_weights_moments_and_losses_in_32(
    precision: Precision, tmp_path: Path
) -> None:
    module, seen = net(), []
    module[0].register_forward_hook(lambda layer, inputs, output: seen.append(output.dtype))
    run(module, precision, folder=tmp_path)
    assert set(seen) == {precision.dtype}
    states = unpack_tensors(read_snapshot(tmp_path).files[TENSORS])
    assert {str(each.dtype) for each in states.values()} <= {"torch.float32", "torch.int64"}


@pytest.mark.parametrize("precision", HALVES)
def test_it_trains_as_full_precision_does_up_to_the_rounding_of_products(
    precision: Precision,
) -> None:
    half, full = net(), net()
    rough, exact = (run(m, p)[-20:] for m, p in ((half, precision), (full, Precision.FULL)))
    # 60 steps of relative errors of 2^-8 (bfloat16) or 2^-11; measured gaps 0.004 and 0.0005.
    for a, b in zip(rough, exact, strict=True):
        assert a.loss == pytest.approx(b.loss, rel=0.05)
    assert not torch.equal(half[0].weight, full[0].weight)
    assert exact[-1].loss < 0.5 * regression(net(), (X,), seeded()).mean().item()


@pytest.mark.parametrize("precision", HALVES)
def test_a_resumed_run_is_the_run_never_stopped(precision: Precision, tmp_path: Path) -> None:
    straight, resumed = net(), net()
    run(straight, precision, loss=large)
    settings = replace(SETTINGS, precision=precision)
    stopped = train(net(), large, (X,), settings, folder=tmp_path)
    for record in stopped:
        if record.step == 30:
            stopped.close()
    rest = run(resumed, precision, loss=large, folder=tmp_path, resume=True)
    assert rest[0].step == 29
    assert all(map(torch.equal, straight.parameters(), resumed.parameters()))


def large(module: nn.Module, batch: tuple[Tensor, ...], g: torch.Generator) -> Tensor:
    """A loss whose gradients, times the first scale, are beyond float16 but not by themselves."""
    (x,) = batch
    return 32 * (module(x).float() - x.sum(1, keepdim=True)).square().sum(1)


def test_the_scale_falls_until_gradients_fit_and_no_batch_is_called_bad() -> None:
    module = net()
    records = run(module, Precision.FLOAT16, loss=large)
    lowered = [r for r in records if r.event and "overflowed 16 bits" in r.event]
    assert [r.step for r in lowered[:4]] == [1, 2, 3, 4]
    assert len(lowered) <= 10
    assert lowered[-1].event.endswith(f"lowered to {FIRST_SCALE / 2 ** len(lowered):g}")
    assert records[-1].skipped == len(lowered)
    assert records[-1].loss < records[0].loss / 2
    # The control: bfloat16 has the range of float32 and needs no scale.
    assert run(net(), Precision.BFLOAT16, loss=large)[-1].skipped == 0


def test_small_gradients_survive_in_float16_by_the_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs' gradients of about 1e-9 are below float16's smallest number, 6e-8."""

    def tiny(module: nn.Module, batch: tuple[Tensor, ...], g: torch.Generator) -> Tensor:
        return 1e-8 * regression(module, batch, g)

    records = run(net(), Precision.FLOAT16, loss=tiny)
    assert min(r.gradient_norm for r in records) > 0
    monkeypatch.setattr(room, "FIRST_SCALE", 1.0)
    assert max(r.gradient_norm for r in run(net(), Precision.FLOAT16, loss=tiny)) < 1e-10


def test_the_scale_doubles_after_two_thousand_good_steps_and_halves_down_to_one() -> None:
    assert next_scale(8.0, 1998, overflow=False) == (8.0, 1999)
    assert next_scale(8.0, 1999, overflow=False) == (16.0, 0)
    assert next_scale(8.0, 1999, overflow=True) == (4.0, 0)
    assert next_scale(1.0, 5, overflow=True) == (1.0, 0)


def test_a_gradient_that_overflows_at_scale_one_is_a_bad_batch() -> None:
    def hopeless(module: nn.Module, batch: tuple[Tensor, ...], g: torch.Generator) -> Tensor:
        return (module(batch[0]).sum(1) * 0.0).float().sqrt()

    settings = replace(SETTINGS, precision=Precision.FLOAT16, max_bad_batches=2)
    records = train(net(), hopeless, (X,), settings)
    with pytest.raises(Exception, match="2 batches in a row were not finite, up to step 18"):
        list(records)


def test_the_gaussian_base_is_computed_in_full() -> None:
    """At small σ an error of 2^-8 of x would be larger than the noise."""
    base = GaussianBase.fit(X)
    denoiser = PreconditionedDenoiser(lambda x, level: 0 * x, base)  # type: ignore[arg-type]
    sigma = torch.tensor(0.001)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        inside = denoiser(X, sigma)
        control = X @ base.directions
    with torch.no_grad():
        assert torch.equal(inside, denoiser(X, sigma))
        assert (control.float() - X @ base.directions).abs().max() > 1e-3


@pytest.mark.parametrize("precision", HALVES)
def test_what_is_not_possible_is_refused_with_what_would_work(
    precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput, match=r"has weights of torch.float64. Use precision 'full'"):
        check_precision(precision, net().double())
    message = f"precision {precision.value} is not possible on meta: .* There works full."
    with pytest.raises(InvalidInput, match=message):
        check_precision(precision, nn.Linear(2, 2, device="meta"))
    # A device that computes in bfloat16 what is asked for in float16.
    autocast = torch.autocast
    monkeypatch.setattr(torch, "autocast", lambda kind, dtype: autocast(kind, torch.bfloat16))
    if precision is Precision.FLOAT16:
        with pytest.raises(InvalidInput, match=r"come out as torch\.bfloat16"):
            run(net(), precision)


def test_a_precision_is_one_of_the_three() -> None:
    with pytest.raises(InvalidInput, match=r"one of Precision.FULL, .* got 'half'"):
        TrainingSettings(1, precision="half")  # type: ignore[arg-type]
