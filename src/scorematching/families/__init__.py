"""Families of densities known up to their constant: θ, its names, statistics, fitted densities.

=====================  ===============================================  ========================
family                 log-density up to a constant                     lives on
=====================  ===============================================  ========================
Gaussian               −½ xᵀKx + ηᵀx                                    ℝᵈ, or truncated
PairwiseInteraction    −(xᵃ)ᵀK xᵃ/(2a) + ηᵀ(xᵇ − 1)/b                   positive orthant
ExponentialPower       −(|x − m|/α)^β                                   ℝ
PolynomialExponential  Σ θ_k xᵏ                                         ℝ, or an interval
Gamma                  (α − 1) log x − βx                               (0, ∞)
Weibull                (k − 1) log x − (x/λ)ᵏ                           (0, ∞)
Beta                   (α − 1) log x + (β − 1) log(1 − x)               (0, 1)
VonMises               κ cos(φ − μ)                                     circle, in angles
VonMisesFisher         κμᵀx                                             sphere
Watson                 κ(μᵀx)²                                          sphere
Bingham                xᵀAx                                             sphere
FisherBingham          xᵀAx + bᵀx                                       sphere
Dirichlet              Σ βⱼ log xⱼ                                      simplex
PPI                    x_LᵀA_L x_L + b_Lᵀx_L + Σ βⱼ log xⱼ              simplex
IndependentComponents  Σ log g(w_kᵀx)                                   ℝᵈ
=====================  ===============================================  ========================
"""

from scorematching.families.amari import amari_distance
from scorematching.families.beta import Beta, BetaDensity
from scorematching.families.bingham import Bingham, FisherBingham, FisherBinghamDensity
from scorematching.families.dirichlet import Dirichlet, DirichletDensity
from scorematching.families.exponential_power import ExponentialPower, ExponentialPowerDensity
from scorematching.families.family import (
    ChoosesDomain,
    Family,
    FittedDensity,
    LinearFamily,
    ModelsDomains,
    PrescribedFit,
    PrescribesFit,
    WritesLoss,
    prescribes,
)
from scorematching.families.gamma import Gamma, GammaDensity
from scorematching.families.gaussian import Gaussian
from scorematching.families.independent_components import (
    IndependentComponents,
    IndependentComponentsDensity,
)
from scorematching.families.linear import FamilyDensity, LinearDensity
from scorematching.families.normal import GaussianDensity
from scorematching.families.pairwise import (
    LogNormalDensity,
    PairwiseDensity,
    PairwiseInteraction,
)
from scorematching.families.polynomial import PolynomialDensity, PolynomialExponential
from scorematching.families.ppi import PPI, PPIDensity
from scorematching.families.restricted import model_on
from scorematching.families.truncated import TruncatedGaussian, TruncatedNormal
from scorematching.families.von_mises import VonMises, VonMisesDensity
from scorematching.families.von_mises_fisher import VonMisesFisher, VonMisesFisherDensity
from scorematching.families.watson import Watson, WatsonDensity
from scorematching.families.weibull import Weibull, WeibullDensity

__all__ = [
    "PPI",
    "Beta",
    "BetaDensity",
    "Bingham",
    "ChoosesDomain",
    "Dirichlet",
    "DirichletDensity",
    "ExponentialPower",
    "ExponentialPowerDensity",
    "Family",
    "FamilyDensity",
    "FisherBingham",
    "FisherBinghamDensity",
    "FittedDensity",
    "Gamma",
    "GammaDensity",
    "Gaussian",
    "GaussianDensity",
    "IndependentComponents",
    "IndependentComponentsDensity",
    "LinearDensity",
    "LinearFamily",
    "LogNormalDensity",
    "ModelsDomains",
    "PPIDensity",
    "PairwiseDensity",
    "PairwiseInteraction",
    "PolynomialDensity",
    "PolynomialExponential",
    "PrescribedFit",
    "PrescribesFit",
    "TruncatedGaussian",
    "TruncatedNormal",
    "VonMises",
    "VonMisesDensity",
    "VonMisesFisher",
    "VonMisesFisherDensity",
    "Watson",
    "WatsonDensity",
    "Weibull",
    "WeibullDensity",
    "WritesLoss",
    "amari_distance",
    "model_on",
    "prescribes",
]
