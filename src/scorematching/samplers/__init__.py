"""Samples from scores: one loop `walk`, steps that are pure functions, grids of times."""

from scorematching.samplers.annealed import AnnealedLangevin, annealed_langevin
from scorematching.samplers.diffusion import Diffusion, Solve, Solver
from scorematching.samplers.flow import DPMSolver2M, Euler, Heun, RungeKutta4, probability_flow
from scorematching.samplers.grids import Grid, KarrasGrid, LadderGrid, LogUniformGrid
from scorematching.samplers.langevin import UnadjustedLangevin, ula
from scorematching.samplers.prior import NoisedGaussian, prior_sample
from scorematching.samplers.reverse import EulerMaruyama, SDEDPMSolver2M, reverse_sde
from scorematching.samplers.walk import Noise, Progress, Step, Walk, walk

__all__ = [
    "AnnealedLangevin",
    "DPMSolver2M",
    "Diffusion",
    "Euler",
    "EulerMaruyama",
    "Grid",
    "Heun",
    "KarrasGrid",
    "LadderGrid",
    "LogUniformGrid",
    "Noise",
    "NoisedGaussian",
    "Progress",
    "RungeKutta4",
    "SDEDPMSolver2M",
    "Solve",
    "Solver",
    "Step",
    "UnadjustedLangevin",
    "Walk",
    "annealed_langevin",
    "prior_sample",
    "probability_flow",
    "reverse_sde",
    "ula",
    "walk",
]
