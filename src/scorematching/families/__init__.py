"""Families of densities known up to their constant: θ, its names, statistics, fitted densities."""

from scorematching.families.family import (
    Family,
    FittedDensity,
    LinearFamily,
    ModelsDomains,
    PrescribedFit,
    PrescribesFit,
)
from scorematching.families.gaussian import Gaussian, GaussianDensity

__all__ = [
    "Family",
    "FittedDensity",
    "Gaussian",
    "GaussianDensity",
    "LinearFamily",
    "ModelsDomains",
    "PrescribedFit",
    "PrescribesFit",
]
