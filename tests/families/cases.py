"""One θ inside the parameter space of every family, for the tests that hold all of them to one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching import families
from scorematching.families import Family, FittedDensity, LinearFamily


@dataclass(frozen=True)
class Case:
    """A family, θ, and rows ``(n, d)`` of its domain."""

    family: LinearFamily | Family
    theta: Tensor
    x: Tensor

    def __str__(self) -> str:
        return type(self.family).__name__ + f"{self.family.d}"

    @property
    def model(self) -> FittedDensity:
        return self.family.model(self.theta)


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def directions(*rows: tuple[float, ...]) -> Tensor:
    x = torch.tensor(rows, dtype=torch.float64)
    return x / x.norm(dim=1, keepdim=True)


K3 = torch.tensor([[2.0, 0.5, -0.3], [0.5, 1.5, 0.2], [-0.3, 0.2, 1.0]], dtype=torch.float64)
ETA3 = vector(0.4, -0.7, 1.1)
REAL3 = torch.tensor([[0.3, -1.2, 0.8], [1.7, 0.4, -0.5], [-0.6, 0.9, 2.0]], dtype=torch.float64)
POSITIVE3 = REAL3.abs()
REAL1 = REAL3[:, :1]
POSITIVE1 = REAL1.abs()
SPHERE3 = directions((0.3, -1.2, 0.8), (1.7, 0.4, -0.5), (-0.6, 0.9, 2.0))
SPHERE4 = directions((0.3, -1.2, 0.8, 0.1), (1.7, 0.4, -0.5, 2.0), (-0.6, 0.9, 2.0, -1.0))
SIMPLEX3 = torch.tensor([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1], [0.05, 0.8, 0.15]], dtype=torch.float64)
A3 = torch.tensor([[1.5, -0.8, 0.3], [-0.8, -2.0, 0.6], [0.3, 0.6, 0.5]], dtype=torch.float64)
A4 = torch.diag(vector(3.0, -1.0, -3.5, 1.5)) + 0.4 * (1 - torch.eye(4, dtype=torch.float64))
W3 = torch.tensor([[1.2, 0.3, -0.5], [0.1, 0.9, 0.6], [-0.4, 0.2, 1.1]], dtype=torch.float64)

PPI3 = families.PPI(3)
PPI_THETA = PPI3.theta(
    torch.tensor([[-3.0, 2.0], [2.0, -5.0]], dtype=torch.float64),
    vector(1.0, 2.0),
    vector(-0.4, 0.6, -0.2),
)

LINEAR = [
    Case(families.Gaussian(3), families.Gaussian(3).theta(K3, ETA3), REAL3),
    *(
        Case(family, family.theta(K3, vector(0.4, -0.7, -0.2)), POSITIVE3)
        for family in (
            families.PairwiseInteraction(3, 0.5, 0.5),
            families.PairwiseInteraction(3, 1.0, 0.0),
            families.PairwiseInteraction(3, 1.0, 1.0),
            families.PairwiseInteraction(3, 0.0, 0.0),
            families.PairwiseInteraction(3, 1.5, 0.7),
        )
    ),
    Case(families.Gamma(), vector(2.3, 1.7), POSITIVE1),
    Case(families.Beta(), vector(0.7, 2.4), SIMPLEX3[:, :1]),
    Case(families.PolynomialExponential(4), vector(0.3, 1.0, -0.4, -0.3), REAL1),
    Case(families.VonMises(), vector(-1.5, 0.8), REAL1),
    Case(families.VonMisesFisher(3), vector(1.5, -2.0, 0.7), SPHERE3),
    Case(families.Bingham(4), families.Bingham(4).theta(A4), SPHERE4),
    Case(
        families.FisherBingham(3),
        families.FisherBingham(3).theta(A3, vector(0.5, -1.0, 2.0)),
        SPHERE3,
    ),
    Case(families.Dirichlet(3), vector(-0.6, 0.4, 2.0), SIMPLEX3),
    Case(PPI3, PPI_THETA, SIMPLEX3),
]
OTHERS = [
    Case(families.ExponentialPower(0.3), vector(1.4, 2.6), REAL1),
    Case(families.Weibull(), vector(1.8, 0.7), POSITIVE1),
    Case(families.Watson(3), torch.cat([vector(2.5), directions((1.0, -2.0, 0.5))[0]]), SPHERE3),
    Case(families.IndependentComponents(3), W3.flatten(), REAL3),
    Case(families.IndependentComponents(2, 3), W3[:, :2].flatten(), REAL3[:, :2]),
]
ALL = LINEAR + OTHERS
