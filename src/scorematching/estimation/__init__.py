"""Score matching as statistics: estimates of unnormalised models, with standard errors.

Log-densities linear in θ are solved in closed form, others minimised from several starts; the
covariance is a sandwich, cluster-robust or a bootstrap.
"""

from scorematching.estimation.accumulator import Accumulator
from scorematching.estimation.chunks import Chunks
from scorematching.estimation.constraints import Constraints, constraints
from scorematching.estimation.covariance import (
    Bootstrap,
    ClusterRobust,
    Covariance,
    Sandwich,
    Uncertainty,
)
from scorematching.estimation.dask_rows import DaskRows
from scorematching.estimation.distributed import Shard
from scorematching.estimation.estimate import estimate
from scorematching.estimation.gaussian_moments import GaussianMoments
from scorematching.estimation.matching import matching_loss
from scorematching.estimation.minimisers import LBFGS, TrustRegion
from scorematching.estimation.pairwise_grams import PairwiseGrams
from scorematching.estimation.portions import Portions
from scorematching.estimation.quadratic import Quadratic
from scorematching.estimation.result import Estimate, WaldTest
from scorematching.estimation.selection import (
    CrossValidation,
    cross_validation,
    held_out_objective,
    hyvarinen_score,
    row_objectives,
)
from scorematching.estimation.smic import smic
from scorematching.estimation.solving import statistic_of

__all__ = [
    "LBFGS",
    "Accumulator",
    "Bootstrap",
    "Chunks",
    "ClusterRobust",
    "Constraints",
    "Covariance",
    "CrossValidation",
    "DaskRows",
    "Estimate",
    "GaussianMoments",
    "PairwiseGrams",
    "Portions",
    "Quadratic",
    "Sandwich",
    "Shard",
    "TrustRegion",
    "Uncertainty",
    "WaldTest",
    "constraints",
    "cross_validation",
    "estimate",
    "held_out_objective",
    "hyvarinen_score",
    "matching_loss",
    "row_objectives",
    "smic",
    "statistic_of",
]
