"""Samples from scores: one loop `walk`, steps that are pure functions, grids of times."""

from scorematching.samplers.adaptive import Tolerance, adaptive_flow
from scorematching.samplers.adaptive_sde import adaptive_sde
from scorematching.samplers.ancestral import DDIM
from scorematching.samplers.annealed import (
    AnnealedLangevin,
    ConsistentAnnealed,
    annealed_langevin,
)
from scorematching.samplers.churn import ChurnedHeun
from scorematching.samplers.corrector import PredictorCorrector
from scorematching.samplers.diffusion import Diffusion, Solve, Solver, run_backwards
from scorematching.samplers.embedded import (
    BOGACKI_SHAMPINE,
    DORMAND_PRINCE,
    EmbeddedRungeKutta,
    Pair,
)
from scorematching.samplers.flow import Euler, Heun, RungeKutta4, probability_flow
from scorematching.samplers.grids import (
    Grid,
    KarrasGrid,
    LadderGrid,
    LevelGrid,
    LogUniformGrid,
    TimeUniformGrid,
)
from scorematching.samplers.guidance import Guided
from scorematching.samplers.improved_euler import ImprovedEuler
from scorematching.samplers.langevin import UnadjustedLangevin, ula
from scorematching.samplers.multistep import DPMSolver2M, DPMSolver3M, UniPC
from scorematching.samplers.optimised import optimised_grid
from scorematching.samplers.prior import NoisedGaussian, prior_sample
from scorematching.samplers.reverse import EulerMaruyama, SDEDPMSolver2M, reverse_sde
from scorematching.samplers.walk import Noise, Progress, Step, Walk, walk

__all__ = [
    "BOGACKI_SHAMPINE",
    "DDIM",
    "DORMAND_PRINCE",
    "AnnealedLangevin",
    "ChurnedHeun",
    "ConsistentAnnealed",
    "DPMSolver2M",
    "DPMSolver3M",
    "Diffusion",
    "EmbeddedRungeKutta",
    "Euler",
    "EulerMaruyama",
    "Grid",
    "Guided",
    "Heun",
    "ImprovedEuler",
    "KarrasGrid",
    "LadderGrid",
    "LevelGrid",
    "LogUniformGrid",
    "Noise",
    "NoisedGaussian",
    "Pair",
    "PredictorCorrector",
    "Progress",
    "RungeKutta4",
    "SDEDPMSolver2M",
    "Solve",
    "Solver",
    "Step",
    "TimeUniformGrid",
    "Tolerance",
    "UnadjustedLangevin",
    "UniPC",
    "Walk",
    "adaptive_flow",
    "adaptive_sde",
    "annealed_langevin",
    "optimised_grid",
    "prior_sample",
    "probability_flow",
    "reverse_sde",
    "run_backwards",
    "ula",
    "walk",
]
