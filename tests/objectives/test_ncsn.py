"""The noise-conditional objective by hand; more in docs/contract.md."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.noise import EDM, VE, VP, Ladder, Process
from scorematching.objectives import LogNormalTimes, SigmaSquared, UniformTimes, dsm, ncsn
from scorematching.random import normal, seeded

X = normal((6, 3), torch.zeros(1, dtype=torch.float64), seeded("X"))
LADDER = Ladder((0.3, 1.0, 2.0))


@dataclass(frozen=True)
class Unit:
    """λ = 1, of a given shape."""

    shape: tuple[int, ...] = ()

    def __call__(self, process: Process, t: Tensor) -> Tensor:
        return torch.ones(self.shape, dtype=t.dtype)


@dataclass(frozen=True)
class Always:
    """One time for all rows."""

    t: float

    def __call__(
        self, process: Process, n: int, like: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        return torch.full((n,), self.t, dtype=like.dtype)


def test_at_one_level_it_is_the_weighted_denoising_loss() -> None:
    """EDM: σ = t, so that λ·dsm at σ = 0.7."""
    rows = ncsn(lambda x, t: -x.sin(), X, EDM(), None, seeded(0), times=Always(0.7))
    plain = dsm(lambda x: -x.sin(), X, 0.7, generator=seeded(0))
    torch.testing.assert_close(rows, 0.7**2 * plain)


def test_a_ladder_sums_the_weighted_losses_of_its_levels() -> None:
    rows = ncsn(lambda x, t: -x.sin(), X, LADDER, None, seeded(0), every_level=True)
    generator = seeded(0)
    parts = [s**2 * dsm(lambda x: -x.sin(), X, s, generator=generator) for s in LADDER.levels]
    torch.testing.assert_close(rows, sum(parts))


@pytest.mark.parametrize("process", [VE(), VP(), EDM(), LADDER])
def test_a_model_that_knows_the_noise_has_no_loss(process: Process) -> None:
    """(αx − x_t)/σ² with x known."""

    def score(noised: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = process.alpha(t)[:, None], process.sigma(t)[:, None]
        return (alpha * X - noised) / sigma**2

    assert ncsn(score, X, process, generator=seeded(1)).max() < 1e-20


def test_sigma_squared_is_the_default_weight() -> None:
    default = ncsn(lambda x, t: -x, X, VP(), generator=seeded(2))
    assert torch.equal(default, ncsn(lambda x, t: -x, X, VP(), SigmaSquared(), seeded(2)))
    assert not torch.equal(default, ncsn(lambda x, t: -x, X, VP(), Unit(), seeded(2)))


def test_times_are_uniform_by_default_and_levels_on_a_ladder() -> None:
    seen: list[Tensor] = []
    x = torch.zeros(3000, 1)
    score = lambda x, t: seen.append(t) or x  # noqa: E731
    ncsn(score, x, VP(t_min=0.2), generator=seeded(3))
    ncsn(score, x, LADDER, generator=seeded(3))
    ncsn(score, x, LADDER, generator=seeded(3), times=UniformTimes())
    assert seen[0].min() >= 0.2
    assert seen[0].mean().item() == pytest.approx(0.6, abs=4 * 0.8 / (12 * 3000) ** 0.5)
    assert set(seen[1].tolist()) == {0.0, 1.0, 2.0}
    assert len(set(seen[2].tolist())) > 2500


@pytest.mark.parametrize("shape", [(6, 1), (3,), (1, 6)])
def test_a_weight_that_is_not_one_number_per_row_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"one value per row, shape \(\) or \(6,\)"):
        ncsn(lambda x, t: -x, X, VP(), Unit(shape))


@pytest.mark.parametrize(
    ("process", "options"),
    [(VP(), {}), (EDM(), {}), (LADDER, {"times": LogNormalTimes()})],
)
def test_every_level_needs_a_ladder_and_no_times(
    process: Process, options: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput, match=r"levels of a Ladder and takes no times: got .*Use"):
        ncsn(lambda x, t: -x, X, process, every_level=True, **options)
