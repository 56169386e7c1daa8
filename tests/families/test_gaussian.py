from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from families.cases import ETA3, K3, vector
from families.matching import rows_of
from scorematching.domains import Box, Log1p, MinPower, PositiveOrthant, Power
from scorematching.errors import InvalidInput
from scorematching.families import Gaussian, GaussianDensity, TruncatedGaussian, model_on
from scorematching.random import normal, seeded


def test_score_matching_is_maximum_likelihood(generator: torch.Generator) -> None:
    x = normal((50, 4), torch.empty(0, dtype=torch.float64), generator) @ torch.ones(4, 4).double()
    x = x + 0.3 * normal((50, 4), x, generator) + 5
    model = Gaussian(4).model(rows_of(Gaussian(4), x).solve())
    torch.testing.assert_close(model.mean, x.mean(0), rtol=1e-9, atol=0)
    torch.testing.assert_close(model.covariance, torch.cov(x.mT, correction=0), rtol=1e-9, atol=0)


def test_theta_is_the_lower_triangle_row_by_row_and_then_eta() -> None:
    theta = Gaussian(3).theta(K3, ETA3)
    assert theta.tolist() == [2.0, 0.5, 1.5, -0.3, 0.2, 1.0, 0.4, -0.7, 1.1]
    precision, linear = Gaussian(3).matrices(theta)
    assert torch.equal(precision, K3)
    assert torch.equal(linear, ETA3)


def test_the_log_density_is_minus_half_the_quadratic_form() -> None:
    x = vector(0.3, -1.2, 0.8)
    exponent = Gaussian(3).statistics(x[None])[0] @ Gaussian(3).theta(K3, ETA3)
    torch.testing.assert_close(exponent, -x @ K3 @ x / 2 + ETA3 @ x)


def test_an_indefinite_precision_has_no_density_on_space_but_has_one_in_a_box() -> None:
    theta = vector(1.0, 2.0, 1.0, 0.0, 0.0)  # K = [[1, 2], [2, 1]]
    with pytest.raises(InvalidInput, match=r"eigenvalues from -1 to 3\. The estimate theta stands"):
        Gaussian(2).model(theta)
    with pytest.raises(InvalidInput, match="positive definite"):
        Gaussian(2).model_on(theta, PositiveOrthant(2))
    model = Gaussian(2).model_on(theta, Box((0, 0), (1, 1)))
    assert isinstance(model, TruncatedGaussian)
    assert torch.equal(model.precision, torch.tensor([[1.0, 2.0], [2.0, 1.0]]).double())


def test_a_density_on_space_is_a_gaussian_and_on_the_orthant_a_truncated_one() -> None:
    theta = Gaussian(3).theta(K3, ETA3)
    assert isinstance(model_on(Gaussian(3), theta), GaussianDensity)
    truncated = model_on(Gaussian(3), theta, PositiveOrthant(3))
    assert isinstance(truncated, TruncatedGaussian)
    torch.testing.assert_close(truncated.location, torch.linalg.inv(K3) @ ETA3)
    assert not hasattr(truncated, "mean")  # it is not the location


def test_truncated_estimates_have_mean_zero_gradient_at_the_truth() -> None:
    family, domain = Gaussian(3), PositiveOrthant(3)
    theta = family.theta(K3, ETA3)
    x = model_on(family, theta, domain).sample(8_000, seeded("truncated gaussian"))
    rows = rows_of(family, x, domain)
    deviations = (rows.solve() - theta) / rows.standard_errors()
    assert deviations.abs().max() < 4
    wrong = rows_of(family, x)  # the boundary forgotten
    assert ((wrong.solve() - theta) / wrong.standard_errors()).abs().max() > 8


def load(folder: Path, name: str) -> torch.Tensor:
    table = np.loadtxt(folder / "reference" / name, delimiter=",", skiprows=1, ndmin=2)
    return torch.from_numpy(table)


def test_truncated_normals_agree_with_genscore(shared: Path) -> None:
    expected = json.loads((shared / "reference/expected.json").read_text())["truncated_normal"]
    x = load(shared, "truncnorm_n1000_mu0.5_s1.csv")
    for weight, case in zip((MinPower(1, 3), Power(1), Log1p()), expected["cases"], strict=True):
        domain = PositiveOrthant(1, weight=weight)
        model = model_on(Gaussian(1), rows_of(Gaussian(1), x, domain).solve(), domain)
        assert model.location.item() == pytest.approx(case["mu"], rel=1e-10)
        assert 1 / model.precision.item() == pytest.approx(case["sigma2"], rel=1e-10)


def test_a_truncated_graphical_model_agrees_with_genscore(shared: Path) -> None:
    case = json.loads((shared / "reference/expected.json").read_text())
    expected = case["truncated_gaussian_graphical"]["unpenalised"]
    x = load(shared, "truncGGM_n500_p5.csv")
    domain = PositiveOrthant(5, weight=MinPower(1, 3))
    precision, linear = Gaussian(5).matrices(rows_of(Gaussian(5), x, domain).solve())
    assert precision.diagonal().tolist() == pytest.approx(expected["K_diagonal"], rel=1e-6)
    assert linear.tolist() == pytest.approx(expected["eta"], rel=1e-6)
    for key, value in expected["K_offdiagonal"].items():
        i, j = (int(index) - 1 for index in key.split(","))
        assert precision[i, j].item() == pytest.approx(value, rel=1e-6)
