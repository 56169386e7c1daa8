"""Is it right? Distances between a model and the truth, each with its Monte Carlo error."""

from scorematching.evaluate.fisher import FisherDivergence, fisher_divergence, half_squared_gap

__all__ = ["FisherDivergence", "fisher_divergence", "half_squared_gap"]
