"""Guidance: a line through two scores, for denoisers as well, and no call that is not needed."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from samplers.closed_form import F64, GAUSSIAN, MEAN, MIXTURE
from scorematching.calculus import at
from scorematching.errors import InvalidInput
from scorematching.noise import EDM, DenoiserScore
from scorematching.random import normal, seeded
from scorematching.samplers import Guided, KarrasGrid, probability_flow

X = normal((5, 2), MEAN, seeded("x"))
T = torch.tensor(0.7, dtype=F64)


@pytest.mark.parametrize("scale", [-1.0, 0.0, 0.5, 1.0, 3.0])
def test_the_guided_score_is_that_of_the_sharpened_product(scale: float) -> None:
    """∇ log [p p(c | x)^w] with p(c | x) ∝ p(x | c)/p(x), two mixtures of one process."""
    process = EDM()
    given, plain = (each.noisy_score(process) for each in (MIXTURE, GAUSSIAN))
    x = X.clone().requires_grad_()
    alpha, sigma = torch.ones(5, dtype=F64), T.expand(5)
    logs = [each.diffused_log_density(x, alpha, sigma) for each in (MIXTURE, GAUSSIAN)]
    (expected,) = torch.autograd.grad((logs[1] + scale * (logs[0] - logs[1])).sum(), x)
    torch.testing.assert_close(Guided(given, plain, scale)(X, T), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(at(Guided(given, plain, scale), T)(X), expected)


def test_guided_denoisers_are_those_of_the_guided_scores() -> None:
    process = EDM()
    scores = Guided(MIXTURE.noisy_score(process), GAUSSIAN.noisy_score(process), 2.0)
    denoisers = DenoiserScore(Guided(MIXTURE.denoise, GAUSSIAN.denoise, 2.0), process)
    torch.testing.assert_close(denoisers(X, T), scores(X, T), rtol=1e-9, atol=1e-9)


def test_only_what_is_needed_is_called() -> None:
    calls: list[str] = []

    def named(name: str, value: float) -> object:
        def score(x: Tensor, t: Tensor) -> Tensor:
            calls.append(name)
            return torch.full_like(x, value)

        return score

    given, plain = named("given", 3.0), named("plain", 1.0)
    for scale, value, expected in (
        (1.0, 3.0, ["given"]),
        (0.0, 1.0, ["plain"]),
        (2.0, 5.0, ["plain", "given"]),
    ):
        calls.clear()
        guided = Guided(given, plain, scale)  # type: ignore[arg-type]
        assert guided(X, T).eq(value).all()
        assert calls == expected


def test_a_scale_of_one_samples_the_conditional_law_and_more_moves_beyond_it() -> None:
    process = EDM(0.02, 20.0)
    left, both = GAUSSIAN.noisy_score(process), MIXTURE.noisy_score(process)
    x = 20 * normal((200, 2), MEAN, seeded("start"))
    ends = [
        probability_flow(Guided(left, both, scale), process, x, KarrasGrid(10)).x
        for scale in (1.0, 1.5)
    ]
    torch.testing.assert_close(ends[0], probability_flow(left, process, x, KarrasGrid(10)).x)
    assert (ends[0] - ends[1]).abs().mean() > 0.05


def test_shapes_and_scales_that_cannot_be_are_refused() -> None:
    score = MIXTURE.noisy_score(EDM())
    with pytest.raises(InvalidInput, match="the guidance scale must be finite"):
        Guided(score, score, math.inf)
    with pytest.raises(InvalidInput, match="the unconditional score must return"):
        Guided(score, lambda x, t: x[:, :1], 2.0)(X, T)
