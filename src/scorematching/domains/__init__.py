"""Where rows live, and the weights that vanish at their boundaries.

A domain gives the weight w(x), the tangent projection P(x) and the surface divergence of the loss
½ s·v + div v, v = P(w · P s); `domain.py` has the protocol, which a class of one's own meets in
ten lines, and `coordinates.py` that of domains matched in other coordinates.
"""

from scorematching.domains.ball import Ball
from scorematching.domains.box import Box
from scorematching.domains.charts import AdditiveLogRatio, Log, Logit, SquareRoot
from scorematching.domains.circle import Circle
from scorematching.domains.coordinates import (
    AnyDomain,
    Chart,
    Charted,
    InCoordinates,
    check_interior,
    coordinates,
    working_rows,
)
from scorematching.domains.domain import Domain, Field, tangent_divergence, weighted_field
from scorematching.domains.euclidean import Euclidean
from scorematching.domains.halfspaces import Halfspaces
from scorematching.domains.orthant import PositiveOrthant
from scorematching.domains.product import Product
from scorematching.domains.simplex import FlatSimplex, LogRatioSimplex, SqrtSimplex
from scorematching.domains.sphere import PositiveSphere, Sphere
from scorematching.domains.weights import Log1p, MinPower, MinSq, Power, ProdSq, Weight

__all__ = [
    "AdditiveLogRatio",
    "AnyDomain",
    "Ball",
    "Box",
    "Chart",
    "Charted",
    "Circle",
    "Domain",
    "Euclidean",
    "Field",
    "FlatSimplex",
    "Halfspaces",
    "InCoordinates",
    "Log",
    "Log1p",
    "LogRatioSimplex",
    "Logit",
    "MinPower",
    "MinSq",
    "PositiveOrthant",
    "PositiveSphere",
    "Power",
    "ProdSq",
    "Product",
    "Sphere",
    "SqrtSimplex",
    "SquareRoot",
    "Weight",
    "check_interior",
    "coordinates",
    "tangent_divergence",
    "weighted_field",
    "working_rows",
]
