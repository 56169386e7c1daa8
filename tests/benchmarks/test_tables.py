"""The comparison's arithmetic: paired advantages, their standard errors, the choice of the best."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.peers import Fit, best_by_validation
from benchmarks.protocols.tables import Split
from benchmarks.tables import OURS, Results, advantage

from benchmarks import peers, tables


def fit_of(validation: float, test: list[float]) -> Fit:
    rows = np.array(test)
    return Fit(np.full(4, validation), rows, np.zeros((1, 2)), 1.0, "")


def results() -> Results:
    """Two seeds of two rows; A is the best peer on validation rows of seed 0, B of seed 1."""
    return Results(
        "red-wine",
        {
            0: {OURS: fit_of(0, [3, 5]), "A": fit_of(2, [1, 2]), "B": fit_of(1, [9, 9])},
            1: {OURS: fit_of(0, [2, 2]), "A": fit_of(1, [0, 0]), "B": fit_of(2, [1, 3])},
        },
    )


def test_the_best_peer_is_chosen_by_validation_rows_and_never_by_test_rows() -> None:
    assert [results().best(seed) for seed in (0, 1)] == ["A", "B"]
    assert results().best_mean() == pytest.approx((1.5 + 2.0) / 2)


def test_the_advantage_is_the_mean_over_seeds_of_paired_differences() -> None:
    # differences over the best: seed 0 (2, 3), seed 1 (1, −1)
    over_best = results().over(None)
    assert over_best.mean == pytest.approx((2.5 + 0.0) / 2)
    assert over_best.rows_error == pytest.approx(np.sqrt(0.5 / 2 + 2 / 2) / 2)
    assert over_best.seeds_error == pytest.approx(1.25)
    assert results().over("A").mean == pytest.approx((2.5 + 2.0) / 2)


def test_one_seed_has_no_standard_error_over_seeds() -> None:
    alone = advantage([np.array([1.0, 2.0, 3.0])])
    assert np.isnan(alone.seeds_error)
    assert str(alone) == "+2.00 (rows 0.58)"


def test_the_standard_error_over_rows_is_the_spread_of_repeated_experiments() -> None:
    rng = np.random.default_rng(0)
    runs = [
        advantage([rng.normal(size=100), 3 * rng.normal(size=40), rng.normal(size=60)])
        for _ in range(400)
    ]
    spread = np.std([run.mean for run in runs], ddof=1)
    claimed = np.mean([run.rows_error for run in runs])
    # a standard deviation of 400 draws has a relative standard error of 1/√800
    assert spread == pytest.approx(claimed, rel=4 / np.sqrt(800))


def test_the_tables_name_every_method_and_skip_seeds_that_did_not_run() -> None:
    some = [results()]
    assert "| red-wine | 0.75 | 5.50 | 1.75 |" in tables.means_table(some, ["A", "B"])
    assert "A 1.50" in tables.seeds_table(some)
    assert "red-wine" not in tables.first_seeds_table(some)
    assert "+1.25 (rows 0.56, seeds 1.25)" in tables.advantage_table(some, ["A", "B"])


def gaussian_split(seed: int = 0, std: float = 2.0) -> Split:
    rng = np.random.default_rng(seed)
    return Split(*(std * rng.normal(size=(n, 2)) for n in (400, 100, 2000)))


def entropy(std: float) -> float:
    """Of N(0, std² I) in two dimensions, in nats."""
    return float(np.log(2 * np.pi * np.e * std**2))


@pytest.mark.parametrize(
    "peer",
    [peers.MixturePeer(n_components=(1, 3), reg_covar=(1e-6,)), peers.KernelPeer(0.3, 1.5, 6)],
)
def test_simple_peers_nearly_reach_the_entropy_of_a_gaussian(peer: peers.Peer) -> None:
    fit = peer.fit(gaussian_split(), seed=0)
    # −entropy up to the test rows' noise, 1/√2000, and a loss to estimation, worst for kernels
    assert -entropy(2.0) - 0.12 < fit.test.mean() < -entropy(2.0) + 4 / np.sqrt(2000)
    assert fit.samples.shape == (peers.N_SAMPLES, 2)
    assert fit.samples.std() == pytest.approx(2.0, rel=0.15)


def test_the_mixture_takes_the_number_of_components_from_the_validation_rows() -> None:
    rng = np.random.default_rng(1)
    centres = 8.0 * np.array([[0, 0], [1, 0], [0, 1]])
    split = Split(*(rng.normal(size=(n, 2)) + centres[rng.integers(3, size=n)] for n in (300,) * 3))
    fit = peers.MixturePeer(n_components=(1, 2, 3), reg_covar=(1e-6,)).fit(split, seed=0)
    assert fit.settings.startswith("K=3,")


def test_a_fit_is_computed_once_for_the_same_rows_and_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(peers, "CACHE", tmp_path)
    peer, split = peers.MixturePeer(n_components=(1,), reg_covar=(1e-6,)), gaussian_split()
    first = peers.cached(peer, "table", split, 0)
    assert len(list(tmp_path.rglob("*.npz"))) == 1
    monkeypatch.setattr(peers.MixturePeer, "fit", None)  # a second fit would be a TypeError
    second = peers.cached(peer, "table", split, 0)
    np.testing.assert_array_equal(first.test, second.test)
    np.testing.assert_array_equal(first.samples, second.samples)
    assert (first.settings, first.seconds) == (second.settings, second.seconds)
    for changed in (
        (peers.MixturePeer(n_components=(1, 2), reg_covar=(1e-6,)), split),
        (peer, gaussian_split(1)),
    ):
        with pytest.raises(TypeError):
            peers.cached(changed[0], "table", changed[1], 0)


def test_the_best_by_validation_has_the_highest_mean() -> None:
    assert best_by_validation({"a": fit_of(1, [9]), "b": fit_of(2, [0])}) == "b"
