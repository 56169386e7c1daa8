from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import scorematching as sm
from scorematching.domains import AnyDomain, Box, MinPower, PositiveOrthant, Power
from scorematching.errors import InvalidInput
from scorematching.estimation.rows import as_rows, check_enough, check_some
from scorematching.families import Beta, Family, Gamma, LinearFamily, PairwiseInteraction, Weibull


def positive(d: int) -> np.ndarray:
    return np.random.default_rng(d).gamma(1.5, 0.9, (40, d)) + 0.02


def test_rows_become_double_precision_and_the_callers_array_is_left_alone() -> None:
    x = np.asfortranarray(positive(2).astype(np.float32))
    x.setflags(write=False)
    rows = as_rows(x, 2)
    assert rows.dtype == torch.float64
    assert rows.is_contiguous()
    np.testing.assert_array_equal(rows, x)
    assert as_rows([1, 2, 3], 1).tolist() == [[1.0], [2.0], [3.0]]
    assert not as_rows(torch.ones(3, 2, requires_grad=True), 2).requires_grad


@pytest.mark.parametrize(
    ("x", "complaint"),
    [
        (np.array([["a", "b"]]), "real numbers: got ndarray of dtype <U1"),
        (torch.zeros(3, 2, dtype=torch.complex64), "real numbers: got dtype torch.complex64"),
        (np.zeros((3, 3)), r"rows of 2 columns, shape \(n, 2\): got \(3, 3\)"),
        (np.zeros(3), r"rows of 2 columns"),
        (np.zeros((1, 2)), "at least two rows: got n = 1"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(x: object, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        as_rows(x, 2)


def test_too_few_rows_say_what_to_do() -> None:
    check_enough(10, 9)
    with pytest.raises(InvalidInput, match=r"n = 9 rows and 9 parameters.*covariance=None"):
        check_enough(9, 9)
    check_some(1)
    with pytest.raises(InvalidInput, match="no rows: got n = 0"):
        check_some(0)


@pytest.mark.parametrize(
    ("family", "domain"),
    [
        (PairwiseInteraction(2, 0.5, 0.5), None),
        (PairwiseInteraction(2, 0.5, 0.5), PositiveOrthant(2, weight=MinPower(2, 3))),
        (PairwiseInteraction(2, 0.5, 0.5), Box(0.0, [math.inf, math.inf])),
        (PairwiseInteraction(2, 1.0, 0.0), None),
        (Gamma(), None),
        (Weibull(), None),
    ],
)
def test_an_exact_zero_is_named_where_the_score_is_infinite(
    family: LinearFamily | Family, domain: AnyDomain | None
) -> None:
    x = positive(family.d)
    x[17, -1] = 0.0
    with pytest.raises(
        InvalidInput, match=r"row 17 is not finite.*on the boundary.*half the small"
    ):
        sm.estimate(family, x, domain=domain)


def test_the_remedies_for_a_zero_work() -> None:
    x = positive(2)
    x[17, 1] = 0.0
    one = sm.estimate(PairwiseInteraction(2, 1, 1), x)  # a finite score
    assert one.theta.isfinite().all()
    falling = PositiveOrthant(2, weight=MinPower(2, 3))
    found = []
    for inside in (1e-8, 1e-12):
        x[17, 1] = inside
        found.append(sm.estimate(PairwiseInteraction(2, 0.5, 0.5), x, domain=falling).theta)
    torch.testing.assert_close(*found, rtol=1e-3, atol=0)


def test_the_side_at_one_of_a_beta_is_a_boundary_too() -> None:
    x = np.random.default_rng(0).beta(2, 3, 30)
    x[4] = 1.0
    with pytest.raises(InvalidInput, match=r"row 4 is not finite.*on the boundary"):
        sm.estimate(Beta(), x)


def test_inside_the_domain_the_scale_is_to_blame() -> None:
    x = positive(1)
    x[5] = 1e200
    with pytest.raises(InvalidInput, match=r"row 5 is not finite.*rescale the columns"):
        sm.estimate(Gamma(), x, domain=PositiveOrthant(1, weight=Power(2)))
