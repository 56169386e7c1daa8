"""Samples of white wine: can trees tell them from held-out rows?

Question: do 2,000 samples look like the test rows, in the protocol's whitened space? The limit is
the training rows themselves, which trees at their defaults should hardly tell from test rows
(0.50). Aimed at: accuracy at most 0.60 and below the Gaussian mixture's; energy distance below the
mixture's. Mean of 5 balanced subsets and 3 seeds.

    python -m benchmarks.tables_c2st
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks import spline_flow
from benchmarks.ours import Ours
from benchmarks.peers import N_SAMPLES, MixturePeer, Peer, cached
from benchmarks.protocols.metrics import classifier_accuracy, energy_distance
from benchmarks.protocols.tables import Split, split
from benchmarks.tables import markdown
from benchmarks.timing import one_thread

Array = NDArray[np.float64]

TABLE = "white-wine"
FLOOR = "training rows"


@dataclass(frozen=True)
class Distances:
    """How far one method's samples are from the test rows, on one seed."""

    accuracy: float
    energy: float


def samples_of(method: Peer | None, rows: Split, seed: int) -> Array:
    """2,000 samples of a method, or for None as many different training rows: the floor."""
    if method is None:
        chosen = np.random.default_rng(seed).permutation(len(rows.train))[:N_SAMPLES]
        return rows.train[chosen]
    return cached(method, TABLE, rows, seed).samples


def measured(samples: Array, rows: Split, seed: int) -> Distances:
    """Both distances to the test rows."""
    return Distances(
        classifier_accuracy(samples, rows.test, seed=seed), energy_distance(samples, rows.test)
    )


def line(name: str, runs: Sequence[Distances]) -> list[str]:
    """One row of the table: means over seeds, and the seeds themselves."""
    accuracies, energies = [r.accuracy for r in runs], [r.energy for r in runs]
    each = ", ".join(f"{value:.3f}" for value in accuracies)
    return [name, f"{np.mean(accuracies):.3f}", each, f"{np.mean(energies):.4f}"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure ours, the peers and the floor, and print a markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--peers-only", action="store_true", help="leave our method out")
    options = parser.parse_args(arguments)
    methods: list[Peer | None] = [None, MixturePeer(), spline_flow.tuned()]
    if not options.peers_only:
        methods.append(Ours())
    table = []
    with one_thread():
        for method in methods:
            runs, name = [], FLOOR if method is None else method.name
            for seed in options.seeds:
                rows = split(TABLE, seed)
                runs.append(measured(samples_of(method, rows, seed), rows, seed))
                print(f"{name} seed {seed}: {runs[-1]}", file=sys.stderr, flush=True)
            table.append(line(name, runs))
    print(markdown([TABLE, "accuracy", "seeds", "energy distance"], table))


if __name__ == "__main__":
    main()
