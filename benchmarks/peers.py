"""The other ways to estimate a density from a table, each at its best by the validation rows.

Question: what do people already have? Every peer sees the training rows to fit and the validation
rows to choose its settings (sizes, bandwidths, when to stop), and the test rows only to be scored.
Fits are kept under ``.bench/`` and found again by the peer's settings and the rows themselves.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from itertools import product
from time import process_time
from typing import Protocol

import numpy as np
import sklearn
import torch
import zuko
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from benchmarks.protocols.paths import CACHE
from benchmarks.protocols.tables import Split

Array = NDArray[np.float64]

N_SAMPLES = 2000
VERSIONS = (sklearn.__version__, torch.__version__, zuko.__version__)


@dataclass(frozen=True)
class Fit:
    """What a peer is compared by.

    Attributes
    ----------
    validation, test : log-densities of those rows in nats, (n_validation,) and (n_test,).
    samples : 2,000 draws, (2000, d).
    seconds : processor time of fitting, over all settings tried; on one thread it is what the
        clock of an idle machine would show.
    settings : those the validation rows chose.
    """

    validation: Array
    test: Array
    samples: Array
    seconds: float
    settings: str


class Peer(Protocol):
    """A density estimator that chooses its own settings by the validation rows.

    A frozen dataclass: its ``repr`` names everything that decides the fit, and is the cache's key.
    """

    @property
    def name(self) -> str:
        """Column title, also part of the cached file's name."""

    def fit(self, split: Split, seed: int) -> Fit:
        """Fit, choose and score."""


@dataclass(frozen=True)
class MixturePeer:
    """scikit-learn's GaussianMixture, full covariances; K and the ridge by the validation rows.

    Attributes
    ----------
    n_components : numbers of components K tried.
    reg_covar : ridges on the covariances' diagonals tried.
    n_init : starts a fit; the best by the training rows is kept.
    """

    n_components: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50)
    reg_covar: tuple[float, ...] = (1e-6, 1e-2, 3e-2, 1e-1)
    n_init: int = 3

    @property
    def name(self) -> str:
        return "gaussian-mixture"

    def fit(self, split: Split, seed: int) -> Fit:
        start = process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # such a fit may still be the best
            fits = [
                GaussianMixture(k, reg_covar=ridge, n_init=self.n_init, random_state=seed).fit(
                    split.train
                )
                for k, ridge in product(self.n_components, self.reg_covar)
            ]
        best = max(fits, key=lambda mixture: mixture.score(split.validation))
        return Fit(
            best.score_samples(split.validation),
            best.score_samples(split.test),
            np.random.default_rng(seed).permutation(best.sample(N_SAMPLES)[0]),
            process_time() - start,
            f"K={best.n_components}, reg_covar={best.reg_covar:g}",
        )


@dataclass(frozen=True)
class KernelPeer:
    """scikit-learn's KernelDensity, Gaussian kernel; the bandwidth by the validation rows.

    Attributes
    ----------
    low, high, steps : bandwidths tried, evenly spaced in their logarithm.
    """

    low: float = 0.05
    high: float = 1.5
    steps: int = 35

    @property
    def name(self) -> str:
        return "kernel-density"

    def fit(self, split: Split, seed: int) -> Fit:
        start = process_time()
        fits = [
            KernelDensity(bandwidth=float(bandwidth)).fit(split.train)
            for bandwidth in np.geomspace(self.low, self.high, self.steps)
        ]
        best = max(fits, key=lambda kernel: kernel.score(split.validation))
        return Fit(
            best.score_samples(split.validation),
            best.score_samples(split.test),
            best.sample(N_SAMPLES, random_state=seed),
            process_time() - start,
            f"bandwidth={best.bandwidth:.3f}",
        )


def cached(peer: Peer, table: str, split: Split, seed: int) -> Fit:
    """The peer's fit to one table and seed, computed once and then read from ``.bench/``."""
    digest = hashlib.sha256(repr((peer, VERSIONS, table, seed)).encode())
    for rows in (split.train, split.validation, split.test):
        digest.update(rows.tobytes())
    path = CACHE / "peers" / f"{peer.name}-{table}-{seed}-{digest.hexdigest()[:12]}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as saved:
            return Fit(
                saved["validation"],
                saved["test"],
                saved["samples"],
                float(saved["seconds"]),
                str(saved["settings"]),
            )
    fit = peer.fit(split, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".partial.npz")  # a killed run leaves no half-written fit behind
    np.savez_compressed(
        unfinished,
        validation=fit.validation,
        test=fit.test,
        samples=fit.samples,
        seconds=np.array(fit.seconds),
        settings=np.array(fit.settings),
    )
    unfinished.replace(path)
    return fit


def best_by_validation(fits: dict[str, Fit]) -> str:
    """Name of the peer whose mean validation log-density is highest."""
    return max(fits, key=lambda name: float(fits[name].validation.mean()))
