"""The numbers of examples/langevin.py: the shares of the mixture, and the law of the chain."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

TRUTH = 0.2


def test_plain_langevin_leaves_the_modes_the_shares_of_the_starts(results: Any) -> None:
    start, end = results["shares"]["plain"][[0, -1]].tolist()
    error = math.sqrt(start * (1 - start) / 1_000)
    assert abs(results["share_plain"] - 0.5) < 4 * error  # half of the square lies near each
    assert results["share_plain"] == end
    assert (results["shares"]["plain"][10:] == end).all()  # nobody crosses


def test_annealed_langevin_gives_the_modes_their_own(results: Any) -> None:
    error = math.sqrt(TRUTH * (1 - TRUTH) / 1_000)
    assert abs(results["share_annealed"] - TRUTH) < 0.02 + 4 * error
    assert abs(results["share_annealed"] - TRUTH) < abs(results["share_plain"] - TRUTH) / 4


@pytest.mark.slow
def test_at_full_size_the_share_is_within_two_hundredths(example: ModuleType) -> None:
    results = example.compute()
    assert results["share_annealed"] == pytest.approx(TRUTH, abs=0.02)
    assert abs(results["share_plain"] - TRUTH) > 0.25


def test_within_a_mode_both_have_its_law(results: Any) -> None:
    """Mean ±5 and variance 1, by the chain's own 1/(1 − η/2) for the plain one."""
    for name, variance in (("plain", 1 / (1 - 0.01)), ("annealed", 1.0)):
        x = results["walks"][name][-1]
        mode = x[x.sum(1) > 0]
        n = len(mode)
        assert ((mode.mean(0) - 5).abs() < 4 / math.sqrt(n)).all()
        room = 0.06 if name == "annealed" else 0  # the noise of the lowest level, σ² = 0.04
        assert ((mode.var(0) - variance).abs() < 4 * math.sqrt(2 / n) + room).all()


def test_the_learned_score_is_wrong_where_there_were_no_data(results: Any, example: Any) -> None:
    near = example.MODES.log_density(example.PLANE) > -8
    errors = results["errors"]
    assert errors[~near].mean() > 4 * results["error_at_data"]
    assert results["error_on_plane"] == pytest.approx(errors.mean().item())
    norms = example.MODES.score(example.PLANE[near]).norm(dim=1)
    assert errors[near].mean() < norms.mean()  # less than the score itself: something was learned


def test_the_variances_are_those_of_the_discretised_law(results: Any, example: Any) -> None:
    steps = torch.tensor(example.ETAS, dtype=torch.float64)
    law = 1 / (1 - steps / 2)
    errors = torch.tensor(results["variances"], dtype=torch.float64) / law - 1
    assert (errors.abs() < 4 * math.sqrt(2 / 2_000)).all()  # 2,000 coordinates, independent
    assert results["variances"][-1] > 3  # far from the truth, 1


def test_the_figure_shows_both_clouds_and_both_curves(figure: Figure) -> None:
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:3] == ["Three particles", "Plain", "Annealed"]
    labels = [text.get_text() for text in figure.axes[4].get_legend().get_texts()]
    assert labels == ["plain", "annealed", "truth"]
