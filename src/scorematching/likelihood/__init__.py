"""Log-densities from scores: the probability flow, and an integral of denoising errors."""

from scorematching.likelihood.bound import DenoisingBound, denoising_bound
from scorematching.likelihood.flow import FlowLogDensity, Prior, flow_log_density
from scorematching.likelihood.probes import FixedProbes

__all__ = [
    "DenoisingBound",
    "FixedProbes",
    "FlowLogDensity",
    "Prior",
    "denoising_bound",
    "flow_log_density",
]
