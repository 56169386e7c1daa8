"""What is minimised to learn a score; every objective returns one loss per row, ``(n,)``."""

from scorematching.objectives.dae import ReconstructionScore, ScoreReconstruction, dae
from scorematching.objectives.dsm import dsm
from scorematching.objectives.esm import esm
from scorematching.objectives.fd_ssm import fd_ssm
from scorematching.objectives.importance import (
    ImportanceWeight,
    LikelihoodTimes,
    TimesWithDensity,
)
from scorematching.objectives.ism import ism
from scorematching.objectives.ncsn import ncsn
from scorematching.objectives.ssm import ssm
from scorematching.objectives.times import LogNormalTimes, Times, UniformLevels, UniformTimes
from scorematching.objectives.weights import (
    EDMWeight,
    FlowMatching,
    Likelihood,
    MinSNR,
    SigmaSquared,
    Weight,
)

__all__ = [
    "EDMWeight",
    "FlowMatching",
    "ImportanceWeight",
    "Likelihood",
    "LikelihoodTimes",
    "LogNormalTimes",
    "MinSNR",
    "ReconstructionScore",
    "ScoreReconstruction",
    "SigmaSquared",
    "Times",
    "TimesWithDensity",
    "UniformLevels",
    "UniformTimes",
    "Weight",
    "dae",
    "dsm",
    "esm",
    "fd_ssm",
    "ism",
    "ncsn",
    "ssm",
]
