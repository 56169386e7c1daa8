"""Quality of generated 8×8 digits, the same for every method.

Question: are the samples as good as fresh data, and are they new? The limit is the training split
itself: Fréchet 1.25, two-sample accuracy 0.50, neighbour ratio 1. Never quote the Fréchet distance
without the ratio: copies of the training rows score 1.5.

scikit-learn's digits with values in [−1, 1]; a fifth of them (split seed 0) is held out for these
metrics only, and a method trains on the other rows.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from benchmarks.protocols.paths import SHARED

Array = NDArray[np.float64]
Images = NDArray[np.float32]

WEIGHTS = SHARED / "protocols" / "digits_features.npz"
GREY_LEVELS = 17
TOTAL_VARIANCE = 100.0


@dataclass(frozen=True)
class Digits:
    """Images (n, 64) with values in [−1, 1] and their labels (n,), for training and held out."""

    train: Images
    held_out: Images
    train_labels: NDArray[np.int64]
    held_out_labels: NDArray[np.int64]


@dataclass(frozen=True)
class Quality:
    """One row of the table; for the training split itself see the module's first lines.

    Attributes
    ----------
    frechet : Fréchet distance to the held-out images in the feature net.
    c2st_lr, c2st_mlp : accuracy of a logistic and of a neural classifier; 0.5 is perfect.
    nn_ratio : median distance of a sample to its nearest training image over that of a held-out
        image; far below 1 is copying, above 1 is noise.
    copies : share of samples nearer to a training image than the nearest 1% of held-out images.
    nonfinite : samples with a value that is not finite.
    """

    n: int
    frechet: float
    c2st_lr: float
    c2st_mlp: float
    nn_ratio: float
    copies: float
    nonfinite: int

    def as_dict(self) -> dict[str, float]:
        """The fields by name, for logs and means over seeds."""
        return asdict(self)


def split() -> Digits:
    """The 1,437 training and 360 held-out images."""
    pixels, labels = load_digits(return_X_y=True)
    images = (pixels / 8.0 - 1.0).astype(np.float32)
    return Digits(*train_test_split(images, labels, test_size=0.2, random_state=0))


@dataclass(frozen=True)
class FeatureNet:
    """The fixed classifier's 64 penultimate features, scaled to a total training variance of 100.

    Called on images (n, 64), gives features (n, 64) in float64.
    """

    body: nn.Sequential
    scale: float

    def __call__(self, images: Images) -> Array:
        return self.unscaled(images) * self.scale

    @torch.no_grad()
    def unscaled(self, images: Images) -> Array:
        """The features as the classifier was trained to give them."""
        features: Tensor = self.body(torch.from_numpy(images).view(-1, 1, 8, 8))
        return features.double().numpy()


def feature_net(train: Images) -> FeatureNet:
    """The published feature net; ``train`` (n, 64) fixes the unit of its features.

    Raises
    ------
    FileNotFoundError
        If the weights are not at ``../shared/protocols/digits_features.npz``.
    """
    body = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1, stride=2), nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1, stride=2), nn.ReLU(),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(256, 64), nn.ReLU(),
    )  # fmt: skip
    prefix = "body."
    with np.load(WEIGHTS, allow_pickle=False) as weights:
        body.load_state_dict(
            {
                name.removeprefix(prefix): torch.from_numpy(weights[name])
                for name in weights.files
                if name.startswith(prefix)
            }
        )
    unit = FeatureNet(body.eval(), scale=1.0)
    variance = unit.unscaled(train).var(axis=0, ddof=1).sum()
    return FeatureNet(unit.body, scale=float(np.sqrt(TOTAL_VARIANCE / variance)))


def frechet_distance(a: Array, b: Array) -> float:
    """‖μₐ − μ_b‖² + tr(A + B − 2(AB)^½) of the Gaussians fitted to two samples (n, k), (m, k).

    tr (AB)^½ = tr (A^½ B A^½)^½, whose argument is symmetric: a dead feature does no harm.

    References
    ----------
    Dowson & Landau, "The Fréchet distance between multivariate normal distributions", 1982.
    """
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(cov_a)
    root_a = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root_a @ cov_b @ root_a).clip(min=0)).sum()
    shift = a.mean(axis=0) - b.mean(axis=0)
    return float(shift @ shift + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)


def logistic() -> Pipeline:
    """The weaker judge, ``c2st_lr``."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, C=0.1))


def mlp() -> Pipeline:
    """The stronger judge, ``c2st_mlp``."""
    net = MLPClassifier((64,), max_iter=60, alpha=1e-2, random_state=0)
    return make_pipeline(StandardScaler(), net)


def two_sample_accuracy(judge: Pipeline, samples: Images, images: Images, *, seed: int) -> float:
    """5-fold accuracy of a classifier on as many samples as images, drawn at random."""
    size = min(len(samples), len(images))
    rng = np.random.default_rng(seed)
    drawn = [part[rng.permutation(len(part))[:size]] for part in (samples, images)]
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 60 steps are the protocol's
        scores = cross_val_score(
            judge, np.concatenate(drawn), np.repeat([0.0, 1.0], size), cv=folds
        )
    return float(scores.mean())


def nearest_distance(x: Images, to: Images) -> Array:
    """Euclidean distance of each row of x to its nearest row of ``to``: (n,)."""
    squared = (x**2).sum(1)[:, None] + (to**2).sum(1)[None] - 2 * x @ to.T
    nearest: Array = np.sqrt(squared.clip(min=0)).min(axis=1)
    return nearest


def rounded(samples: Images) -> Images:
    """The nearest of the 17 grey levels: digits take no other, which any classifier would spot."""
    half = (GREY_LEVELS - 1) / 2
    return (np.round((samples.clip(-1, 1) + 1) * half) / half - 1).astype(np.float32)


def evaluate(samples: Images) -> Quality:
    """Measure samples of shape (n, 64), (n, 8, 8) or (n, 1, 8, 8) with values in [−1, 1].

    Values that are not finite are counted, then taken for 0, 1 or −1; all are clipped and rounded
    to the grey levels. The two accuracies are means over three random subsets.
    """
    raw = np.asarray(samples, dtype=np.float32).reshape(len(samples), 64)
    nonfinite = int((~np.isfinite(raw)).any(axis=1).sum())
    images = rounded(np.nan_to_num(raw, nan=0.0, posinf=1.0, neginf=-1.0))
    digits = split()
    features = feature_net(digits.train)
    to_train = nearest_distance(images, digits.train)
    fresh = nearest_distance(digits.held_out, digits.train)

    def accuracy(judge: Pipeline) -> float:
        seeds = range(3)
        runs = [two_sample_accuracy(judge, images, digits.held_out, seed=seed) for seed in seeds]
        return float(np.mean(runs))

    return Quality(
        n=len(images),
        frechet=frechet_distance(features(images), features(digits.held_out)),
        c2st_lr=accuracy(logistic()),
        c2st_mlp=accuracy(mlp()),
        nn_ratio=float(np.median(to_train) / np.median(fresh)),
        copies=float((to_train < np.quantile(fresh, 0.01)).mean()),
        nonfinite=nonfinite,
    )
