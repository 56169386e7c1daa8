from __future__ import annotations

import pytest
import torch
from scipy import stats

from families.cases import ETA3, K3, REAL3
from families.moments import assert_moments
from scorematching.errors import InvalidInput
from scorematching.families import GaussianDensity
from scorematching.families.normal import check_positive_definite


def test_the_density_is_that_of_scipy() -> None:
    model = GaussianDensity(K3, ETA3)
    covariance = torch.linalg.inv(K3)
    oracle = stats.multivariate_normal(covariance @ ETA3, covariance)
    torch.testing.assert_close(model.log_density(REAL3), torch.from_numpy(oracle.logpdf(REAL3)))
    torch.testing.assert_close(model.mean, covariance @ ETA3)
    torch.testing.assert_close(model.covariance, covariance)


def test_draws_have_the_mean_and_covariance(generator: torch.Generator) -> None:
    model = GaussianDensity(K3, ETA3)
    assert_moments(model.sample(50_000, generator), model.mean, model.covariance)


@pytest.mark.parametrize("smallest", [0.0, -1e-12, 1e-17])
def test_a_matrix_that_is_singular_to_rounding_is_refused(smallest: float) -> None:
    matrix = torch.diag(torch.tensor([smallest, 1.0, 3.0], dtype=torch.float64))
    with pytest.raises(InvalidInput, match="K must be positive definite"):
        check_positive_definite(matrix)
    check_positive_definite(matrix + 1e-6 * torch.eye(3))
