"""How data are turned into noise, x_t = α(t) x + σ(t) z, and the way back by Tweedie's formula."""

from scorematching.noise.advice import NoiseAdvice, advise, advise_for
from scorematching.noise.cosine import Cosine
from scorematching.noise.edm import EDM
from scorematching.noise.kernels import GaussianKernel, LaplaceKernel, NoiseKernel
from scorematching.noise.ladder import Ladder
from scorematching.noise.process import Process
from scorematching.noise.square_root import SquareRoot
from scorematching.noise.straight_line import StraightLine
from scorematching.noise.subvp import SubVP
from scorematching.noise.tweedie import (
    DenoiserScore,
    ScoreDenoiser,
    ScoreVelocity,
    VelocityScore,
    denoiser_from_score,
    noise_from_score,
    score_from_denoiser,
    score_from_noise,
    score_from_velocity,
    velocity_from_score,
)
from scorematching.noise.unconditional import UnconditionalScore
from scorematching.noise.ve import VE
from scorematching.noise.vp import VP

__all__ = [
    "EDM",
    "VE",
    "VP",
    "Cosine",
    "DenoiserScore",
    "GaussianKernel",
    "Ladder",
    "LaplaceKernel",
    "NoiseAdvice",
    "NoiseKernel",
    "Process",
    "ScoreDenoiser",
    "ScoreVelocity",
    "SquareRoot",
    "StraightLine",
    "SubVP",
    "UnconditionalScore",
    "VelocityScore",
    "advise",
    "advise_for",
    "denoiser_from_score",
    "noise_from_score",
    "score_from_denoiser",
    "score_from_noise",
    "score_from_velocity",
    "velocity_from_score",
]
