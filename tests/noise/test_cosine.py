"""The cosine process against its closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from scorematching.errors import InvalidInput
from scorematching.noise import Cosine

T = torch.linspace(1e-4, 0.995, 11, dtype=torch.float64)


def test_alpha_squared_is_that_of_the_paper() -> None:
    """ᾱ(t) = f(t)/f(0), f(t) = cos²(½π(t + s)/(1 + s)), s = 0.008."""
    for t in T.tolist():
        f = [math.cos(math.pi / 2 * (u + 0.008) / 1.008) ** 2 for u in (t, 0.0)]
        alpha = Cosine().alpha(torch.tensor(t, dtype=torch.float64)).item()
        assert alpha**2 == pytest.approx(f[0] / f[1], rel=1e-10)


@pytest.mark.parametrize("offset", [0.0, 0.008, 0.3])
def test_variance_is_preserved(offset: float) -> None:
    process = Cosine(offset)
    torch.testing.assert_close(process.alpha(T) ** 2 + process.sigma(T) ** 2, torch.ones_like(T))


def test_without_offset_it_is_cosine_and_sine() -> None:
    process, angle = Cosine(0.0), math.pi / 2 * T
    torch.testing.assert_close(process.alpha(T), angle.cos())
    torch.testing.assert_close(process.sigma(T), angle.sin())
    torch.testing.assert_close(process.drift_rate(T), -math.pi / 2 * angle.tan())
    torch.testing.assert_close(process.diffusion_squared(T), math.pi * angle.tan())
    torch.testing.assert_close(process.time_of(angle.tan()), T, rtol=1e-9, atol=1e-12)


def test_drift_and_diffusion_with_an_offset() -> None:
    """f = −q tan(q(t + s)), q = ½π/(1 + s), and g² = −2f of any process that keeps variance."""
    q = math.pi / 2 / 1.008
    expected = -q * torch.tan(q * (T + 0.008))
    torch.testing.assert_close(Cosine().drift_rate(T), expected)
    torch.testing.assert_close(Cosine().diffusion_squared(T), -2 * expected)


def test_neither_end_is_lost_in_single_precision() -> None:
    process = Cosine()
    for t in (1e-4, 0.3, 0.995):
        single, double = torch.tensor(t), torch.tensor(t).double()
        for function in (process.alpha, process.sigma):
            assert function(single).item() == pytest.approx(function(double).item(), rel=1e-6)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"offset": -0.1}, "offset must be zero or positive, and finite: got -0.1"),
        ({"offset": math.nan}, "got nan"),
        ({"t_min": 0.0}, "0 < t_min < 1: got t_min = 0.0"),
        ({"t_max": 1.0}, "t_max = 1.0. At t = 1 nothing is left"),
        ({"t_min": 0.6, "t_max": 0.5}, "t_min = 0.6, t_max = 0.5"),
    ],
)
def test_what_is_no_range_is_refused(options: dict[str, float], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        Cosine(**options)
