"""One step of AdamW against its formula, and a bad batch that leaves no trace."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput
from scorematching.random import normal, seeded
from scorematching.training import TrainingSettings, averaged_copy
from scorematching.training.run import Run
from scorematching.training.step import Outcome, adamw, take_step

ROWS = (normal((6, 3), torch.zeros((), dtype=torch.float64), seeded("step")),)
ALL = torch.arange(6)


def run_of(module: nn.Module, **changes: float) -> Run:
    settings = TrainingSettings(10, warmup_steps=0, **changes)  # type: ignore[arg-type]
    return Run(settings, module, averaged_copy(module, 10.0), adamw(module, settings))


def squares(module: nn.Module, batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
    return module(batch[0]).square().sum(1)


def linear() -> nn.Linear:
    module = nn.Linear(3, 2, dtype=torch.float64)
    with torch.no_grad():
        module.weight.copy_(torch.arange(1.0, 7.0).reshape(2, 3))
        module.bias.copy_(torch.tensor([-1.0, 2.0]))
    return module


def test_the_first_step_is_adamw_of_the_mean_loss() -> None:
    # θ ← (1 − ηλ) θ − η g/(|g| + ε): at the first step both moments are g's own.
    module, rate, decay = linear(), 0.01, 0.1
    weight, bias = module.weight.detach().clone(), module.bias.detach().clone()
    residual = ROWS[0] @ weight.T + bias
    dw, db = 2 * residual.T @ ROWS[0] / 6, 2 * residual.mean(0)
    outcome = take_step(
        run_of(module, learning_rate=rate, weight_decay=decay, clip_norm=1e9), squares, ROWS, ALL
    )
    assert outcome.loss == pytest.approx(float(residual.square().sum(1).mean()), rel=1e-12)
    assert outcome.gradient_norm == pytest.approx(float((dw**2).sum() + (db**2).sum()) ** 0.5)
    assert outcome.learning_rate == rate
    expected = (1 - rate * decay) * weight - rate * dw / (dw.abs() + 1e-8)
    torch.testing.assert_close(module.weight.detach(), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        module.bias.detach(), bias - rate * db / (db.abs() + 1e-8), rtol=0, atol=1e-12
    )


def test_vectors_do_not_decay_and_matrices_do() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Conv1d(1, 1, 3))
    decays = {
        id(each): group["weight_decay"]
        for group in adamw(module, TrainingSettings(1, weight_decay=0.3)).param_groups
        for each in group["params"]
    }
    for name, each in module.named_parameters():
        assert decays[id(each)] == (0.0 if each.ndim < 2 else 0.3), name


def test_a_long_gradient_is_clipped_and_recorded_unclipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = linear()
    run = run_of(module, clip_norm=0.5)
    norms = []
    step = run.optimizer.step

    def spy() -> None:
        norms.append(math.sqrt(sum(float(p.grad.square().sum()) for p in module.parameters())))
        step()

    monkeypatch.setattr(run.optimizer, "step", spy)
    assert take_step(run, squares, ROWS, ALL).gradient_norm > 10
    assert norms == [pytest.approx(0.5, rel=1e-5)]


def test_a_bad_batch_leaves_weights_moments_averages_and_running_statistics_alone() -> None:
    module = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)).double()
    run = run_of(module)
    bad = (ROWS[0].clone(),)
    bad[0][4, 1] = float("inf")
    assert take_step(run, squares, ROWS, ALL).problem is None

    def state() -> list[Tensor]:
        moments = [v for s in run.optimizer.state_dict()["state"].values() for v in s.values()]
        tensors = [*module.state_dict().values(), *run.averaged.state_dict().values(), *moments]
        return [each.clone() for each in tensors]

    before = state()
    outcome = take_step(run, squares, bad, ALL)
    assert outcome.problem is not None
    assert all(torch.equal(a, b) for a, b in zip(before, state(), strict=True))
    assert take_step(run, squares, ROWS, ALL).problem is None
    assert not all(torch.equal(a, b) for a, b in zip(before, state(), strict=True))


def test_the_rows_of_a_non_finite_loss_are_named_by_their_number_in_the_data() -> None:
    rows = (torch.cat([ROWS[0]] * 3),)
    rows[0][[7, 11]] = float("nan")
    some = torch.tensor([2, 11, 3, 7])
    outcome = take_step(run_of(linear()), squares, (rows[0][some],), some)
    assert outcome.problem == "the loss is not finite at 2 of 4 rows: 11, 7"
    assert math.isnan(outcome.loss)
    rows[0][:] = float("inf")
    problem = take_step(run_of(linear()), squares, rows, torch.arange(18)).problem
    assert problem == "the loss is not finite at 18 of 18 rows: 0, 1, 2, 3, 4, 5, 6, 7, …"


def test_a_non_finite_gradient_of_a_finite_loss_is_caught() -> None:
    def root_at_zero(module: nn.Module, batch: tuple[Tensor, ...], g: torch.Generator) -> Tensor:
        return (module(batch[0]).sum(1) * 0.0).sqrt()

    outcome = take_step(run_of(linear()), root_at_zero, ROWS, ALL)
    assert outcome.loss == 0.0
    assert outcome.problem == "the gradient is not finite, though every row's loss is"


def test_it_trains_in_training_mode_with_gradients_whatever_the_surroundings() -> None:
    module = nn.Sequential(nn.Dropout(0.5), linear()).eval()
    with torch.no_grad():
        assert isinstance(take_step(run_of(module), squares, ROWS, ALL), Outcome)
    assert module.training


def test_losses_that_are_reduced_or_detached_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"one number per row, shape \(6,\): got \(\)"):
        take_step(run_of(linear()), lambda m, b, g: squares(m, b, g).mean(), ROWS, ALL)
    with pytest.raises(InvalidInput, match="does not depend on any trainable"):
        take_step(run_of(linear()), lambda m, b, g: squares(m, b, g).detach(), ROWS, ALL)
    with pytest.raises(InvalidInput, match="no parameter that requires a gradient"):
        adamw(linear().requires_grad_(False), TrainingSettings(1))
