"""Densities whose every quantity is known in closed form: truths for tests, priors for flows."""

from scorematching.densities.mixture import DiffusedScore, GaussianMixture, gaussian

__all__ = ["DiffusedScore", "GaussianMixture", "gaussian"]
