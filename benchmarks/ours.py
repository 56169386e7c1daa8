"""Our method, as a newcomer calls it: defaults, the training rows and a seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from time import process_time
from typing import Any

import numpy as np

from benchmarks.peers import N_SAMPLES, Array, Fit
from benchmarks.protocols.digits import Images
from benchmarks.protocols.paths import ROOT
from benchmarks.protocols.tables import Split

GREY_HALF = 8.0


def source_digest() -> str:
    """A digest of the library's source: fits cached under it belong to this version of it.

    The command line and the pictures are left out: a fit does not depend on them.
    """
    package = ROOT / "src" / "scorematching"
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] not in ("cli", "report"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Ours:
    """`sm.fit` at its defaults on a table; a peer among peers (see `benchmarks.peers.Peer`).

    Attributes
    ----------
    source : digest of the library; part of the cache's key.
    """

    source: str = field(default_factory=source_digest)

    @property
    def name(self) -> str:
        return "scorematching"

    def fit(self, split: Split, seed: int) -> Fit:
        import scorematching as sm  # not at the top: the peers alone need none of it

        start = process_time()
        fitted = sm.fit(split.train, validation=split.validation, seed=seed, quiet=True)
        seconds = process_time() - start
        return Fit(
            np.asarray(fitted.log_density(split.validation), dtype=np.float64),
            np.asarray(fitted.log_density(split.test), dtype=np.float64),
            np.asarray(fitted.sample(N_SAMPLES, seed=seed), dtype=np.float64),
            seconds,
            repr(fitted.configuration),
        )


@dataclass(frozen=True)
class DigitsRun:
    """Samples of one fit to the digits.

    Attributes
    ----------
    samples : images with values in [−1, 1], (n, 64).
    evaluations : of the network, a sample.
    fit_seconds, sample_seconds : processor time.
    """

    samples: Images
    evaluations: int
    fit_seconds: float
    sample_seconds: float


def digits_run(train: Images, n: int, seed: int) -> DigitsRun:
    """Fit images (n, 64) with values in [−1, 1] without labels, and draw n samples.

    The library is given what a user has: whole grey values 0 to 16, of shape (n, 1, 8, 8).
    """
    import scorematching as sm

    native = grey_levels(train)
    start = process_time()
    fitted = sm.fit(native, seed=seed, quiet=True)
    fit_seconds = process_time() - start
    start = process_time()
    drawn = fitted.sample(n, seed=seed)
    sample_seconds = process_time() - start
    evaluations = fitted.configuration.sampling.n_evaluations
    return DigitsRun(as_images(drawn), evaluations, fit_seconds, sample_seconds)


def grey_levels(images: Images) -> Array:
    """Images (n, 64) with values in [−1, 1] as whole grey values 0 to 16, (n, 1, 8, 8)."""
    return np.round((images.astype(np.float64) + 1) * GREY_HALF).reshape(-1, 1, 8, 8)


def as_images(grey: Any) -> Images:
    """The inverse of `grey_levels`, of samples in any array."""
    drawn = np.asarray(grey, dtype=np.float64)
    return (drawn.reshape(len(drawn), 64) / GREY_HALF - 1).astype(np.float32)
