"""Where rows live, and the weights that vanish at their boundaries.

A domain gives the weight w(x), the tangent projection P(x) and the surface divergence of the loss
½ s·v + div v, v = P(w · P s); `domain.py` has the protocol, which a class of one's own meets in
ten lines.
"""

from scorematching.domains.domain import Domain, tangent_divergence, weighted_field
from scorematching.domains.euclidean import Euclidean
from scorematching.domains.orthant import PositiveOrthant
from scorematching.domains.weights import Log1p, MinPower, MinSq, Power, ProdSq, Weight

__all__ = [
    "Domain",
    "Euclidean",
    "Log1p",
    "MinPower",
    "MinSq",
    "PositiveOrthant",
    "Power",
    "ProdSq",
    "Weight",
    "tangent_divergence",
    "weighted_field",
]
