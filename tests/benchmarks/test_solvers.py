"""The benchmark of solvers at a small size: the mixture, the limit, and what is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.solvers import FLOWS, RING, STOCHASTIC, Curve, Truths, Way, limit_of, starts

from benchmarks import solvers, solvers_picture
from scorematching.random import seeded


def test_the_ring_has_eight_unequal_parts_and_the_moments_of_its_samples() -> None:
    assert len(set(RING.weights.tolist())) == len(RING.weights) == 8
    rows = RING.sample(50_000, seeded("rows"))
    torch.testing.assert_close(rows.mean(0), solvers.MEAN, rtol=0, atol=0.03)
    torch.testing.assert_close(torch.cov(rows.T), solvers.SPREAD, rtol=0, atol=0.05)


def test_the_limit_is_the_quantile_of_the_distance_between_two_samples() -> None:
    n, limit = 100, limit_of(100, size=500)
    found = []
    for i in range(200):
        one, other = (RING.sample(n, seeded(i, part)) for part in ("one", "other"))
        rows = other.numpy()
        found.append(Truths((rows,), (solvers.mean_within(rows),)).distance(one))
    assert abs(np.mean(found)) < 4 * np.std(found) / 200**0.5
    above = np.mean(np.array(found) > limit)
    assert above == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / 200) ** 0.5)


@pytest.mark.parametrize("way", [*FLOWS, *STOCHASTIC], ids=lambda way: way.name)
def test_no_way_makes_more_evaluations_than_it_may(way: Way) -> None:
    rows, made = way.samples(starts(20, 0), 10)
    assert 9 <= made <= 10
    assert rows.shape == (20, 2)
    assert torch.isfinite(rows).all()


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    curves = [Curve("a way", [5, 10], [0.1, -1.0]), Curve("adaptive", [20, 30], [1e-3, 1e-4])]
    rows = RING.sample(50, seeded("rows")).numpy()
    path = tmp_path / "picture.png"
    solvers_picture.save(path, {"one": curves, "other": curves}, 1e-3, rows, {"samples": rows})
    assert path.read_bytes().startswith(b"\x89PNG")
