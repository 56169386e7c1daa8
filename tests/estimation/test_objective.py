from __future__ import annotations

import pytest
import torch
from torch import Tensor

from scorematching.domains import AnyDomain, Euclidean, PositiveOrthant
from scorematching.estimation import objective
from scorematching.estimation.objective import Objective, row_gradients
from scorematching.families import ExponentialPower, Family, IndependentComponents, Weibull
from scorematching.random import normal, seeded

LIKE = torch.zeros((), dtype=torch.float64)


def rows(d: int, n: int = 30) -> Tensor:
    return normal((n, d), LIKE, seeded("objective", d)).abs() + 0.1


def numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


CASES: list[tuple[Family, AnyDomain, Tensor]] = [
    (Weibull(), Weibull().domain, numbers(1.7, 0.8)),
    (Weibull(), PositiveOrthant(1), numbers(2.2, 1.1)),
    (ExponentialPower(), ExponentialPower().domain, numbers(1.3, 1.6)),
    (IndependentComponents(2), Euclidean(2), numbers(1.0, 0.2, -0.3, 0.8)),
]


def same(theta: Tensor) -> Tensor:
    return theta


def slopes(function: object, theta: Tensor) -> Tensor:
    """Central differences of fourth order, ``(p, …)``."""
    each = []
    for h in torch.diag(1e-3 * theta.abs()):
        f = [function(theta + k * h) for k in (1, -1, 2, -2)]  # type: ignore[operator]
        each.append((8 * (f[0] - f[1]) - (f[2] - f[3])) / (12 * h.sum()))
    return torch.stack(each)


def test_the_loss_of_a_weibull_is_its_formula() -> None:
    x, (k, scale) = rows(1), (1.7, 0.8)
    t = x[:, 0] / scale
    s = ((k - 1) - k * t**k) / x[:, 0]
    slope = (-(k - 1) - k * (k - 1) * t**k) / x[:, 0] ** 2
    expected = x[:, 0] ** 2 * (s**2 / 2 + slope) + 2 * x[:, 0] * s
    found = Objective.of(Weibull(), Weibull().domain, x)
    torch.testing.assert_close(found.row_losses(numbers(k, scale)), expected)
    torch.testing.assert_close(found.value(numbers(k, scale)), expected.mean())


@pytest.mark.parametrize(("family", "domain", "theta"), CASES)
def test_derivatives_are_those_of_differences(
    family: Family, domain: AnyDomain, theta: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objective, "CELLS", 12)  # some portions
    x = rows(family.d)
    found = Objective.of(family, domain, x)
    assert len(found.portions) > 1
    value, gradient = found.value_and_gradient(theta, same)
    assert value == pytest.approx(found.value(theta).item(), rel=1e-13)
    torch.testing.assert_close(gradient, slopes(found.value, theta), rtol=1e-8, atol=1e-9)
    second = slopes(lambda at: found.value_and_gradient(at, same)[1], theta)
    torch.testing.assert_close(found.hessian(theta, same), second, rtol=1e-8, atol=1e-8)
    each = row_gradients(family, domain, x, theta)
    torch.testing.assert_close(each, slopes(found.row_losses, theta).mT, rtol=1e-7, atol=1e-7)


def test_counts_stand_for_repeated_rows() -> None:
    family, domain, theta = CASES[0]
    x, counts = rows(1, 6), torch.tensor([0, 2, 1, 3, 0, 1])
    counted = Objective.of(family, domain, x, counts)
    repeated = Objective.of(family, domain, x.repeat_interleave(counts, 0))
    assert counted.n == 7
    torch.testing.assert_close(counted.value(theta), repeated.value(theta))
