"""sm.estimate against closed forms, maximum likelihood and two R packages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import scorematching as sm
from scorematching.domains import (
    Box,
    Euclidean,
    FlatSimplex,
    Log1p,
    MinPower,
    MinSq,
    PositiveOrthant,
    Power,
    ProdSq,
    SqrtSimplex,
    Weight,
)
from scorematching.errors import InvalidInput, NotIdentified
from scorematching.estimation import Bootstrap, TrustRegion
from scorematching.families import (
    Dirichlet,
    Gaussian,
    IndependentComponents,
    PairwiseInteraction,
    VonMisesFisher,
    amari_distance,
)
from scorematching.random import normal, seeded, uniform

LIKE = torch.zeros((), dtype=torch.float64)
SIX_DIGITS = 1e-6


def rows(shared: Path, name: str) -> Tensor:
    """A table of ../shared/reference."""
    path = shared / "reference" / name
    if not path.is_file():
        pytest.skip(f"needs {name} in the folder ../shared/reference")
    return torch.tensor(np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2))


def relative(found: Tensor, expected: list[float]) -> float:
    truth = torch.tensor(expected, dtype=torch.float64)
    return ((found - truth) / truth).abs().max().item()


def gaussian_rows(n: int, d: int, name: str = "rows") -> Tensor:
    z = normal((n, d), LIKE, seeded(name))
    mix = normal((d, d), LIKE, seeded(name, "mix"))
    return z @ (mix + 2 * torch.eye(d).to(mix)) + torch.arange(d).to(z)


def directions(n: int, d: int = 3) -> Tensor:
    x = normal((n, d), LIKE, seeded("directions")) + 1.0
    return x / x.norm(dim=1, keepdim=True)


# -------------------------------------------------- scorematchingad 0.1.6 and genscore 1.0.2.2


def test_von_mises_fisher_agrees_with_scorematchingad(shared: Path) -> None:
    est = sm.estimate(VonMisesFisher(3), rows(shared, "vmf_n500_k4.csv"))
    assert relative(est.theta, [1.4576305478, 2.68330513593, -2.80459676854]) < SIX_DIGITS
    assert relative(est.std_errors, [0.124241731041, 0.145706343846, 0.151034728558]) < SIX_DIGITS
    assert "n − 1" in est.convention


def test_direction_first_agrees_with_scorematchingad(shared: Path) -> None:
    est = sm.estimate(VonMisesFisher(3, direction_first=True), rows(shared, "vmf_n500_k4.csv"))
    kappa = est.theta.norm()
    direction = est.theta / kappa
    error = (direction @ est.theta_covariance @ direction).sqrt()
    assert kappa.item() == pytest.approx(4.1459318824, rel=SIX_DIGITS)
    assert error.item() == pytest.approx(0.188650486709, rel=SIX_DIGITS)
    assert relative(direction, [0.348084872754, 0.649803006881, -0.675716637066]) < SIX_DIGITS


@pytest.mark.parametrize(
    ("domain", "theta", "errors"),
    [
        (
            FlatSimplex(3, weight=ProdSq(0.1)),
            [-0.323884138248, -0.129609274348, 2.799472284793],
            [0.0382393630473, 0.0509887021368, 0.3118297952433],
        ),
        (
            SqrtSimplex(3, weight=MinSq(0.1)),
            [-0.272014500133, -0.118410699581, 2.887635155291],
            [0.0349659460321, 0.0449453018074, 0.166361373851],
        ),
    ],
)
def test_dirichlet_agrees_with_scorematchingad(
    shared: Path, domain: FlatSimplex | SqrtSimplex, theta: list[float], errors: list[float]
) -> None:
    est = sm.estimate(Dirichlet(3), rows(shared, "dirichlet_n1000_seed134.csv"), domain=domain)
    assert relative(est.theta, theta) < SIX_DIGITS
    assert relative(est.std_errors, errors) < SIX_DIGITS


@pytest.mark.parametrize(
    ("weight", "mu", "variance"),
    [
        (MinPower(1, 3), 0.441091238728, 1.09987068559),
        (Power(1), 0.420615424092, 1.126250462693),
        (Log1p(), 0.393367139884, 1.153065902671),
    ],
)
def test_the_truncated_normal_agrees_with_genscore(
    shared: Path, weight: Weight, mu: float, variance: float
) -> None:
    x = rows(shared, "truncnorm_n1000_mu0.5_s1.csv")
    est = sm.estimate(Gaussian(1), x, domain=PositiveOrthant(1, weight=weight))
    assert est["eta[1]"] / est["K[1,1]"] == pytest.approx(mu, rel=SIX_DIGITS)
    assert 1 / est["K[1,1]"] == pytest.approx(variance, rel=SIX_DIGITS)


def test_the_truncated_graphical_model_agrees_with_genscore(shared: Path) -> None:
    x = rows(shared, "truncGGM_n500_p5.csv")
    family = PairwiseInteraction(5, 1, 1)
    est = sm.estimate(family, x, domain=PositiveOrthant(5, weight=MinPower(1, 3)))
    K, eta = family.matrices(est.theta)
    diagonal = [
        0.921254785134,
        1.07998473919608,
        1.28905174701293,
        1.03317232311992,
        0.96885971084843,
    ]
    upper = [
        *(0.128187605492, 0.276337647746, -0.137290317087, -0.054556197791, 0.00538879994876),
        *(-0.02735403066834, -0.03427251499388, -0.33067818523568, -0.00147653050045),
        0.00677617392953,
    ]
    linear = [0.499999368062, 0.4435743751, 1.134142297871, 0.195251570349, 0.422148481195]
    i, j = torch.triu_indices(5, 5, offset=1)
    assert relative(K.diagonal(), diagonal) < SIX_DIGITS
    assert relative(K[i, j], upper) < SIX_DIGITS
    assert relative(eta, linear) < SIX_DIGITS
    assert est.objective == pytest.approx(-3.8988343632, abs=1e-9)


# --------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("centre", [0.0, 1e5])
def test_the_gaussian_on_euclidean_space_is_maximum_likelihood(centre: float) -> None:
    x = gaussian_rows(400, 4) + centre
    est = sm.estimate(Gaussian(4), x)
    mean = x.mean(0)
    precision = torch.linalg.inv((x - mean).mT @ (x - mean) / len(x))
    K, eta = Gaussian(4).matrices(est.theta)
    torch.testing.assert_close(K, precision, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(eta, precision @ mean, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(est.model.mean, mean, rtol=1e-10, atol=1e-8)


def test_errors_of_the_normal_mean_and_precision_are_those_of_their_influence() -> None:
    x = gaussian_rows(300, 1)
    est = sm.estimate(Gaussian(1), x)
    centred = (x - x.mean())[:, 0]
    variance = centred.square().mean()
    of_precision = (variance - centred**2) / variance**2
    of_linear = of_precision * x.mean() + centred / variance
    for error, influence in zip(est.std_errors, (of_precision, of_linear), strict=True):
        torch.testing.assert_close(error, influence.std() / len(x) ** 0.5, rtol=1e-10, atol=0)


def test_von_mises_fisher_has_the_closed_form_of_mardia_kent_and_laha() -> None:
    x = directions(200)
    expected = 2 * torch.linalg.solve(torch.eye(3).to(x) - x.mT @ x / len(x), x.mean(0))
    torch.testing.assert_close(
        sm.estimate(VonMisesFisher(3), x).theta, expected, rtol=1e-12, atol=0
    )


def test_estimates_turn_with_the_units_of_the_columns() -> None:
    x = gaussian_rows(300, 3)
    units = torch.tensor([1e-6, 1.0, 1e6], dtype=torch.float64)
    one, other = sm.estimate(Gaussian(3), x), sm.estimate(Gaussian(3), x * units)
    i, j = torch.tril_indices(3, 3)
    scale = torch.cat([1 / (units[i] * units[j]), 1 / units])
    torch.testing.assert_close(other.theta, one.theta * scale, rtol=1e-9, atol=0)
    torch.testing.assert_close(other.std_errors, one.std_errors * scale, rtol=1e-8, atol=0)


def test_arrays_frames_and_single_columns_are_taken() -> None:
    x = gaussian_rows(50, 1)
    expected = sm.estimate(Gaussian(1), x).theta
    for same in (x[:, 0], x.numpy(), x[:, 0].tolist()):
        assert torch.equal(sm.estimate(Gaussian(1), same).theta, expected)


# ------------------------------------------------------------ fixed, tied, and one's own density


def test_fixing_the_linear_term_of_a_gaussian_leaves_the_second_moments() -> None:
    x = gaussian_rows(400, 2)
    est = sm.estimate(Gaussian(2), x, fixed={"eta[1]": 0.0, "eta[2]": 0.0})
    precision = torch.linalg.inv(x.mT @ x / len(x))
    torch.testing.assert_close(Gaussian(2).matrices(est.theta)[0], precision, rtol=1e-9, atol=0)
    assert est.std_errors[3:].tolist() == [0.0, 0.0]
    assert (est.std_errors[:3] > 0).all()


def test_a_tied_gaussian_has_the_pooled_variance() -> None:
    x = gaussian_rows(400, 2)
    centred = x - x.mean(0)
    est = sm.estimate(
        Gaussian(2), centred, fixed={"K[2,1]": 0, "eta[1]": 0, "eta[2]": 0},
        tied=[("K[1,1]", "K[2,2]")],
    )  # fmt: skip
    pooled = centred.square().sum(1).mean() / 2
    assert est["K[1,1]"] == est["K[2,2]"] == pytest.approx(1 / pooled.item(), rel=1e-10)


def natural_normal(x: Tensor, theta: Tensor) -> Tensor:
    return theta[0] * x[:, 0] - theta[1] * x[:, 0] ** 2 / 2 + theta[1].log() / 2


def mean_normal(x: Tensor, theta: Tensor) -> Tensor:
    return -theta[1] * (x[:, 0] - theta[0]) ** 2 / 2


def test_a_linear_log_density_of_ones_own_is_found_out_and_solved() -> None:
    x = gaussian_rows(300, 1)
    est = sm.estimate(natural_normal, x, domain=Euclidean(1), theta0=[0.0, 1.0])
    known = sm.estimate(Gaussian(1), x)
    assert "linear in theta: solved in closed form" in est.notes[0]
    torch.testing.assert_close(est.theta, known.theta.flip(0), rtol=1e-10, atol=0)
    torch.testing.assert_close(est.std_errors, known.std_errors.flip(0), rtol=1e-8, atol=0)


def test_a_log_density_that_is_not_linear_is_minimised_to_the_same_normal() -> None:
    x = gaussian_rows(300, 1)
    est = sm.estimate(mean_normal, x, domain=Euclidean(1), theta0=[1.0, 1.0])
    assert "not linear in theta" in est.notes[0]
    variance = (x - x.mean()).square().mean()
    torch.testing.assert_close(est.theta[0], x.mean(), rtol=1e-8, atol=0)
    torch.testing.assert_close(est.theta[1], 1 / variance, rtol=1e-8, atol=0)
    # The mean's sandwich error is the textbook one.
    torch.testing.assert_close(est.std_errors[0], (x.std() / len(x) ** 0.5), rtol=1e-6, atol=0)


def test_independent_components_recover_a_known_mixing() -> None:
    u = uniform((4000, 2), LIKE, seeded("sources")) - 0.5
    sources = -u.sign() * torch.log1p(-2 * u.abs()) / 2**0.5
    mixing = torch.tensor([[1.0, 0.6], [-0.4, 1.2]], dtype=torch.float64)
    est = sm.estimate(IndependentComponents(2), sources @ mixing.mT, covariance=None)
    assert amari_distance(est.theta.reshape(2, 2), mixing) < 0.05
    assert amari_distance(torch.eye(2).to(mixing), mixing) > 0.2  # what no unmixing leaves


# ------------------------------------------------------------------------------- bad input


def test_collinear_columns_name_the_direction() -> None:
    x = gaussian_rows(100, 2)
    x = torch.cat([x, x.sum(1, keepdim=True)], 1)
    with pytest.raises(NotIdentified, match=r"1 direction.*K\[1,1\].*ridge"):
        sm.estimate(Gaussian(3), x)


def test_fewer_rows_than_parameters_are_refused_unless_a_ridge_is_asked_for() -> None:
    x = gaussian_rows(4, 5)
    with pytest.raises(NotIdentified, match=r"do not identify \d+ directions of the 20 parameters"):
        sm.estimate(Gaussian(5), x)
    assert sm.estimate(Gaussian(5), x, ridge=0.1).theta.isfinite().all()
    # Identified, but without enough rows to tell the spread of the gradients.
    with pytest.raises(InvalidInput, match="n = 6 rows and 9 parameters"):
        sm.estimate(Gaussian(3), gaussian_rows(6, 3))
    assert sm.estimate(Gaussian(3), gaussian_rows(6, 3), covariance=None).theta.isfinite().all()


@pytest.mark.parametrize("n", [0, 1])
def test_no_rows_and_one_row_are_refused(n: int) -> None:
    with pytest.raises(InvalidInput, match=f"at least two rows: got n = {n}"):
        sm.estimate(Gaussian(2), gaussian_rows(5, 2)[:n], ridge=1.0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("domain", [None, PositiveOrthant(2), Box([0.0] * 2, [99.0] * 2)])
def test_a_value_that_is_not_finite_is_named_with_its_row(
    bad: float, domain: PositiveOrthant | Box | None
) -> None:
    x = gaussian_rows(3000, 2).abs()
    x[2500, 1] = bad
    with pytest.raises(InvalidInput, match=r"row 2500"):
        sm.estimate(Gaussian(2), x, domain=domain)


def test_a_row_outside_the_domain_is_named() -> None:
    x = gaussian_rows(3000, 2).abs()
    x[2100, 0] = -1
    with pytest.raises(InvalidInput, match="row 2100"):
        sm.estimate(PairwiseInteraction(2), x)


def test_rows_all_on_the_boundary_are_refused() -> None:
    with pytest.raises(InvalidInput, match="boundary"):
        sm.estimate(Gaussian(2), torch.zeros(20, 2).double(), domain=PositiveOrthant(2))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"theta0": [1.0] * 5}, "no effect"),
        ({"minimiser": TrustRegion()}, "no effect"),
        ({"names": ["a"]}, "of one's own"),
        ({"domain": Euclidean(3)}, "2 columns"),
        ({"ridge": -1.0}, "ridge must be"),
        ({"fixed": {"K[3,3]": 1.0}}, r"no parameter 'K\[3,3\]'"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        sm.estimate(Gaussian(2), gaussian_rows(50, 2), **options)


def test_a_family_with_an_estimator_of_its_own_takes_no_constraints() -> None:
    family = VonMisesFisher(3, direction_first=True)
    with pytest.raises(InvalidInput, match="estimator of its own"):
        sm.estimate(family, directions(50), fixed={"kappa_mu[1]": 0.0})


def test_the_bootstrap_agrees_with_the_sandwich() -> None:
    x = directions(400)
    one = sm.estimate(VonMisesFisher(3), x)
    other = sm.estimate(VonMisesFisher(3), x, covariance=Bootstrap(400, seed=3))
    # A standard deviation of 400 draws has a relative error of 1/√800; five of those.
    torch.testing.assert_close(other.std_errors, one.std_errors, rtol=5 / 800**0.5, atol=0)
    assert torch.equal(one.theta, other.theta)
