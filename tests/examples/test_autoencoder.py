"""The numbers of examples/autoencoder.py against its energy and the best reconstruction."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

import scorematching as sm


def posterior_mean(x: torch.Tensor, example: ModuleType) -> torch.Tensor:
    """E[x | x̃] of points c on the curve, thickened to N(c, 0.01 I), at σ = 1, by Bayes' rule."""
    away = x[:, None] - example.CURVE
    weight = torch.softmax(-away.square().sum(2) / (2 * 1.01), 1)
    return x - weight[:, :, None].mul(away).sum(1) / 1.01


def test_the_best_reconstruction_is_the_posterior_mean(results: Any, example: Any) -> None:
    expected = posterior_mean(results["noised"], example)
    torch.testing.assert_close(results["best"], expected, rtol=0, atol=1e-4)


def test_the_arrows_go_down_the_energy(results: Any) -> None:
    """r(x) − x = −∇E(x) at σ = 1."""
    net, x = results["net"], results["noised"][:50]
    torch.testing.assert_close(net(x) - x, sm.from_energy(net.energy)(x), rtol=1e-4, atol=1e-4)


def test_what_the_loss_has_above_the_least_is_the_distance_from_the_best(results: Any) -> None:
    """E ½‖r − x‖² = E ½‖r* − x‖² + E ½‖r − r*‖², r* = E[x | x̃], within the noise of the draws."""
    found, best, rows = results["found"], results["best"], results["rows"]
    gap = (found - best).square().sum(1) / 2
    cross = ((found - best) * (best - rows)).sum(1)
    error = (cross.std() / math.sqrt(len(rows))).item()
    above = results["loss_found"] - results["loss_best"]
    assert above == pytest.approx(gap.mean().item(), abs=4 * error)
    assert above > 0


def test_the_best_reconstruction_projects_onto_the_curve(results: Any) -> None:
    """Noise across the curve has E|z| = √(2/π); a hundredth of its variance is the data's own."""
    assert results["away_noised"] == pytest.approx(math.sqrt(2 / math.pi), abs=0.08)
    assert results["away_best"] < 0.15
    assert results["away_found"] < results["away_noised"]


@pytest.mark.slow
def test_at_full_size_the_chain_ends_on_the_curve(example: Any) -> None:
    results = example.compute()
    assert results["away_found"] < 0.4
    assert results["away_made"] < 0.4
    # And all along it, though not evenly: x₁ in order is 1.04 from that of the data,
    # of 24 from end to end. In one place they would be 6 away.
    made, rows = (results[name][:, 0].sort().values for name in ("made", "rows"))
    assert (made - rows).abs().mean() < 1.5


def test_the_figure_shows_the_arrows_the_energies_and_the_chain(figure: Figure) -> None:
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[3:] == ["chain at σ = 16", "chain at σ = 2", "end of the chain"]
