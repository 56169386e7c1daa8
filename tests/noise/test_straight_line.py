"""The straight line against its closed forms, and flow matching as a weighted denoising loss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from claims.truths import GAUSSIAN, MIXTURE
from scorematching.errors import InvalidInput
from scorematching.noise import ScoreVelocity, StraightLine, VelocityScore, velocity_from_score
from scorematching.objectives import UniformTimes, ncsn
from scorematching.objectives.weights import FlowMatching
from scorematching.random import normal, seeded

T = torch.linspace(0.01, 0.99, 9, dtype=torch.float64)
LINE = StraightLine()


def test_the_path_is_a_straight_line() -> None:
    torch.testing.assert_close(LINE.alpha(T), 1 - T)
    torch.testing.assert_close(LINE.sigma(T), T)
    torch.testing.assert_close(LINE.drift_rate(T), -1 / (1 - T))
    torch.testing.assert_close(LINE.diffusion_squared(T), 2 * T / (1 - T))
    torch.testing.assert_close(LINE.time_of(T / (1 - T)), T)


def test_its_velocity_is_noise_minus_data() -> None:
    x, z = (normal((9, 2), T, seeded(k)) for k in "xz")
    torch.testing.assert_close(LINE.path_velocity(x, z, T), z - x)


def test_the_velocity_of_the_flow_of_a_gaussian() -> None:
    """x_t and z − x are jointly normal: E[z − x | x_t] by their covariance t I − (1 − t) C."""
    t = torch.tensor(0.3, dtype=torch.float64)
    x = normal((5, 3), T, seeded("rows"))
    mean, c, identity = GAUSSIAN.mean, GAUSSIAN.covariance, torch.eye(3, dtype=T.dtype)
    noised = GAUSSIAN.noised(0.3, 0.7)
    gain = (0.3 * identity - 0.7 * c) @ torch.linalg.inv(noised.covariance)
    expected = -mean + (x - noised.mean) @ gain.T
    torch.testing.assert_close(velocity_from_score(noised.score(x), x, LINE, t), expected)


def test_flow_matching_is_the_denoising_loss_with_its_weight() -> None:
    """½‖u_θ(x_t, t) − (z − x)‖² in every row, u_θ the velocity of a wrong score."""
    x = MIXTURE.sample(50, seeded("rows"))
    asked: list[tuple[Tensor, Tensor]] = []

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        asked.append((x, t))
        return torch.sin(x) - t[:, None]

    score, times = VelocityScore(velocity, LINE), UniformTimes()
    rows = ncsn(score, x, LINE, FlowMatching(), seeded("loss"), times=times)
    ((noised, t),) = asked
    z = (noised - (1 - t[:, None]) * x) / t[:, None]
    expected = ((torch.sin(noised) - t[:, None] - (z - x)) ** 2).sum(1) / 2
    torch.testing.assert_close(rows, expected)
    torch.testing.assert_close(ScoreVelocity(score, LINE)(noised, t), velocity(noised, t))


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.9), (0.1, 1.0), (0.5, 0.5), (float("nan"), 0.9)])
def test_what_is_no_range_is_refused(low: float, high: float) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        StraightLine(low, high)
