"""Information from scores: integrals over the noise that give KL divergences and their kin."""

from scorematching.information.integral import NoiseIntegral
from scorematching.information.kl import kl_divergence

__all__ = ["NoiseIntegral", "kl_divergence"]
