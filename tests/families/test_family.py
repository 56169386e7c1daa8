from __future__ import annotations

import math

import pytest
import torch

from families import cases
from families.cases import Case, vector
from scorematching import families
from scorematching.calculus import gradient
from scorematching.errors import InvalidInput
from scorematching.families import LinearFamily, prescribes
from scorematching.families.family import check_theta, columns


def every(rows: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", rows, ids=str)


@every(cases.ALL)
def test_names_are_distinct_and_as_many_as_parameters(case: Case) -> None:
    names = case.family.names
    assert len({*names}) == len(names) == len(case.theta)
    case.family.domain.check(case.x)
    assert case.family.domain.d == case.family.d == case.x.shape[1]


@every(cases.ALL)
def test_linear_families_and_others_are_told_apart(case: Case) -> None:
    assert isinstance(case.family, LinearFamily) == (case in cases.LINEAR)


@every(cases.OTHERS)
def test_other_families_have_an_open_interval_for_each_parameter(case: Case) -> None:
    bounds = case.family.bounds
    assert len(bounds) == len(case.theta)
    inside = [low < value < high for (low, high), value in zip(bounds, case.theta, strict=True)]
    assert all(inside)


@every(cases.LINEAR)
def test_the_density_is_theta_times_statistics_plus_base(case: Case) -> None:
    exponent = case.family.statistics(case.x) @ case.theta + case.family.base(case.x)
    difference = case.model.log_density(case.x) - exponent
    assert exponent.shape == (len(case.x),)
    assert difference.std() < 1e-13 * (1 + exponent.abs().max())
    assert exponent.std() > 0.01  # a constant would prove nothing


@every(cases.OTHERS)
def test_the_density_is_that_of_the_family_up_to_a_constant(case: Case) -> None:
    value = case.family.log_density(case.x, case.theta)
    assert (case.model.log_density(case.x) - value).std() < 1e-13
    assert value.std() > 0.01


@every(cases.ALL)
def test_the_score_is_the_gradient_of_the_log_density(case: Case) -> None:
    score = case.model.score(case.x)
    assert score.shape == case.x.shape
    torch.testing.assert_close(score, gradient(case.model.log_density, case.x))


@every(cases.ALL)
def test_the_score_is_the_slope_of_finite_differences(case: Case) -> None:
    step, moved = 1e-5, []
    for j in range(case.family.d):
        shift = torch.zeros_like(case.x)
        shift[:, j] = step
        up, down = (case.model.log_density(case.x + sign * shift) for sign in (1, -1))
        moved.append((up - down) / (2 * step))
    # central differences err by step² times the third derivative, and by rounding over the step
    slopes = torch.stack(moved, 1)
    torch.testing.assert_close(slopes, case.model.score(case.x), atol=1e-7, rtol=1e-7)


@every(cases.LINEAR)
def test_statistics_are_twice_differentiable_in_forward_mode(case: Case) -> None:
    ones = torch.ones_like(case.x)

    def slope(x: torch.Tensor) -> torch.Tensor:
        return torch.func.jvp(case.family.statistics, (x,), (ones,))[1]

    second = torch.func.jvp(slope, (case.x,), (ones,))[1]
    step = 1e-4
    at = [case.family.statistics(case.x + k * step) for k in (-1, 0, 1)]
    differences = (at[0] - 2 * at[1] + at[2]) / step**2
    scale = 1 + second.abs().max()
    assert (second - differences).abs().max() < 1e-4 * scale


@every([case for case in cases.ALL if case.family.d == 1])
def test_one_column_may_come_without_its_axis(case: Case) -> None:
    flat = case.x[:, 0]
    torch.testing.assert_close(case.model.log_density(flat), case.model.log_density(case.x))
    assert case.model.score(flat).shape == flat.shape
    torch.testing.assert_close(case.model.score(flat), case.model.score(case.x)[:, 0])


@every(cases.ALL)
def test_single_precision_rows_give_single_precision_values(case: Case) -> None:
    x = case.x.float()
    value, score = case.model.log_density(x), case.model.score(x)
    assert value.dtype == score.dtype == torch.float32
    torch.testing.assert_close(value.double(), case.model.log_density(case.x), atol=1e-5, rtol=1e-5)


@every(cases.ALL)
def test_a_parameter_too_many_or_not_finite_is_refused(case: Case) -> None:
    with pytest.raises(InvalidInput, match=r"one entry for each of \d+ parameters"):
        case.family.model(torch.cat([case.theta, case.theta[:1]]))
    broken = case.theta.clone()
    broken[-1] = math.nan
    with pytest.raises(InvalidInput, match="finite"):
        case.family.model(broken)


@every([case for case in cases.ALL if case.family.d > 1])
def test_another_number_of_columns_is_refused(case: Case) -> None:
    with pytest.raises(InvalidInput, match=rf"rows of shape \(n, {case.family.d}\)"):
        case.model.log_density(case.x[:, :-1])
    with pytest.raises(InvalidInput, match=r"rows of shape"):
        case.model.log_density(case.x[0])


@every([case for case in cases.ALL if hasattr(case.model, "sample")])
def test_draws_are_rows_of_the_domain_and_follow_the_generator(
    case: Case, generator: torch.Generator
) -> None:
    if not getattr(case.model, "normalised", False) and "Independent" in str(case):
        pytest.skip("overcomplete components are not drawn from exactly")
    state = generator.get_state()
    draws = case.model.sample(200, generator)
    case.family.domain.check(draws)
    assert draws.shape == (200, case.family.d)
    assert len(draws.unique(dim=0)) == 200
    generator.set_state(state)
    assert torch.equal(case.model.sample(200, generator), draws)


@pytest.mark.parametrize(
    "make",
    [
        families.Gaussian,
        families.PairwiseInteraction,
        families.VonMisesFisher,
        families.Watson,
        families.Bingham,
        families.FisherBingham,
        families.Dirichlet,
        families.PPI,
        families.IndependentComponents,
        families.PolynomialExponential,
    ],
)
@pytest.mark.parametrize("d", [0, -1, 2.0, True])
def test_a_dimension_that_is_no_positive_integer_is_refused(make: type, d: object) -> None:
    with pytest.raises(InvalidInput, match="integer"):
        make(d)


def test_the_order_of_parameters_is_that_of_the_design() -> None:
    assert families.Gaussian(3).names == (
        *("K[1,1]", "K[2,1]", "K[2,2]", "K[3,1]", "K[3,2]", "K[3,3]"),
        *("eta[1]", "eta[2]", "eta[3]"),
    )
    assert families.PairwiseInteraction(3, 0.5, 0.5).names == families.Gaussian(3).names
    assert families.VonMisesFisher(2).names == ("kappa_mu[1]", "kappa_mu[2]")
    assert families.Bingham(3).names == ("A[1,1]", "A[1,2]", "A[1,3]", "A[2,2]", "A[2,3]")
    assert families.FisherBingham(3).names[5:] == ("b[1]", "b[2]", "b[3]")
    assert families.Dirichlet(3).names == ("beta[1]", "beta[2]", "beta[3]")
    assert families.PPI(4).names == (
        *("A_L[1,1]", "A_L[2,2]", "A_L[3,3]", "A_L[1,2]", "A_L[1,3]", "A_L[2,3]"),
        *("b_L[1]", "b_L[2]", "b_L[3]"),
        *("beta[1]", "beta[2]", "beta[3]", "beta[4]"),
    )


def test_a_family_prescribes_its_fit_or_does_not() -> None:
    assert prescribes(families.VonMisesFisher(3, direction_first=True))
    assert prescribes(families.Watson(3))
    assert not prescribes(families.VonMisesFisher(3))
    assert not prescribes(families.Gaussian(3))


def test_theta_may_be_a_list_and_comes_back_detached() -> None:
    assert check_theta([1, 2], ("a", "b")).dtype == torch.float64  # type: ignore[arg-type]
    assert not check_theta(vector(1.0).requires_grad_(), ("a",)).requires_grad


def test_columns_keep_rows_as_they_are() -> None:
    assert columns(torch.zeros(4), 1).shape == (4, 1)
    with pytest.raises(InvalidInput, match=r"\(n, 2\)"):
        columns(torch.zeros(4), 2)
