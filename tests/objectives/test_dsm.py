"""Denoising score matching by hand; more in docs/contract.md."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.noise import GaussianKernel, LaplaceKernel
from scorematching.objectives import dsm
from scorematching.random import normal, seeded

X = torch.tensor([[1.0, 2.0], [0.0, -1.0]], dtype=torch.float64)


@dataclass(frozen=True)
class Shift:
    """A kernel whose only draw is x + 1 and whose score there is 3."""

    def sample(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return x + 1

    def score(self, noised: Tensor, x: Tensor) -> Tensor:
        return 3 * (noised - x)


def test_any_kernel_with_a_score_will_do() -> None:
    """½‖−x̃ − 3‖² at x̃ = x + 1."""
    rows = dsm(lambda x: -x, X, kernel=Shift(), n_noise=2)
    assert rows.tolist() == [(25 + 36) / 2, (16 + 9) / 2]


def test_sigma_is_the_gaussian_kernel() -> None:
    by_sigma = dsm(torch.sin, X, 0.3, 2, seeded(0))
    by_kernel = dsm(torch.sin, X, None, 2, seeded(0), kernel=GaussianKernel(0.3))
    assert torch.equal(by_sigma, by_kernel)


def test_a_model_that_knows_the_noise_has_no_loss() -> None:
    """(x − x̃)/σ² with x known: the target and its sign, not those of the noise."""
    for sigma in (0.01, 1.0, 50.0):
        rows = dsm(lambda noised, s=sigma: (X - noised) / s**2, X, sigma, generator=seeded(1))
        assert rows.max() == 0


def test_the_loss_is_averaged_over_draws() -> None:
    x = normal((6, 2), X, seeded("x"))
    together = dsm(torch.sin, x, 0.5, 3, seeded("z"))
    generator = seeded("z")
    single = [dsm(torch.sin, x, 0.5, 1, generator) for _ in range(3)]
    torch.testing.assert_close(together, torch.stack(single).mean(0))


def test_each_row_may_have_its_own_sigma() -> None:
    sigma = torch.tensor([0.1, 2.0], dtype=torch.float64)
    rows = dsm(torch.sin, X, sigma, generator=seeded(0))
    for i in range(2):
        assert rows[i] == dsm(torch.sin, X, sigma[i], generator=seeded(0))[i]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "sigma or kernel: got neither"),
        ({"sigma": 0.1, "kernel": LaplaceKernel(0.1)}, "sigma or kernel: got both"),
        ({"sigma": -0.5}, r"sigma must be positive and finite: got -0\.5"),
        ({"sigma": torch.tensor([0.5, 0.0])}, r"got 0 \(row 1\)"),
        ({"sigma": torch.ones(3)}, r"shape \(\) or \(2,\)"),
        ({"sigma": 0.1, "n_noise": 0}, "n_noise must be an integer of at least 1"),
    ],
)
def test_options_that_clash_or_make_no_sense_are_refused(
    options: dict[str, object], complaint: str
) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        dsm(lambda x: x, X, **options)


def test_the_control_variate_by_hand() -> None:
    """Shift: k = 3, x̃ = x + 1; s = −x: ½‖x̃‖² − kᵀ(s(x̃) − s(x)) + ½‖k‖² = ½‖x̃‖² + 6 + 9."""
    rows = dsm(lambda x: -x, X, kernel=Shift(), n_noise=2, control_variate=True)
    assert rows.tolist() == [6.5 + 15, 0.5 + 15]


def test_the_control_variate_keeps_the_gradient_of_little_noise_small() -> None:
    """Its spread over noise, at σ = 1e-3, is that at σ = 0; without it is 1/σ times as large."""
    x = normal((1, 3), X, seeded("row")).expand(4000, 3)
    spreads = []
    for control in (False, True):
        a = torch.ones(len(x), 1, dtype=X.dtype, requires_grad=True)
        rows = dsm(lambda x, a=a: -a * x, x, 1e-3, 1, seeded("z"), control_variate=control)
        (slopes,) = torch.autograd.grad(rows.sum(), a)
        spreads.append(slopes.std().item())
    # d/da of ½a²‖x‖² − a‖z‖² and of − a xᵀz/σ, with Var ‖z‖² = 2d and Var xᵀz = ‖x‖².
    assert spreads[1] == pytest.approx(math.sqrt(6), rel=0.1)
    assert spreads[0] == pytest.approx(x[0].norm().item() / 1e-3, rel=0.1)


def test_the_control_variate_leaves_the_mean_of_the_constant() -> None:
    """A constant score c: ½‖c‖² + d/(2σ²) whatever the noise, one σ per row."""
    sigma = torch.tensor([0.1, 2.0], dtype=torch.float64)
    rows = dsm(lambda x: 0 * x + 3, X, sigma, 2, seeded(0), control_variate=True)
    torch.testing.assert_close(rows, 9 + 1 / sigma**2)
