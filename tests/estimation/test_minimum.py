from __future__ import annotations

import numpy as np
import torch

import scorematching as sm
from estimation import by_hand
from scorematching.estimation.minimum import few_at_a_time
from scorematching.families import PairwiseInteraction

RIDGE = 0.3


def test_a_ridge_enters_the_curvature_and_the_gradients_are_centred() -> None:
    x = np.random.default_rng(1).gamma(1.5, 0.9, (60, 2)) + 0.02
    hand = by_hand.on_space(x, by_hand.pairwise(1.0, 1.0), by_hand.min_power(x))
    A = hand.A.mean(0) + RIDGE * np.eye(5)
    theta = -np.linalg.solve(A, hand.b.mean(0))
    gradients = hand.A @ theta + hand.b
    V = np.linalg.inv(A) @ np.cov(gradients.T) @ np.linalg.inv(A) / len(x)
    est = sm.estimate(PairwiseInteraction(2, 1, 1), x, ridge=RIDGE)
    np.testing.assert_allclose(est.theta, theta, rtol=1e-9)
    np.testing.assert_allclose(est.theta_covariance, V, rtol=1e-8)
    assert "a ridge shrinks" in est.notes[0]
    value = ((theta @ hand.A @ theta).mean() / 2 + (hand.b @ theta).mean()).item()
    assert abs(est.objective - value) < 1e-9  # the ridge's own part is not in it


def test_rows_are_cut_so_that_their_gradients_stay_few() -> None:
    x = torch.arange(10.0).reshape(5, 2)
    parts = list(few_at_a_time([x[:3], x[3:]], 2**19))
    assert [len(part) for part in parts] == [2, 1, 2]
    assert torch.equal(torch.cat(parts), x)
