"""The training objective and the validation, against closed forms on a Gaussian."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from scorematching.calculus import Exact
from scorematching.denoising import DenoisingLoss, FlowValidation, LevelLosses, spread_levels
from scorematching.densities import gaussian
from scorematching.likelihood import FixedProbes
from scorematching.nets import ConditionalBase, GaussianBase, PreconditionedDenoiser
from scorematching.noise import EDM
from scorematching.objectives import LogNormalTimes
from scorematching.random import normal, seeded
from scorematching.shapes import per_row

F64 = torch.float64
PROCESS = EDM(0.01, 20.0)
TIMES = LogNormalTimes(-1.2, 1.2)


class Affine(nn.Module):
    """F = a x + b, plus the class where there is one."""

    def __init__(self, a: float = 0.0, b: float = 0.0) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=F64))
        self.b = nn.Parameter(torch.tensor(b, dtype=F64))

    def forward(self, x: Tensor, log_sigma: Tensor, classes: Tensor | None = None) -> Tensor:
        shift = 0 * log_sigma if classes is None else classes.to(x)
        return self.a * x + self.b + per_row(shift, x)


def rows(n: int, *event: int) -> Tensor:
    generator = seeded("denoising", n, *event)
    d = math.prod(event)
    mixing = normal((d, d), torch.zeros((), dtype=F64), generator)
    return (2 + normal((n, d), mixing, generator) @ mixing).reshape(n, *event)


@pytest.mark.parametrize("event", [(), (3,), (1, 2, 2)])
@pytest.mark.parametrize("labelled", [False, True])
def test_the_loss_is_half_the_squared_error_of_the_net_a_coordinate(
    event: tuple[int, ...], labelled: bool
) -> None:
    x = rows(40, *event)
    base = GaussianBase.fit(x)
    denoiser = PreconditionedDenoiser(Affine(0.3, -0.2), base)
    classes = torch.arange(40) % 3
    batch = (x, classes) if labelled else (x,)
    loss = DenoisingLoss(PROCESS, TIMES)(denoiser, batch, seeded("draws"))

    generator = seeded("draws")
    t = TIMES(PROCESS, 40, x, generator)
    noised, _ = PROCESS.perturb(x, t, generator)
    target = (x - base(noised, t)) / per_row(base.residual_scale(t), x)
    inputs = (noised - base.mean) / per_row(base.noised_scale(t), x)
    output = 0.3 * inputs - 0.2 + (per_row(classes, x) if labelled else 0)
    expected = 0.5 * (output - target).square().reshape(40, -1).mean(1)
    torch.testing.assert_close(loss, expected, rtol=1e-7, atol=1e-9)


def test_on_gaussian_data_no_output_is_the_best_output() -> None:
    """The gradient at F = 0 vanishes in expectation; at F = 0.2 x + 0.2 it does not."""
    x = rows(20_000, 2)
    base = GaussianBase.fit(rows(20_000, 2))
    for a, best in ((0.0, True), (0.2, False)):
        net = Affine(a, a)
        losses = DenoisingLoss(PROCESS, TIMES)(
            PreconditionedDenoiser(net, base), (x,), seeded("argmin")
        )
        slopes = torch.autograd.grad(losses.mean(), [net.a, net.b])
        # dL/da of a row is of order one: its standard error is about 1/√(n d).
        bound = 5 / math.sqrt(2 * len(x))
        assert all((abs(s.item()) < bound) == best for s in slopes)


def test_the_objective_is_one_half_when_the_net_knows_nothing() -> None:
    """c_out is the spread of what the Gaussian misses, so E F*² = 1 a coordinate."""
    x = rows(20_000, 3)
    losses = DenoisingLoss(PROCESS, TIMES)(
        PreconditionedDenoiser(Affine(), GaussianBase.fit(x)), (x,), seeded("half")
    )
    assert abs(losses.mean().item() - 0.5) < 4 * losses.std().item() / len(x) ** 0.5


@pytest.mark.parametrize("trace", [Exact(), FixedProbes(64)], ids=["exact", "probes"])
def test_the_validation_is_minus_the_mean_log_density(trace: Exact | FixedProbes) -> None:
    x, held_out = rows(500, 2), rows(500, 2)[:50]
    base = GaussianBase.fit(x)
    denoiser = PreconditionedDenoiser(Affine(), base).eval()
    value = FlowValidation(PROCESS, trace, held_out)(denoiser)
    covariance = torch.cov(x.T, correction=0) + 0.01**2 * torch.eye(2, dtype=F64)
    truth = -gaussian(x.mean(0), covariance).log_density(held_out).mean().item()
    # Ten steps of Runge–Kutta; on a scale where dropping the Jacobian would cost whole nats.
    assert value == pytest.approx(truth, abs=0.05 if isinstance(trace, Exact) else 0.2)


def test_the_validation_is_of_the_density_given_the_classes() -> None:
    x = rows(200, 2)
    denoiser = PreconditionedDenoiser(Affine(), GaussianBase.fit(x)).eval()
    values = [
        FlowValidation(PROCESS, Exact(), x[:20], (torch.full((20,), c),))(denoiser) for c in (0, 1)
    ]
    assert abs(values[0] - values[1]) > 0.1
    unconditional = FlowValidation(PROCESS, Exact(), x[:20])(denoiser)
    assert unconditional == pytest.approx(values[0])


# ------------------------------------------------------------------------- the loss by noise level


@pytest.mark.parametrize(("shift", "excess"), [(0.0, 0.0), (0.6, 0.18)])
def test_the_loss_of_each_level_is_a_half_plus_half_the_squared_error(
    shift: float, excess: float
) -> None:
    """F* has mean 0 and mean square 1 at every level, on the rows that the base was fitted to."""
    x = rows(400, 3)
    denoiser = PreconditionedDenoiser(Affine(0.0, shift), GaussianBase.fit(x)).eval()
    losses = LevelLosses(PROCESS, x, (), spread_levels(PROCESS), draws=20)
    per_row = losses.per_row(denoiser)
    assert per_row.shape == (10, 400)
    # Rows differ by their place in the cloud, which is no noise here: the draws alone are.
    error = 4 * (per_row.std(1) / 400**0.5 + 1e-9)
    assert ((per_row.mean(1) - 0.5 - excess).abs() < error).all()
    assert abs(per_row.mean().item() - 0.5) > 0.1 or shift == 0


def test_the_loss_of_a_level_is_the_training_loss_there_with_noise_of_its_own_seed() -> None:
    x, classes = rows(30, 2), torch.arange(30) % 3
    base = GaussianBase.fit(x)
    denoiser = PreconditionedDenoiser(Affine(0.3, -0.2), base).eval()
    (low, found), _ = LevelLosses(PROCESS, x, (classes,), (0.5, 3.0), draws=1, seed=4)(denoiser)
    z = normal((30, 2), x, seeded(4, "level losses", 0))
    sigma = torch.tensor(0.5, dtype=F64)
    noised = x + sigma * z
    residual = (x - denoiser(noised, sigma, classes)) / base.residual_scale(sigma)
    assert low == 0.5
    assert found == pytest.approx(residual.square().mean().item() / 2, rel=1e-9)


def test_levels_are_spread_over_those_of_the_process_and_few_rows_are_drawn_often() -> None:
    levels = spread_levels(PROCESS)
    assert (levels[0], levels[-1], len(levels)) == (0.01, 20.0, 10)
    ratios = torch.tensor(levels[1:]) / torch.tensor(levels[:-1])
    torch.testing.assert_close(ratios, torch.full((9,), 2000 ** (1 / 9)), rtol=1e-5, atol=0)
    few = LevelLosses.of(PROCESS, (rows(10, 2), torch.zeros(10, dtype=torch.long)), seed=1)
    assert (few.draws, few.levels, few.seed) == (25, levels, 1)
    assert len(few.given) == 1
    assert LevelLosses.of(PROCESS, (rows(600, 2),), seed=1).draws == 1


class Zero(nn.Module):
    """F = 0, whatever the condition."""

    def forward(self, x: Tensor, log_sigma: Tensor, condition: Tensor) -> Tensor:
        return torch.zeros_like(x)


def test_rows_that_are_told_nothing_are_weighted_by_the_marginal_base() -> None:
    generator = seeded("told nothing")
    condition = normal((4000, 1), torch.zeros((), dtype=F64), generator)
    x = 3 * condition + 0.1 * normal((4000, 1), condition, generator)
    denoiser = PreconditionedDenoiser(Zero(), ConditionalBase.fit(x, condition), feed_base=False)
    for dropout in (0.0, 1.0):
        loss = DenoisingLoss(PROCESS, TIMES, condition_dropout=dropout)
        per_row_losses = loss(denoiser, (x, condition), seeded("draws"))
        error = per_row_losses.std() / 4000**0.5
        assert abs(per_row_losses.mean() - 0.5) < 4 * error  # a Gaussian leaves F* of unit variance
        assert error < 0.02
