from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import scorematching as sm
from scorematching.errors import InvalidInput, NotIdentified
from scorematching.estimation import Bootstrap, ClusterRobust, Sandwich
from scorematching.estimation.covariance import cluster_codes
from scorematching.families import Gaussian, VonMisesFisher
from scorematching.random import normal, seeded

LIKE = torch.zeros((), dtype=torch.float64)
FAMILY = VonMisesFisher(3)


def directions(n: int = 120) -> Tensor:
    x = normal((n, 3), LIKE, seeded("directions")) + 1.0
    return x / x.norm(dim=1, keepdim=True)


def by_hand(x: Tensor, labels: Tensor | None = None) -> Tensor:
    """H⁻¹ΣH⁻¹/n with A = I − mean xxᵀ and gᵢ = (I − xxᵀ)θ̂ − 2x (Mardia, Kent & Laha 2016)."""
    n = len(x)
    A = torch.eye(3).double() - x.mT @ x / n
    theta = torch.linalg.solve(A, 2 * x.mean(0))
    g = theta - x * (x @ theta)[:, None] - 2 * x
    inverse = torch.linalg.inv(A)
    if labels is None:
        return inverse @ torch.cov(g.mT) @ inverse / n
    sums = torch.stack([g[labels == each].sum(0) for each in labels.unique()])
    count = len(sums)
    return inverse @ (count / (count - 1) * sums.mT @ sums / n) @ inverse / n


def test_the_sandwich_has_divisor_n_less_one() -> None:
    x = directions()
    est = sm.estimate(FAMILY, x)
    torch.testing.assert_close(est.theta_covariance, by_hand(x), rtol=1e-11, atol=0)
    assert "divisor n − 1" in est.convention


def test_clusters_sum_their_gradients_first() -> None:
    x, labels = directions(), torch.arange(120) % 17
    est = sm.estimate(FAMILY, x, covariance=ClusterRobust(labels))
    torch.testing.assert_close(est.theta_covariance, by_hand(x, labels), rtol=1e-11, atol=0)
    assert "17 clusters" in est.convention


def test_rows_that_were_written_twice_count_once_as_clusters() -> None:
    x = directions()
    words = np.repeat([f"person {k}" for k in range(len(x))], 2)
    twice = sm.estimate(FAMILY, x.repeat_interleave(2, 0), covariance=ClusterRobust(words))
    once = sm.estimate(FAMILY, x)
    torch.testing.assert_close(twice.std_errors, once.std_errors, rtol=1e-11, atol=0)
    naive = sm.estimate(FAMILY, x.repeat_interleave(2, 0))
    assert (naive.std_errors < 0.72 * once.std_errors).all()


def test_the_bootstrap_is_the_spread_of_estimates_of_resampled_rows() -> None:
    x = directions(30)
    est = sm.estimate(FAMILY, x, covariance=Bootstrap(70, seed=5))
    again = sm.estimate(FAMILY, x, covariance=Bootstrap(70, seed=5))
    other = sm.estimate(FAMILY, x, covariance=Bootstrap(70, seed=6))
    assert est.uncertainty is not None
    draws = est.uncertainty.draws
    assert draws is not None
    assert torch.equal(est.theta_covariance, again.theta_covariance)
    assert not torch.equal(est.theta_covariance, other.theta_covariance)
    torch.testing.assert_close(est.theta_covariance, torch.cov(draws.mT))
    # A draw by hand: the rows of the same generator, one estimate.
    picked = torch.randint(30, (30,), generator=seeded(5, "bootstrap", 66))
    expected = sm.estimate(FAMILY, x[picked], covariance=None).theta
    torch.testing.assert_close(draws[66], expected, rtol=1e-10, atol=0)


def test_whole_clusters_are_drawn_where_they_are_named() -> None:
    x, labels = directions(60), torch.arange(60) // 2
    rows = x.clone()
    rows[1::2] = rows[::2]
    est = sm.estimate(FAMILY, rows, covariance=Bootstrap(300, seed=2, clusters=labels))
    robust = sm.estimate(FAMILY, rows, covariance=ClusterRobust(labels))
    torch.testing.assert_close(est.std_errors, robust.std_errors, rtol=5 / 600**0.5, atol=0)
    assert "30 clusters" in est.convention


@pytest.mark.parametrize(
    ("covariance", "complaint"),
    [
        (ClusterRobust(torch.zeros(120)), "at least two clusters: got 1"),
        (ClusterRobust(torch.arange(119)), "one cluster label a row, 120: got 119"),
        (ClusterRobust(torch.arange(121)), "one cluster label a row, 120: got 121"),
        (ClusterRobust(torch.zeros(120, 2)), r"\(n,\): got shape \(120, 2\)"),
        (Bootstrap(5, clusters=torch.arange(7)), "one cluster label a row, 120: got 7"),
    ],
)
def test_labels_must_be_one_a_row(covariance: ClusterRobust | Bootstrap, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        sm.estimate(FAMILY, directions(), covariance=covariance)


@pytest.mark.parametrize("n_draws", [1, 0, 2.5, True])
def test_a_bootstrap_needs_two_draws(n_draws: int) -> None:
    with pytest.raises(InvalidInput, match="integer of at least 2"):
        Bootstrap(n_draws)


def test_a_resample_that_determines_nothing_says_which_draws_and_what_to_use() -> None:
    three = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)  # one draw in nine is a point
    with pytest.raises(NotIdentified, match=r"draws 0 to 63.*Sandwich"):
        sm.estimate(Gaussian(1), three, covariance=Bootstrap(64))


def test_labels_become_numbers_in_order() -> None:
    codes, count = cluster_codes(["b", "a", "b", "c"])
    assert (codes.tolist(), count) == ([1, 0, 1, 2], 3)
    assert Sandwich() == Sandwich()
