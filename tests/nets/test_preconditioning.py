"""The network around a Gaussian: its scales, and the weight under which F has unit weight."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput
from scorematching.nets import (
    Conditioned,
    GaussianBase,
    PreconditionedDenoiser,
    ResidualMLP,
    UNet,
    UnitOutputWeight,
)
from scorematching.noise import EDM, VE, VP, DenoiserScore, Process
from scorematching.objectives import EDMWeight, ncsn
from scorematching.random import forked, normal, seeded
from scorematching.shapes import per_row

F64 = torch.float64
PROCESSES = [EDM(0.01, 20.0), VE(0.1, 5.0), VP(t_min=0.02)]


def gaussian_rows(n: int, event: tuple[int, ...], *parts: str) -> Tensor:
    generator = seeded("preconditioning", *parts)
    d = torch.Size(event).numel()
    mixing = normal((d, d), torch.zeros((), dtype=F64), generator)
    return (1 + normal((n, d), mixing, generator) @ mixing).reshape(n, *event)


class Wave(nn.Module):
    """A net of known output: sin of x times ln σ, plus the class."""

    def forward(self, x: Tensor, log_sigma: Tensor, classes: Tensor | None = None) -> Tensor:
        shift = 0 * log_sigma if classes is None else classes.to(x)
        return torch.sin(x) * per_row(log_sigma, x) + per_row(shift, x)


@dataclass(frozen=True)
class Fixed:
    """Given times, in place of drawn ones."""

    t: Tensor

    def __call__(self, process: Process, n: int, like: Tensor, generator: object) -> Tensor:
        return self.t


@pytest.mark.parametrize("feed_base", [False, True])
def test_at_zero_output_the_denoiser_is_the_gaussian_one(feed_base: bool) -> None:
    x = gaussian_rows(50, (1, 8, 8))
    base = GaussianBase.fit(x)
    with forked("zero"):
        net = UNet(2, 1, (8,)) if feed_base else ResidualMLP(64, 16, 1)
    denoiser = PreconditionedDenoiser(net.double(), base, feed_base=feed_base)
    sigma = torch.linspace(0.02, 10, 50, dtype=F64)
    assert torch.equal(denoiser(x, sigma), base(x, sigma))


@pytest.mark.parametrize("event", [(), (3,), (2, 2), (1, 2, 2), (1, 2, 2, 1)])
def test_the_output_of_the_net_is_scaled_by_the_residual_scale(event: tuple[int, ...]) -> None:
    x = gaussian_rows(20, event)
    base = GaussianBase.fit(x)
    sigma = torch.linspace(0.05, 5, 20, dtype=F64)
    c = base.residual_scale(sigma)
    z = (x - base.mean) / per_row(base.noised_scale(sigma), x)
    expected = base(x, sigma) + per_row(c, x) * torch.sin(z) * per_row(sigma.log(), x)
    denoiser = PreconditionedDenoiser(Wave(), base)
    torch.testing.assert_close(denoiser(x, sigma), expected)
    torch.testing.assert_close(denoiser(x, sigma[3])[3], expected[3])
    classes = torch.arange(20)
    with_classes = expected + per_row(c * classes, x)
    torch.testing.assert_close(denoiser(x, sigma, classes), with_classes)
    torch.testing.assert_close(Conditioned(denoiser, (classes,))(x, sigma), with_classes)


def test_the_net_sees_unit_variance_at_every_level() -> None:
    """E‖input‖²/d = 1 exactly under the base's own Gaussian; 4 standard errors of 20,000 rows."""
    n = 20_000
    base = GaussianBase.fit(gaussian_rows(200, (3,)))
    seen: list[Tensor] = []

    class Spy(nn.Module):
        def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
            seen.append(x)
            return torch.zeros_like(x)

    generator = seeded("unit variance")
    for sigma in (0.05, 1.0, 20.0):
        x = base.draw(normal((n, 3), base.mean, generator), sigma)
        PreconditionedDenoiser(Spy(), base)(x, torch.tensor(sigma, dtype=F64))
        squares = seen[-1].square().mean(1)
        assert abs(squares.mean().item() - 1) < 4 * squares.std().item() / n**0.5


def test_the_fed_base_is_stacked_behind_the_input() -> None:
    x = gaussian_rows(6, (2, 3, 3))
    base = GaussianBase.fit(gaussian_rows(90, (2, 3, 3)))
    seen: list[Tensor] = []

    class Spy(nn.Module):
        def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
            seen.append(x)
            return torch.zeros_like(x[:, :2])

    sigma = torch.tensor(0.5, dtype=F64)
    PreconditionedDenoiser(Spy(), base, feed_base=True)(x, sigma)
    mean_variance = base.noised_scale(torch.zeros((), dtype=F64))
    expected = torch.cat(
        [(x - base.mean) / base.noised_scale(sigma), (base(x, sigma) - base.mean) / mean_variance],
        1,
    )
    torch.testing.assert_close(seen[0], expected)


@pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p).__name__)
def test_the_weight_makes_the_denoising_loss_the_squared_error_of_the_net(process: Process) -> None:
    """λ ½‖s + z/σ‖² = ½‖F − F*‖², F* = (x₀ − D_Gauss)/c_out, from the same draws."""
    x = gaussian_rows(30, (3,), "unit")
    base = GaussianBase.fit(x)
    denoiser = PreconditionedDenoiser(Wave(), base)
    t = torch.linspace(process.t_min, process.t_max, 30, dtype=F64)
    loss = ncsn(
        DenoiserScore(denoiser, process),
        x,
        process,
        UnitOutputWeight(base),
        seeded("unit"),
        times=Fixed(t),
    )
    noised, _ = process.perturb(x, t, seeded("unit"))
    level = process.noise_level(t)
    unscaled = noised / process.alpha(t)[:, None]
    target = (x - base(unscaled, level)) / base.residual_scale(level)[:, None]
    inputs = (unscaled - base.mean) / base.noised_scale(level)[:, None]
    output = Wave()(inputs, level.log())
    torch.testing.assert_close(loss, 0.5 * (output - target).square().sum(1), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p).__name__)
def test_for_white_data_the_weight_is_that_of_karras(process: Process) -> None:
    white = GaussianBase(
        torch.zeros(3, dtype=F64),
        torch.eye(3, dtype=F64),
        torch.ones(3, dtype=F64),
        torch.ones((), dtype=F64),
    )
    t = torch.linspace(process.t_min, process.t_max, 9, dtype=F64)
    ours, theirs = UnitOutputWeight(white)(process, t), EDMWeight(sigma_data=1.0)(process, t)
    torch.testing.assert_close(ours, theirs)
    assert not torch.allclose(ours, EDMWeight(sigma_data=0.5)(process, t))


def test_a_net_of_another_output_shape_is_refused_and_not_broadcast() -> None:
    class Column(nn.Module):
        def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
            return x[:, :1]

    x = gaussian_rows(10, (3,))
    denoiser = PreconditionedDenoiser(Column(), GaussianBase.fit(x))
    with pytest.raises(InvalidInput, match=r"the network must return .*\(10, 3\).*got \(10, 1\)"):
        denoiser(x, torch.tensor(1.0))
