"""Small fits for tests: seconds at most, and one whose density is a Gaussian in closed form."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scorematching.configuration import overridden
from scorematching.data import as_dataset
from scorematching.defaults import choose
from scorematching.fitted import FittedScore
from scorematching.fitting import fit

#: A residual network that trains at a millisecond a step.
SMALL = {"net": {"width": 32, "n_blocks": 1}, "training": {"n_members": 1}}
SMALL_IMAGES = {
    "net": {"channels": [8]},
    "training": {"batch_size": 16},
    "likelihood": {"n_steps": 2, "n_probes": 2},
}
#: So small a rate that the network's output stays zero: the model is its Gaussian base.
UNTRAINED = {"training": {"learning_rate": 1e-30}, "validation_fraction": 0.0}


def quick(
    x: Any, steps: int = 1, settings: Mapping[str, Any] | None = None, **options: Any
) -> FittedScore:
    """A fit of a few steps of a small network."""
    images = np.ndim(x) >= 3 and is_image(x)
    configuration = merged(SMALL_IMAGES if images else SMALL, settings or {})
    if "net" in options:
        configuration = {k: v for k, v in configuration.items() if k != "net"}
    return fit(x, max_steps=steps, configuration=configuration, quiet=True, **options)


def untrained(x: Any, **options: Any) -> FittedScore:
    """The closed-form Gaussian of preprocessed rows, as a fitted score."""
    return quick(x, 1, UNTRAINED, **options)


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings, those of the second before those of the first."""
    out = dict(first)
    for name, value in second.items():
        both = isinstance(value, Mapping) and isinstance(out.get(name), Mapping)
        out[name] = {**out[name], **value} if both else value
    return out


def is_image(x: Any) -> bool:
    """Whether an array gets a U-Net by default."""
    return choose(as_dataset(np.asarray(x))).configuration.net.type == "UNet"


def gaussian_rows(n: int, d: int, seed: int = 0) -> NDArray[np.float64]:
    """Rows of a correlated Gaussian with columns of different scales."""
    rng = np.random.default_rng((seed, n, d))
    return rng.normal(size=(n, d)) @ mixing(d) + 5


def mixing(d: int) -> NDArray[np.float64]:
    """A matrix whose Gram matrix is the covariance of `gaussian_rows`."""
    return np.random.default_rng(d).normal(size=(d, d)) + np.diag(np.linspace(1, 3, d))


def changed(fitted: FittedScore, **sections: Any) -> FittedScore:
    """The model with other settings."""
    configuration = overridden(fitted.configuration, sections, "the test")
    return dataclasses.replace(fitted, configuration=configuration)


def weights(fitted: FittedScore) -> Tensor:
    """All parameters of the network in one row of doubles."""
    return torch.cat([each.flatten().double() for each in fitted.denoiser.net.parameters()])
