"""What an estimation leaves: θ̂, its covariance, intervals, tests, the fitted density."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.special import chdtrc, ndtri
from torch import Tensor

from scorematching.domains import AnyDomain
from scorematching.errors import InvalidInput
from scorematching.estimation.constraints import Constraints
from scorematching.estimation.covariance import Uncertainty
from scorematching.estimation.table import Row, table
from scorematching.families import Family, FittedDensity, LinearFamily, model_on


@dataclass(frozen=True)
class WaldTest:
    """(Rθ̂ − r)ᵀ (R V Rᵀ)⁻¹ (Rθ̂ − r), asymptotically χ² with df degrees of freedom under Rθ = r."""

    statistic: float
    df: int
    p_value: float

    def __str__(self) -> str:
        return f"Wald χ²({self.df}) = {self.statistic:.4f}, p = {self.p_value:.4g}"


@dataclass(frozen=True, eq=False)
class Estimate:
    """A score matching estimate.

    Parameters
    ----------
    family, domain
        What was estimated, and where the rows live.
    theta
        θ̂ ``(p,)``, float64, in the order of `names`.
    constraints
        Which parameters were fixed or tied.
    n
        The number of rows.
    objective
        The mean loss at θ̂, E[½ s·v + div v]; smaller is better on the same rows and domain.
    uncertainty
        Covariance of the free parameters; None where none was asked for, or there is no second
        pass over the rows.
    notes
        What was done and what to beware of, in sentences.
    """

    family: LinearFamily | Family
    domain: AnyDomain
    theta: Tensor
    constraints: Constraints
    n: int
    objective: float
    uncertainty: Uncertainty | None
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, counted from 1: K[2,1], eta[3]."""
        return self.constraints.names

    @property
    def theta_covariance(self) -> Tensor:
        """V ``(p, p)``; zero for fixed parameters.

        Raises
        ------
        InvalidInput
            The estimate was made without a covariance.
        """
        covariance = self._known.covariance
        if self.constraints.trivial:
            return covariance
        basis = self.constraints.basis.to(covariance)
        return basis @ covariance @ basis.mT

    @property
    def std_errors(self) -> Tensor:
        """√diag V, ``(p,)``; zero for fixed parameters. The convention is in `convention`."""
        if self.constraints.trivial:
            return self._known.covariance.diagonal().sqrt()
        return self.theta_covariance.diagonal().sqrt()

    @property
    def convention(self) -> str:
        """The formula of the covariance and its divisor."""
        return self._known.convention

    @property
    def model(self) -> FittedDensity:
        """The fitted density on the domain.

        Raises
        ------
        InvalidInput
            θ̂ lies outside the parameter space (a precision that is not positive definite, say).
        """
        return model_on(self.family, self.theta, self.domain)

    def __getitem__(self, name: str) -> float:
        """The estimate of one parameter by its name."""
        if name not in self.names:
            raise KeyError(f"there is no parameter {name!r}: the names are {', '.join(self.names)}")
        return self.theta[self.names.index(name)].item()

    def conf_int(self, level: float = 0.95) -> Tensor:
        """θ̂ ± z·SE, the asymptotic normal intervals, ``(p, 2)``.

        Raises
        ------
        InvalidInput
            The level is not between 0 and 1.
        """
        half = float(ndtri((1 + _check_level(level)) / 2)) * self.std_errors
        return torch.stack([self.theta - half, self.theta + half], 1)

    def percentile_interval(self, level: float = 0.95) -> Tensor:
        """The (1 ∓ level)/2 quantiles of the bootstrap's estimates, ``(p, 2)`` (Efron 1981).

        Raises
        ------
        InvalidInput
            The covariance is no bootstrap's, or the level is not between 0 and 1.
        """
        tail = (1 - _check_level(level)) / 2
        draws = self._known.draws
        if draws is None:
            raise InvalidInput(
                "percentile intervals need bootstrap draws: estimate with "
                "covariance=sm.estimation.Bootstrap(), or use conf_int."
            )
        quantiles = torch.quantile(draws, draws.new_tensor([tail, 1 - tail]), dim=0)
        return torch.stack([self.constraints.expand(each) for each in quantiles], 1)

    def wald_test(
        self, R: Tensor | Sequence[object], r: Tensor | Sequence[float] | float = 0.0
    ) -> WaldTest:
        """Test Rθ = r by (Rθ̂ − r)ᵀ(RVRᵀ)⁻¹(Rθ̂ − r) ~ χ²(q) (Wald 1943).

        Parameters
        ----------
        R
            ``(q, p)``, or ``(p,)`` for one restriction.
        r
            ``(q,)`` or a number.

        Raises
        ------
        InvalidInput
            Shapes do not match, or RVRᵀ is singular: restrictions repeat each other or are on
            fixed parameters.
        """
        theta, V = self.theta, self.theta_covariance
        rows = torch.as_tensor(R, dtype=theta.dtype, device=theta.device)
        rows = rows[None] if rows.ndim == 1 else rows
        if rows.ndim != 2 or rows.shape[1] != len(theta):
            raise InvalidInput(
                f"R must have a column for each of {len(theta)} parameters: got shape "
                f"{tuple(rows.shape)}."
            )
        value = torch.as_tensor(r, dtype=theta.dtype, device=theta.device)
        if value.shape not in ((), (len(rows),)):
            raise InvalidInput(
                f"r must be a number or have one entry for each of {len(rows)} restrictions: got "
                f"shape {tuple(value.shape)}."
            )
        gap = rows @ theta - value
        spread = rows @ V @ rows.mT
        scale = spread.diagonal().clamp(min=torch.finfo(V.dtype).tiny).rsqrt()
        scaled = scale[:, None] * spread * scale
        if not bool(torch.linalg.eigvalsh(scaled)[0] > 1e-12 * len(rows)):
            raise InvalidInput(
                f"the covariance of Rθ̂ is singular: the {len(rows)} restrictions repeat each "
                "other, are on fixed parameters, or outnumber what the rows tell apart. Drop some."
            )
        statistic = (gap * scale) @ torch.linalg.solve(scaled, gap * scale)
        p_value = float(chdtrc(len(rows), statistic.item()))
        return WaldTest(statistic.item(), len(rows), p_value)

    def summary(self, level: float = 0.95) -> str:
        """A table: name, estimate, standard error, z, p of θ = 0, interval; then what was done.

        z = θ̂/SE, and p is two-sided from the standard normal distribution.
        """
        free = self.constraints.n_free
        head = [
            f"Score matching estimate of {self.family!r}",
            f"on {self.domain!r}",
            f"n = {self.n} rows, {free} free parameter{'s' if free != 1 else ''}, "
            f"objective {self.objective:.6g}",
        ]
        foot = [f"Note: {note}" for note in self.notes]
        if self.uncertainty is None:
            foot.insert(0, "Without standard errors.")
        else:
            foot.insert(0, f"Standard errors: {self.convention}.")
        return "\n".join([*head, "", table(self._rows(level), level), "", *foot])

    def __str__(self) -> str:
        return self.summary()

    @property
    def _known(self) -> Uncertainty:
        if self.uncertainty is None:
            raise InvalidInput(
                "the estimate was made without a covariance. Estimate with covariance=Sandwich() "
                "(the default), from rows that can be read a second time."
            )
        return self.uncertainty

    def _rows(self, level: float) -> list[Row]:
        if self.uncertainty is None:
            return [
                Row(name, value)
                for name, value in zip(self.names, self.theta.tolist(), strict=True)
            ]
        columns = (self.theta, self.std_errors, *self.conf_int(level).unbind(1))
        entries = zip(self.names, *(each.tolist() for each in columns), strict=True)
        places = self.constraints.place.tolist()
        return [
            Row(name, value) if place < 0 else Row(name, value, error, (low, high))
            for place, (name, value, error, low, high) in zip(places, entries, strict=True)
        ]


def _check_level(level: float) -> float:
    if not 0 < level < 1 or not math.isfinite(level):
        raise InvalidInput(f"level must lie between 0 and 1, 0.95 say: got {level!r}.")
    return level
