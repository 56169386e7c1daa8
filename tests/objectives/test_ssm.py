"""Sliced score matching by hand; more in docs/contract.md."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.objectives import ism, ssm
from scorematching.random import normal, seeded


@dataclass(frozen=True)
class Fixed:
    """The same direction for every row."""

    v: tuple[float, ...]

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return torch.tensor(self.v, dtype=x.dtype).expand(x.shape)


A = torch.tensor([[1.0, 2.0], [-1.0, 3.0]], dtype=torch.float64)
X = torch.tensor([[1.0, 1.0]], dtype=torch.float64)


def linear(x: Tensor) -> Tensor:
    return x @ A.T  # at (1, 1): (3, 2)


@pytest.mark.parametrize(("reduced", "expected"), [(False, 5 + 4**2 / 2), (True, 5 + 13 / 2)])
def test_the_loss_along_a_known_direction(reduced: bool, expected: float) -> None:
    """v = (2, −1): Av = (0, −5), vᵀAv = 5; s = (3, 2), vᵀs = 4, ‖s‖² = 13."""
    assert ssm(linear, X, 1, reduced, Fixed((2.0, -1.0))).item() == expected


def test_the_loss_is_averaged_over_directions() -> None:
    x = normal((6, 2), X, seeded("x"))
    for reduced in (True, False):
        together = ssm(linear, x, 3, reduced, generator=seeded("v"))
        generator = seeded("v")
        single = [ssm(linear, x, 1, reduced, generator=generator) for _ in range(3)]
        torch.testing.assert_close(together, torch.stack(single).mean(0))


def test_in_one_dimension_signs_make_it_the_implicit_loss() -> None:
    x = normal((20,), X, seeded("line"))
    for reduced in (True, False):
        torch.testing.assert_close(
            ssm(torch.sin, x, 1, reduced, generator=seeded(0)), ism(torch.sin, x)
        )


@pytest.mark.parametrize("reduced", [True, False])
@pytest.mark.parametrize("wrong", [0, -1, 1.5, True])
def test_a_number_of_directions_that_is_no_count_is_refused(wrong: object, reduced: bool) -> None:
    with pytest.raises(InvalidInput, match="n_probes must be an integer of at least 1"):
        ssm(linear, X, wrong, reduced)
