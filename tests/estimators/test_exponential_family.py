from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import scorematching as sm
from scorematching import ExponentialFamilyDensity
from scorematching.errors import InvalidInput
from scorematching.random import normal, seeded


def rows(n: int = 120, d: int = 2) -> np.ndarray[Any, Any]:
    z = normal((n, d), torch.zeros((), dtype=torch.float64), seeded("face", n, d)).numpy()
    return 1.0 + z @ (np.eye(d) + 0.3)


@parametrize_with_checks([ExponentialFamilyDensity(), ExponentialFamilyDensity(ridge=1e-3)])
def test_it_keeps_the_contract_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


def test_a_gaussian_is_maximum_likelihood_with_its_density_and_score() -> None:
    x = rows()
    face = ExponentialFamilyDensity().fit(x)
    mean, covariance = x.mean(0), np.cov(x.T, bias=True)
    gap = x[:5] - mean
    precision = np.linalg.inv(covariance)
    half = -0.5 * np.einsum("ni,ij,nj->n", gap, precision, gap)
    constant = -0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    assert face.normalised_
    np.testing.assert_allclose(face.score_samples(x[:5]), half + constant, rtol=1e-9)
    np.testing.assert_allclose(face.score_function(x[:5]), -gap @ precision, rtol=1e-9)
    assert face.score(x) == pytest.approx(np.trace(precision) / 2, rel=1e-9)
    assert face.parameter_names_ == ["K[1,1]", "K[2,1]", "K[2,2]", "eta[1]", "eta[2]"]


def test_it_gives_the_estimate_of_the_function_with_words_and_with_objects() -> None:
    x = np.abs(rows())
    orthant = sm.domains.PositiveOrthant(2, weight=sm.domains.MinPower(1, 3))
    expected = sm.estimate(
        sm.families.PairwiseInteraction(2, 0.5, 0.5), x, domain=orthant, fixed={"K[2,1]": 0.0}
    )
    in_words = ExponentialFamilyDensity(
        "pairwise(0.5, 0.5)",
        domain="positive-orthant",
        weight="min(x,3)",
        fixed={"K[2,1]": 0.0},
        standard_errors=True,
    ).fit(x)
    in_objects = ExponentialFamilyDensity(
        sm.families.PairwiseInteraction(2, 0.5, 0.5),
        domain=orthant,
        fixed={"K[2,1]": 0.0},
        standard_errors=True,
    ).fit(x)
    for face in (in_words, in_objects):
        np.testing.assert_array_equal(face.theta_, expected.theta.numpy())
        np.testing.assert_array_equal(face.std_errors_, expected.std_errors.numpy())
        assert not face.normalised_


def test_standard_errors_are_there_only_where_asked_for() -> None:
    face = ExponentialFamilyDensity().fit(rows())
    with pytest.raises(InvalidInput, match="without a covariance"):
        _ = face.std_errors_


def test_partial_fits_add_up_to_the_fit_and_say_that_they_have_no_errors() -> None:
    x = rows()
    face = ExponentialFamilyDensity()
    for part in np.array_split(x, [1, 2, 50]):
        face.partial_fit(part)
    whole = ExponentialFamilyDensity().fit(x)
    np.testing.assert_allclose(face.theta_, whole.theta_, rtol=1e-10)
    assert face.estimate_.n == 120
    assert "second pass" in face.estimate_.summary()
    face.partial_fit(x)
    assert face.estimate_.n == 240
    assert face.fit(x[:60]).estimate_.n == 60
    assert face.partial_fit(x).estimate_.n == 120  # a fit begins anew
    with pytest.raises(InvalidInput, match="not linear"):
        ExponentialFamilyDensity("independent-components").partial_fit(x)


def test_it_is_cloned_pickled_and_shown_with_its_parameters() -> None:
    x = rows()
    face = ExponentialFamilyDensity("gaussian", ridge=0.25).fit(x)
    again = clone(face)
    assert again.get_params() == face.get_params()
    assert not hasattr(again, "estimate_")
    assert "ridge=0.25" in repr(face)
    kept = pickle.loads(pickle.dumps(face))
    np.testing.assert_array_equal(kept.score_samples(x), face.score_samples(x))
    np.testing.assert_array_equal(again.fit(x).theta_, face.theta_)


def test_a_grid_search_picks_by_held_out_score_matching() -> None:
    """With 12 rows of 6 columns the held-out objective wants a ridge, and not too large a one."""
    x = rows(12, 6)
    grid = {"ridge": [0.0, 1.0, 1e6]}
    search = GridSearchCV(ExponentialFamilyDensity(), grid, cv=3, error_score="raise").fit(x)
    assert search.best_params_ == {"ridge": 1.0}
    scores = [
        ExponentialFamilyDensity(ridge=1.0).fit(np.delete(x, fold, 0)).score(x[fold])
        for fold in np.split(np.arange(12), 3)
    ]
    assert search.cv_results_["mean_test_score"][1] == pytest.approx(np.mean(scores), rel=1e-9)


def test_it_ends_a_pipeline() -> None:
    x = rows()
    pipeline = make_pipeline(StandardScaler(), ExponentialFamilyDensity()).fit(x)
    scaled = (x - x.mean(0)) / x.std(0)
    by_hand = ExponentialFamilyDensity().fit(scaled)
    np.testing.assert_allclose(pipeline.score_samples(x), by_hand.score_samples(scaled), rtol=1e-9)
    assert pipeline.score(x) == pytest.approx(by_hand.score(scaled), rel=1e-9)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_keep_their_column_names_and_refuse_others(library: str) -> None:
    frames = pytest.importorskip(library)
    x = rows()
    frame = frames.DataFrame({"length": x[:, 0], "width": x[:, 1]})
    face = ExponentialFamilyDensity().fit(frame)
    assert face.feature_names_in_.tolist() == ["length", "width"]
    plain = ExponentialFamilyDensity().fit(x)
    np.testing.assert_array_equal(face.theta_, plain.theta_)
    np.testing.assert_array_equal(face.score_samples(frame), plain.score_samples(x))
    with pytest.raises(ValueError, match="feature names"):
        face.score_samples(frame[["width", "length"]])


def test_the_seed_makes_families_that_are_not_linear_repeat() -> None:
    x = np.random.default_rng(0).laplace(size=(80, 2))
    one, again = (
        ExponentialFamilyDensity("independent-components", random_state=3).fit(x).theta_
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, again)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"family": "gausian"}, "Did you mean gaussian"),
        ({"family": 3}, "family must be a name"),
        ({"weight": "x"}, "no effect without a domain"),
        ({"domain": "sphere", "weight": "x"}, "takes no weight"),
        ({"family": "gamma"}, "1 column: got 2"),
        ({"ridge": -1.0}, "ridge must be"),
    ],
)
def test_unusable_parameters_are_refused_at_the_fit(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        ExponentialFamilyDensity(**parameters).fit(rows())
