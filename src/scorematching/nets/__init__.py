"""Networks. They are ordinary modules; any other ``nn.Module`` works in their place."""

from scorematching.nets.conditional_base import BaseForRows, ConditionalBase
from scorematching.nets.dae import TiedAutoencoder
from scorematching.nets.ensemble import Ensemble
from scorematching.nets.gaussian_base import GaussianBase, NoisedBase
from scorematching.nets.given import Conditioned, Given, absent, dropped
from scorematching.nets.mlp import ResidualMLP
from scorematching.nets.preconditioning import PreconditionedDenoiser, UnitOutputWeight
from scorematching.nets.unet import UNet

__all__ = [
    "BaseForRows",
    "ConditionalBase",
    "Conditioned",
    "Ensemble",
    "GaussianBase",
    "Given",
    "NoisedBase",
    "PreconditionedDenoiser",
    "ResidualMLP",
    "TiedAutoencoder",
    "UNet",
    "UnitOutputWeight",
    "absent",
    "dropped",
]
