from __future__ import annotations

import pytest
import torch
from torch import Tensor

from scorematching.calculus import score_of
from scorematching.domains import AnyDomain, Euclidean, PositiveOrthant, Power, SqrtSimplex
from scorematching.errors import InvalidInput
from scorematching.estimation import Quadratic, matching_loss, quadratic
from scorematching.families import (
    Dirichlet,
    Gaussian,
    LinearFamily,
    PairwiseInteraction,
    VonMisesFisher,
)
from scorematching.random import normal, seeded, uniform

LIKE = torch.zeros((), dtype=torch.float64)


def positive(n: int = 40, d: int = 3) -> Tensor:
    return 0.05 + uniform((n, d), LIKE, seeded("quadratic", d))


def compositions() -> Tensor:
    return positive() / positive().sum(1, keepdim=True)


CASES = [
    (Gaussian(3), Euclidean(3), positive()),
    (PairwiseInteraction(3, 0.5, 0.5), PositiveOrthant(3), positive()),
    (PairwiseInteraction(6, 0.5, 0.5), PositiveOrthant(6), positive(d=6)),
    (VonMisesFisher(3), VonMisesFisher(3).domain, positive() / positive().norm(dim=1)[:, None]),
]


@pytest.mark.parametrize(("family", "domain", "x"), CASES)
def test_the_form_is_the_mean_loss_of_the_score(
    family: LinearFamily, domain: AnyDomain, x: Tensor
) -> None:
    form = Quadratic.of(family, domain).update(x).finalize()
    theta = normal((len(family.names),), LIKE, seeded("theta"))

    def log_density(x: Tensor) -> Tensor:
        return family.statistics(x) @ theta + family.base(x)

    loss = matching_loss(score_of(log_density), x, domain)  # type: ignore[arg-type]
    torch.testing.assert_close(form(theta), loss.mean(), rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(form.A, form.A.mT, rtol=1e-13, atol=1e-13)


def test_a_base_enters_the_linear_term_and_the_constant() -> None:
    # On the root simplex Σ log zⱼ is the base: Dirichlet β there is matched as 2β + 1.
    x = compositions()
    form = Quadratic.of(Dirichlet(3), SqrtSimplex(3)).update(x).finalize()
    at_half = torch.full((3,), -0.5, dtype=torch.float64)  # log p_z constant: no score, no loss
    assert abs(form(at_half).item()) < 1e-12
    assert form.gradient(at_half).abs().max() > 1e-3


@pytest.mark.parametrize(("family", "domain", "x"), CASES)
def test_row_gradients_average_to_the_gradient_and_differ(
    family: LinearFamily, domain: AnyDomain, x: Tensor
) -> None:
    statistic = Quadratic.of(family, domain).update(x)
    theta = normal((len(family.names),), LIKE, seeded("theta"))
    gradients = statistic.row_gradients(x, theta)
    torch.testing.assert_close(gradients.mean(0), statistic.finalize().gradient(theta))
    one = Quadratic.of(family, domain).update(x[3:4]).finalize().gradient(theta)
    torch.testing.assert_close(gradients[3], one)


def test_portions_merge_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    family, domain, x = CASES[2]
    whole = Quadratic.of(family, domain).update(x).finalize()
    monkeypatch.setattr(quadratic, "CELLS", 500)  # a few rows at a time
    empty = Quadratic.of(family, domain)
    parts = empty.update(x[:7]).merge(empty.update(x[7:19])).update(x[19:]).finalize()
    assert parts.n == whole.n == 40
    torch.testing.assert_close(parts.A, whole.A, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(parts.b, whole.b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("family", "domain", "x"), CASES)
def test_resampled_forms_are_those_of_repeated_rows(
    family: LinearFamily, domain: AnyDomain, x: Tensor
) -> None:
    counts = torch.arange(2 * len(x)).reshape(2, len(x)) % 3
    empty = Quadratic.of(family, domain)
    for form, often in zip(empty.resampled(x, counts.double()), counts, strict=True):
        expected = empty.update(x.repeat_interleave(often, 0)).finalize()
        assert form.n == expected.n
        torch.testing.assert_close(form.A, expected.A, rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(form.b, expected.b, rtol=1e-11, atol=1e-12)


def test_rows_without_a_finite_loss_and_no_rows_are_refused() -> None:
    x = positive()
    x[11, 2] = 0.0  # the score of a = ½ is infinite there, and w s² is 0 · ∞
    empty = Quadratic.of(PairwiseInteraction(3, 0.5, 0.5), PositiveOrthant(3, weight=Power(1)))
    with pytest.raises(InvalidInput, match=r"row 11 is not finite.*on the boundary"):
        empty.update(x)
    with pytest.raises(InvalidInput, match="no rows"):
        empty.finalize()
