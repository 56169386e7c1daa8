"""Networks. They are ordinary modules; any other ``nn.Module`` works in their place."""

from scorematching.nets.dae import TiedAutoencoder
from scorematching.nets.ensemble import Ensemble
from scorematching.nets.gaussian_base import GaussianBase, NoisedBase
from scorematching.nets.mlp import ResidualMLP
from scorematching.nets.preconditioning import (
    ForClasses,
    PreconditionedDenoiser,
    UnitOutputWeight,
)
from scorematching.nets.unet import UNet

__all__ = [
    "Ensemble",
    "ForClasses",
    "GaussianBase",
    "NoisedBase",
    "PreconditionedDenoiser",
    "ResidualMLP",
    "TiedAutoencoder",
    "UNet",
    "UnitOutputWeight",
]
