"""Denoising score matching by hand; more in docs/contract.md."""

from __future__ import annotations

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
