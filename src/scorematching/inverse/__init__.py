"""Inverse problems: what is measured, y = F(x) + σ_y ε, and estimates of x with a learned prior."""

from scorematching.inverse.ascent import Ascent, ascend
from scorematching.inverse.map import MapEstimate, map_estimate
from scorematching.inverse.measurement import Measurement

__all__ = ["Ascent", "MapEstimate", "Measurement", "ascend", "map_estimate"]
