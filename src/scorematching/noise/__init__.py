"""How data are turned into noise, x_t = α(t) x + σ(t) z, and the way back by Tweedie's formula."""

from scorematching.noise.edm import EDM
from scorematching.noise.kernels import GaussianKernel, LaplaceKernel, NoiseKernel
from scorematching.noise.ladder import Ladder
from scorematching.noise.process import Process
from scorematching.noise.tweedie import (
    DenoiserScore,
    ScoreDenoiser,
    denoiser_from_score,
    noise_from_score,
    score_from_denoiser,
    score_from_noise,
    score_from_velocity,
    velocity_from_score,
)
from scorematching.noise.ve import VE
from scorematching.noise.vp import VP

__all__ = [
    "EDM",
    "VE",
    "VP",
    "DenoiserScore",
    "GaussianKernel",
    "Ladder",
    "LaplaceKernel",
    "NoiseKernel",
    "Process",
    "ScoreDenoiser",
    "denoiser_from_score",
    "noise_from_score",
    "score_from_denoiser",
    "score_from_noise",
    "score_from_velocity",
    "velocity_from_score",
]
