"""Independent components: log p = Σ_k log g(w_kᵀx), the showcase that has no closed form.

A. Hyvärinen, "Estimation of non-normalized statistical models by score matching", JMLR 6 (2005),
sections 3.2 and 4: the square case has a normalising constant, the overcomplete one does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import AnyDomain, Euclidean, InCoordinates, coordinates
from scorematching.errors import InvalidInput
from scorematching.families.checks import STANDS
from scorematching.families.family import check_dimension, check_theta, columns
from scorematching.families.whitening import LinearMap, whitening
from scorematching.random import normal, uniform

STARTS = 4
SLOPE = math.pi / (2 * math.sqrt(3))  # of the logistic density of variance one


@dataclass(frozen=True)
class IndependentComponents:
    """log p(x; W) = Σ_k log g(w_kᵀx) + const on ℝᵈ, g the logistic density of variance one.

    log g(s) = −2 log cosh(πs/(2√3)) + const. W ``(m, d)`` has the filters w_kᵀ as its rows, and θ
    is W row by row. In the square case, m = d, the sources s = Wx are independent and the mixing
    matrix is W⁻¹; g need not be their density as long as they are super-Gaussian (heavier-tailed
    than the Gaussian), as speech, gradients of images and Laplace variables are. With m > d the
    filters are overcomplete and log p is known up to a constant; the length of w_k plays the part
    of Hyvärinen's weight α_k. Order and signs of the filters are free.

    Centre the rows first: g is symmetric about zero.

    Parameters
    ----------
    d
        Number of columns of a row.
    components
        m ≥ d; d by default.

    Raises
    ------
    InvalidInput
        d is no positive integer, or there are fewer components than columns.
    """

    d: int
    components: int | None = None

    def __post_init__(self) -> None:
        check_dimension(self.d, 1, "IndependentComponents")
        if self.components is not None and self.components < self.d:
            raise InvalidInput(
                f"expected at least as many components as columns, {self.d}: got "
                f"{self.components}. Reduce the columns first, by principal components say."
            )

    @property
    def m(self) -> int:
        """The number of components."""
        return self.d if self.components is None else self.components

    @property
    def names(self) -> tuple[str, ...]:
        """W[1,1], W[1,2], …, W[m,d]."""
        return tuple(f"W[{k + 1},{j + 1}]" for k in range(self.m) for j in range(self.d))

    @property
    def domain(self) -> AnyDomain:
        """ℝᵈ; `domain_for` says in which coordinates."""
        return Euclidean(self.d)

    def domain_for(self, x: Tensor) -> AnyDomain:
        """ℝᵈ matched in whitened coordinates, as Hyvärinen (2005) does.

        Otherwise directions in which the mixing makes x small have large scores and outweigh all
        others. θ is W in the coordinates of x all the same.

        Raises
        ------
        InvalidInput
            The covariance of the rows is singular.
        """
        return InCoordinates(Euclidean(self.d), whitening(columns(x, self.d)))

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """All free."""
        return ((-math.inf, math.inf),) * (self.m * self.d)

    def log_density(self, x: Tensor, theta: Tensor) -> Tensor:
        """Σ_k log g(w_kᵀx), ``(n,)`` in nats; with log |det W| left out, a constant in x."""
        return log_logistic(columns(x, self.d) @ theta.reshape(self.m, self.d).mT).sum(1)

    def loss(self, z: Tensor, theta: Tensor, domain: AnyDomain) -> Tensor | None:
        """½‖s‖² + tr ∂s on ℝᵈ, in z = x or in linear coordinates z = Vx, ``(n,)``; else None.

        With U = WV⁻¹ and t = tanh(πUz/(2√3)) this is (π²/6) [‖Uᵀt‖² − Σ_k ‖u_k‖² (1 − t_k²)].
        """
        filters = theta.reshape(self.m, self.d)
        inner, chart = coordinates(domain)
        if not isinstance(inner, Euclidean):
            return None
        if isinstance(chart, LinearMap):
            filters = torch.linalg.solve(chart.matrix.to(z), filters, left=False)
        elif not isinstance(domain, Euclidean):
            return None
        t = torch.tanh(SLOPE * z @ filters.mT)
        curvature = (1 - t**2) @ filters.square().sum(1)
        return 2 * SLOPE**2 * ((t @ filters).square().sum(1) - curvature)

    def starts(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Random frames of the whitened rows, ``(4, m·d)``: each source of about variance one.

        Raises
        ------
        InvalidInput
            The covariance of the rows is singular.
        """
        rows = columns(x, self.d)
        matrix = whitening(rows).matrix
        z = normal((STARTS, self.m, self.d), rows, generator)
        frames: Tensor = torch.linalg.qr(z)[0]  # (m, d), orthonormal columns
        frames = frames * math.sqrt(self.m / self.d)  # rows of about unit length
        filters: Tensor = frames @ matrix
        return filters.reshape(STARTS, -1)

    def model(self, theta: Tensor) -> IndependentComponentsDensity:
        """The density at W.

        Raises
        ------
        InvalidInput
            The filters do not span ℝᵈ: W is singular.
        """
        return IndependentComponentsDensity(check_theta(theta, self.names).reshape(self.m, self.d))


def log_logistic(s: Tensor) -> Tensor:
    """log g(s) = ln(π/(4√3)) − 2 ln cosh(πs/(2√3)): the logistic density of variance one."""
    u = SLOPE * s
    # logaddexp is smooth at 0, where |u| is not.
    return math.log(SLOPE / 2) - 2 * (torch.logaddexp(u, -u) - math.log(2))


@dataclass(frozen=True, eq=False)
class IndependentComponentsDensity:
    """Σ_k log g(w_kᵀx), W ``(m, d)``; normalised in the square case.

    Raises
    ------
    InvalidInput
        W has rank below d, so that the integral is infinite.
    """

    unmixing: Tensor

    def __post_init__(self) -> None:
        values = torch.linalg.svdvals(self.unmixing)
        if not bool(values[-1] > len(values) * torch.finfo(values.dtype).eps * values[0]):
            raise InvalidInput(
                "W must have full rank for a density: its singular values go from "
                f"{values[0].item():.3g} down to {values[-1].item():.3g}. {STANDS}start the "
                "minimisation elsewhere or drop collinear columns."
            )

    @property
    def normalised(self) -> bool:
        """Whether W is square, where the constant is log |det W|."""
        return self.unmixing.shape[0] == self.unmixing.shape[1]

    @property
    def mixing(self) -> Tensor:
        """W⁻¹ ``(d, m)`` in the square case: x = mixing · s. The pseudo-inverse otherwise."""
        value: Tensor = torch.linalg.pinv(self.unmixing)
        return value

    def sources(self, x: Tensor) -> Tensor:
        """s = Wx, ``(n, d)`` → ``(n, m)``."""
        return columns(x, self.unmixing.shape[1]) @ self.unmixing.to(x).mT

    def log_density(self, x: Tensor) -> Tensor:
        """Σ_k log g(w_kᵀx), plus log |det W| in the square case, ``(n,)`` in nats."""
        value = log_logistic(self.sources(x)).sum(1)
        return value + torch.linalg.slogdet(self.unmixing)[1] if self.normalised else value

    def score(self, x: Tensor) -> Tensor:
        """∇ₓ log p = −(π/√3) Wᵀ tanh(πWx/(2√3)), like x."""
        slope = -2 * SLOPE * torch.tanh(SLOPE * self.sources(x))
        return (slope @ self.unmixing.to(x)).reshape(x.shape)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws, ``(n, d)``, from logistic sources of variance one.

        Raises
        ------
        InvalidInput
            W is not square.
        """
        if not self.normalised:
            raise InvalidInput(
                "exact sampling needs as many components as columns: got W of shape "
                f"{tuple(self.unmixing.shape)}. Sample by Langevin steps instead: "
                "sm.samplers.ula(model.score, x, step_size, n_steps)."
            )
        u = 1 - uniform((n, len(self.unmixing)), self.unmixing, generator)
        sources = (u.log() - torch.log1p(-u * (1 - torch.finfo(u.dtype).eps))) / (2 * SLOPE)
        return sources @ self.mixing.mT
