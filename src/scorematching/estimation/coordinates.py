"""Free coordinates u of parameters that are bounded, fixed or tied: θ(u) for a minimiser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.estimation.constraints import Constraints

AT_BOUND = 1e-7  # of the distance at the start: where a parameter counts as lying on its bound


@dataclass(frozen=True, eq=False)
class FreeCoordinates:
    """θ = Bφ(u) + θ₀ with u free: φ = u; low + eᵘ; high − eᵘ; low + (high − low)/(1 + e⁻ᵘ).

    Parameters
    ----------
    constraints
        θ = Bφ + θ₀.
    low, high
        ``(k,)``, the open interval of each φ, infinite where there is no bound.
    """

    constraints: Constraints
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, constraints: Constraints, bounds: Sequence[tuple[float, float]]) -> FreeCoordinates:
        """From the bounds of θ; tied parameters take the narrower.

        Raises
        ------
        InvalidInput
            A fixed value lies outside the bounds of its parameter, or tied ones have none in
            common.
        """
        k = constraints.n_free
        low, high = [-math.inf] * k, [math.inf] * k
        places = constraints.place.tolist()
        values = constraints.offset.tolist()
        for name, place, value, (below, above) in zip(
            constraints.names, places, values, bounds, strict=True
        ):
            if place < 0 and not below < value < above:
                raise InvalidInput(
                    f"{name} must lie between {below:g} and {above:g}: got fixed at {value:g}."
                )
            if place >= 0:
                low[place], high[place] = max(low[place], below), min(high[place], above)
        for name, below, above in zip(constraints.free_names, low, high, strict=True):
            if not below < above:
                raise InvalidInput(f"the tied parameters {name} have no value in common.")
        like = constraints.offset
        return cls(constraints, like.new_tensor(low), like.new_tensor(high))

    def __call__(self, u: Tensor) -> Tensor:
        """θ ``(p,)`` of u ``(k,)``, differentiable."""
        return self.constraints.expand(self.free(u))

    def free(self, u: Tensor) -> Tensor:
        """φ ``(k,)`` of u ``(k,)``."""
        low, high = self.low.to(u), self.high.to(u)
        below, above = low.isfinite(), high.isfinite()
        finite_low = torch.where(below, low, torch.zeros_like(low))
        finite_high = torch.where(above, high, torch.zeros_like(high))
        # Exponents are kept from where they are not used: 0 · ∞ would spoil derivatives.
        grown = torch.where(below ^ above, u, torch.zeros_like(u)).exp()
        inside = finite_low + (finite_high - finite_low) * u.sigmoid()
        one_sided = torch.where(below, finite_low + grown, finite_high - grown)
        return torch.where(below & above, inside, torch.where(below | above, one_sided, u))

    def start(self, theta: Tensor) -> Tensor:
        """u ``(k,)`` of a start θ ``(p,)``.

        Raises
        ------
        InvalidInput
            It lies outside the bounds.
        """
        phi = self.constraints.restrict(theta)
        low, high = self.low.to(phi), self.high.to(phi)
        outside = ~((low < phi) & (phi < high))
        if bool(outside.any()):
            k = int(outside.nonzero()[0])
            raise InvalidInput(
                f"a start must lie inside the bounds: {self.constraints.free_names[k]} must lie "
                f"between {low[k].item():g} and {high[k].item():g}, got {phi[k].item():g}."
            )
        both = low.isfinite() & high.isfinite()
        u = torch.where(low.isfinite(), (phi - low).log(), phi)
        u = torch.where(high.isfinite(), (high - phi).log(), u)
        return torch.where(both, (phi - low).log() - (high - phi).log(), u)

    def at_bound(self, u: Tensor, start: Tensor) -> str | None:
        """The name of a parameter that has run into its bound, or None.

        That is so if it has come nearer to the bound by seven digits than it was at the start.
        """
        for name, now, then in zip(
            self.constraints.free_names, self._room(u), self._room(start), strict=True
        ):
            if now < AT_BOUND * then:
                return name
        return None

    def _room(self, u: Tensor) -> list[float]:
        """The distance of each φ from the nearer bound, ∞ where there is none."""
        phi = self.free(u)
        room: list[float] = torch.minimum(phi - self.low.to(u), self.high.to(u) - phi).tolist()
        return room
