from __future__ import annotations

import pytest
import torch

from families.moments import assert_moments
from scorematching.families.angular import sample_fisher_bingham
from scorematching.families.sphere_integral import sphere_integral


@pytest.mark.parametrize(
    ("eigenvalues", "linear"),
    [
        ((0.0, 0.0), (0.0, 0.0)),
        ((0.0, 0.0, 0.0), (0.0, 3.0, 0.0)),  # von Mises–Fisher
        ((50.0, 0.0, 0.0), (0.0, 0.0, 0.0)),  # bipolar
        ((-50.0, 0.0, 0.0), (0.0, 1.0, 0.0)),  # girdle
        ((20.0, -20.0, 5.0, 0.0, 1.0), (3.0, 3.0, 0.0, -6.0, 0.0)),
    ],
)
def test_draws_have_the_moments_of_the_integral(
    eigenvalues: tuple[float, ...], linear: tuple[float, ...], generator: torch.Generator
) -> None:
    matrix = torch.tensor(eigenvalues, dtype=torch.float64).diag()
    b = torch.tensor(linear, dtype=torch.float64)
    truth = sphere_integral(matrix, b)
    covariance = truth.second_moment - torch.outer(truth.mean, truth.mean)
    assert_moments(sample_fisher_bingham(matrix, b, 20_000, generator), truth.mean, covariance)


def test_the_bound_on_the_density_ratio_holds() -> None:
    # were a proposal accepted with a probability above one, its logarithm would be positive
    seen: list[float] = []
    original = torch.Tensor.__lt__

    def spy(self: torch.Tensor, other: object) -> torch.Tensor:
        if isinstance(other, torch.Tensor) and other.ndim == 1:
            seen.append(other.max().item())
        return original(self, other)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "__lt__", spy)
        matrix = torch.diag(torch.tensor([3.0, -8.0, 0.5], dtype=torch.float64))
        b = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
        sample_fisher_bingham(matrix, b, 5_000, torch.Generator().manual_seed(1))
    assert seen
    assert -0.1 < max(seen) <= 1e-12  # tight as well
