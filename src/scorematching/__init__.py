"""Learn the score ∇ₓ log p from data, and use it. The index of the house.

=====================================================  ==================  =========================
equation                                               name                paper
=====================================================  ==================  =========================
s = ∇ log p = −∇φ                                      score_of,           Hyvärinen 2005
                                                       from_energy
∇·s, Δ log p                                           divergence,
                                                       laplacian
tr A = E[vᵀAv]                                         Hutchinson          Hutchinson 1990
tr A = tr(QᵀAQ) + E[wᵀAw]                              HutchPlusPlus       Meyer et al. 2021
E ½‖s_θ − s‖²                                          esm                 Hyvärinen 2005
E[tr ∂s_θ + ½‖s_θ‖²]                                   ism                 Hyvärinen 2005
E[ism + λ Σⱼ (∂ⱼs_θ,ⱼ)²]                               ism                 Kingma & LeCun 2010
E[vᵀ∂s_θ v + ½(vᵀs_θ)²]                                ssm                 Song et al. 2019
vᵀ(s₊ − s₋)/(2ε) + ½‖s̄‖²                               fd_ssm              Pang et al. 2020
D_F(p‖q) = E_p ½‖∇log p − ∇log q‖²                     fisher_divergence   Hyvärinen 2005
KL(p‖q) = ∫ 2σ² D_F(p_σ‖q_σ) d ln σ                    kl_divergence       Lyu 2009
E ½‖s_θ(x+σz) + z/σ‖²                                  dsm                 Vincent 2011,
                                                                           Wang et al. 2020
E ½‖r_θ(x+σz) − x‖²                                    dae                 Vincent 2011
Σ λ(σᵢ) · dsm at σᵢ                                    ncsn                Song & Ermon 2019
θ̂ = −A⁻¹b, A⁻¹ΣA⁻¹/n                                   estimate            Hyvärinen 2007
x_t = α(t)x + σ(t)z                                    noise               Song et al. 2021
x_t = (1−t)x + t z, u = E[z − x∣x_t]                   noise.StraightLine  Lipman et al. 2023
x_t = √(1−t) x + √t z                                  noise.SquareRoot
Φ(√(2d)(γ−1)+3γ) − Φ(√(2d)(γ−1)−3γ) ≈ ½                noise.advise        Song & Ermon 2020
s = (E[x∣x̃] − x̃)/σ²                                    noise.tweedie       Robbins 1956
x ← x + η s + √(2η) z                                  samplers.ula        Roberts & Tweedie 1996
dx = [f x − g² s] dt + g dw̄                            samplers.           Anderson 1982,
                                                       reverse_sde         Song et al. 2021
dx/dt = f x − ½g² s                                    samplers.           Song et al. 2021
                                                       probability_flow
x⁺ = α⁺D + √(σ⁺²−c²)(x−αD)/σ + c z                     samplers.DDIM       J. Song et al. 2021
x⁺ = (σ⁺/σ)x + α⁺∫e^{−(λ⁺−s)}D ds                      samplers.           Lu et al. 2022,
                                                       DPMSolver3M, UniPC  Zhao et al. 2023
y⁺ = y + ρ(D−y) + √(σ⁺²−(1−ρ)²σ²) z                    samplers.           Jolicoeur-Martineau
                                                       ConsistentAnnealed  et al. 2020
√(mean (e/(a + r max∣v∣))²) ≤ 1 a row                  samplers.           Dormand & Prince 1980,
                                                       adaptive_flow,      Jolicoeur-Martineau
                                                       adaptive_sde        et al. 2021
min Σ E‖∫e^{−(λ′−s)}(D(s)−D(λ))ds‖²/σ′²                samplers.           Chen et al. 2024
                                                       optimised_grid
s + w (s(·∣c) − s)                                     samplers.Guided     Ho & Salimans 2022
d log p_t/dt = −∇·(f x − ½g² s)                        likelihood          Chen et al. 2018
Jᵀ(y − F(x))/σ_y² + s(x, σ) = 0, σ falling             inverse.            Blake & Zisserman 1987
                                                       map_estimate
=====================================================  ==================  =========================

Names are resolved on first use (PEP 562), so that importing the package loads no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorematching import (
        data,
        densities,
        domains,
        estimation,
        evaluate,
        families,
        information,
        inverse,
        likelihood,
        nets,
        noise,
        objectives,
        samplers,
    )
    from scorematching.calculus import (
        Exact,
        at,
        divergence,
        from_energy,
        laplacian,
        score_of,
    )
    from scorematching.estimation import Estimate, estimate
    from scorematching.estimators import ExponentialFamilyDensity
    from scorematching.evaluate import fisher_divergence
    from scorematching.fitted import FittedScore, load
    from scorematching.fitting import fit
    from scorematching.hutchinson import (
        GaussianProbes,
        Hutchinson,
        HutchPlusPlus,
        Rademacher,
        SphereProbes,
    )
    from scorematching.information import kl_divergence
    from scorematching.objectives import dae, dsm, esm, fd_ssm, ism, ncsn, ssm

_HOMES = {
    "Estimate": "estimation",
    "Exact": "calculus",
    "ExponentialFamilyDensity": "estimators",
    "FittedScore": "fitted",
    "GaussianProbes": "hutchinson",
    "HutchPlusPlus": "hutchinson",
    "Hutchinson": "hutchinson",
    "Rademacher": "hutchinson",
    "SphereProbes": "hutchinson",
    "at": "calculus",
    "dae": "objectives",
    "divergence": "calculus",
    "dsm": "objectives",
    "esm": "objectives",
    "estimate": "estimation",
    "fd_ssm": "objectives",
    "fisher_divergence": "evaluate",
    "fit": "fitting",
    "from_energy": "calculus",
    "ism": "objectives",
    "kl_divergence": "information",
    "laplacian": "calculus",
    "load": "fitted",
    "ncsn": "objectives",
    "score_of": "calculus",
    "ssm": "objectives",
}
_ROOMS = (
    "data",
    "densities",
    "domains",
    "estimation",
    "evaluate",
    "families",
    "information",
    "inverse",
    "likelihood",
    "nets",
    "noise",
    "objectives",
    "samplers",
)

__version__ = "0.1.0"
__all__ = [
    "Estimate",
    "Exact",
    "ExponentialFamilyDensity",
    "FittedScore",
    "GaussianProbes",
    "HutchPlusPlus",
    "Hutchinson",
    "Rademacher",
    "SphereProbes",
    "at",
    "dae",
    "data",
    "densities",
    "divergence",
    "domains",
    "dsm",
    "esm",
    "estimate",
    "estimation",
    "evaluate",
    "families",
    "fd_ssm",
    "fisher_divergence",
    "fit",
    "from_energy",
    "information",
    "inverse",
    "ism",
    "kl_divergence",
    "laplacian",
    "likelihood",
    "load",
    "ncsn",
    "nets",
    "noise",
    "objectives",
    "samplers",
    "score_of",
    "ssm",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOMES:
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
