"""Denoising autoencoders as denoising score matching; more in docs/contract.md."""

from __future__ import annotations

import pytest
import torch

from scorematching.errors import InvalidInput
from scorematching.objectives import ReconstructionScore, ScoreReconstruction, dae
from scorematching.random import normal, seeded

X = torch.tensor([[1.0, 2.0], [0.0, -1.0]], dtype=torch.float64)


def test_the_loss_is_half_the_squared_distance_to_the_clean_row() -> None:
    assert dae(lambda noised: X + 2, X, 0.5, 3).tolist() == [4.0, 4.0]
    assert dae(lambda noised: 0 * noised, X, 0.5).tolist() == [2.5, 0.5]


def test_what_is_reconstructed_is_noised() -> None:
    """r(x̃) = x̃: ½σ²‖z‖², one σ per row."""
    x = torch.zeros(20_000, 2, dtype=torch.float64)
    sigma = torch.cat([torch.full((10_000,), 0.1), torch.full((10_000,), 2.0)]).double()
    rows = dae(lambda noised: noised, x, sigma, generator=seeded(0))
    for half, scale in zip(rows.chunk(2), (0.1, 2.0), strict=True):
        assert abs(half.mean() - scale**2) < 4 * half.std() / 100


def test_the_score_of_a_reconstruction_and_back() -> None:
    """r = x/2, σ = 0.5: s = −½x/0.25 = −2x, and x + σ²s = x/2."""
    score = ReconstructionScore(lambda x: x / 2, 0.5)
    assert torch.equal(score(X), -2 * X)
    assert torch.equal(ScoreReconstruction(score, 0.5)(X), X / 2)
    per_row = ReconstructionScore(lambda x: x / 2, torch.tensor([0.5, 1.0]))
    assert torch.equal(per_row(X), X * torch.tensor([[-2.0], [-0.5]]))


def test_the_loss_is_averaged_over_draws() -> None:
    x = normal((6, 2), X, seeded("x"))
    together = dae(torch.sin, x, 0.5, 3, seeded("z"))
    generator = seeded("z")
    single = [dae(torch.sin, x, 0.5, 1, generator) for _ in range(3)]
    torch.testing.assert_close(together, torch.stack(single).mean(0))


def test_a_reconstruction_of_another_shape_is_refused() -> None:
    for call in (
        lambda: dae(lambda x: x.sum(1), X, 0.5),
        lambda: ReconstructionScore(lambda x: x.sum(1), 0.5)(X),
    ):
        with pytest.raises(InvalidInput, match=r"a reconstruction must .* shaped like x, \(2, 2\)"):
            call()
    with pytest.raises(InvalidInput, match="sigma must be positive and finite: got 0"):
        dae(torch.sin, X, 0.0)
