from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import scorematching as sm
from scorematching.errors import InvalidInput
from scorematching.estimation import (
    cross_validation,
    held_out_objective,
    hyvarinen_score,
    matching_loss,
    row_objectives,
)
from scorematching.random import normal, seeded

like = torch.zeros((), dtype=torch.float64)
NORMAL = sm.families.Gaussian(1)


def draws(n: int, d: int = 1) -> Tensor:
    return 2 + 1.5 * normal((n, d), like, seeded("selection", n, d))


def close(found: object, expected: object, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=1e-12)


def without_errors(family: object) -> object:
    return lambda rows: sm.estimate(family, rows, covariance=None)  # type: ignore[arg-type]


def test_the_hyvarinen_score_of_a_gaussian_is_its_closed_form() -> None:
    x = draws(20, 2)
    K = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    eta = torch.tensor([1.0, -1.0], dtype=torch.float64)
    family = sm.families.Gaussian(2)
    model = family.model(family.theta(K, eta))
    gap = x @ K - eta
    expected = -K.trace() + gap.square().sum(1) / 2
    close(hyvarinen_score(model, x), expected)
    close(hyvarinen_score(model.score, x), expected)


def test_the_hyvarinen_score_is_least_on_average_for_the_true_density() -> None:
    """E of it under N(0, 1) for N(0, 1/K) is −K + K²/2, whatever the constant of the density."""
    x = normal((4000, 1), like, seeded("proper"))
    precisions = [0.5, 0.9, 1.0, 1.1, 2.0]
    means = [hyvarinen_score(lambda x, k=k: -k * x, x).mean().item() for k in precisions]
    second = x.square().mean().item()
    for k, mean in zip(precisions, means, strict=True):
        assert mean == pytest.approx(-k + k**2 * second / 2, rel=1e-12)
    assert min(means) == means[2]


@pytest.mark.parametrize("weight", [sm.domains.MinPower(1, 3), sm.domains.Power(2)])
def test_the_loss_of_each_row_is_the_weighted_score_of_the_fitted_density(weight: object) -> None:
    x = draws(60, 2).abs()
    orthant = sm.domains.PositiveOrthant(2, weight=weight)  # type: ignore[arg-type]
    found = sm.estimate(sm.families.Gaussian(2), x, domain=orthant, covariance=None)
    K, eta = sm.families.Gaussian(2).matrices(found.theta)
    by_hand = matching_loss(lambda x: eta - x @ K, x, orthant)
    close(row_objectives(found, x), by_hand)
    assert held_out_objective(found, x) == pytest.approx(found.objective, rel=1e-12)
    assert held_out_objective(found, x[:7]) == pytest.approx(by_hand[:7].mean().item(), rel=1e-12)


def test_the_loss_in_other_coordinates_averages_to_the_objective() -> None:
    x = draws(50, 3).abs()
    x = x / x.sum(1, keepdim=True)
    for domain in (sm.domains.SqrtSimplex(3), sm.domains.LogRatioSimplex(3)):
        found = sm.estimate(sm.families.Dirichlet(3), x, domain=domain)
        assert row_objectives(found, x).mean().item() == pytest.approx(found.objective, rel=1e-10)
        assert held_out_objective(found, x) == pytest.approx(found.objective, rel=1e-10)


def test_a_density_that_is_not_linear_has_the_held_out_loss_of_its_closed_form() -> None:
    """−eᵗx²/2 has score −eᵗx."""

    def scale(x: Tensor, theta: Tensor) -> Tensor:
        return -theta[0].exp() * x[:, 0] ** 2 / 2

    x, new = draws(50), draws(31)
    where = sm.domains.Euclidean(1)
    found = sm.estimate(scale, x, domain=where, theta0=[0.0], covariance=None)
    k = 1 / x.square().mean()
    expected = -k + k**2 * new[:, 0].square() / 2
    close(row_objectives(found, new), expected, 1e-6)
    assert held_out_objective(found, new) == pytest.approx(expected.mean().item(), rel=1e-6)


def test_leaving_one_out_is_its_closed_form() -> None:
    """With the mean m and variance v (divisor n) of the others, −1/v + ½ (x − m)²/v²."""
    x = draws(12)
    found = cross_validation(without_errors(NORMAL), x, n_folds=12, seed=3)  # type: ignore[arg-type]
    column = x[:, 0].numpy()
    expected = []
    for i in range(12):
        others = np.delete(column, i)
        expected.append(
            -1 / others.var() + (column[i] - others.mean()) ** 2 / others.var() ** 2 / 2
        )
    close(found.losses, torch.tensor(expected, dtype=torch.float64), 1e-9)
    assert found.objective == pytest.approx(np.mean(expected), rel=1e-9)
    assert found.std_error == pytest.approx(np.std(expected, ddof=1) / 12**0.5, rel=1e-9)
    assert found.n_folds == 12


def test_folds_are_even_a_function_of_the_seed_and_keep_clusters_together() -> None:
    x = draws(23)
    estimator = without_errors(NORMAL)
    one = cross_validation(estimator, x, n_folds=4, seed=1)  # type: ignore[arg-type]
    again = cross_validation(estimator, x.numpy(), n_folds=4, seed=1)  # type: ignore[arg-type]
    other = cross_validation(estimator, x, n_folds=4, seed=2)  # type: ignore[arg-type]
    assert sorted(torch.bincount(one.folds).tolist()) == [5, 6, 6, 6]
    assert torch.equal(one.losses, again.losses)
    assert not torch.equal(one.folds, other.folds)
    weighted = (one.fold_objectives * torch.bincount(one.folds)).sum() / 23
    assert weighted.item() == pytest.approx(one.objective, rel=1e-12)
    labels = [f"site {i // 3}" for i in range(23)]
    kept = cross_validation(estimator, x, n_folds=4, clusters=labels)  # type: ignore[arg-type]
    for label in set(labels):
        mine = [k for k, each in zip(kept.folds.tolist(), labels, strict=True) if each == label]
        assert len(set(mine)) == 1


def test_cross_validation_prefers_the_family_that_the_rows_are_from() -> None:
    """Skewed rows: a Gaussian on the line against log-Gaussian would differ by measure; instead a
    truncated normal against one whose mode is held at zero, rows far from zero."""
    x = draws(200).abs() + 2
    where = sm.domains.PositiveOrthant(1)
    free = cross_validation(lambda r: sm.estimate(NORMAL, r, domain=where, covariance=None), x)
    held = cross_validation(
        lambda r: sm.estimate(NORMAL, r, domain=where, fixed={"eta[1]": 0.0}, covariance=None), x
    )
    assert torch.equal(free.folds, held.folds)
    assert free.objective < held.objective - 3 * (free.std_error + held.std_error) / 2


@pytest.mark.parametrize("n_folds", [1, 24, 2.5, True])
def test_an_impossible_number_of_folds_is_refused(n_folds: object) -> None:
    with pytest.raises(InvalidInput, match=r"n_folds must be an integer from 2 to .* 23"):
        cross_validation(without_errors(NORMAL), draws(23), n_folds=n_folds)  # type: ignore[arg-type]
