"""Score matching of linear families written out plainly, by full Jacobians: a second opinion.

loss = ½ s·v + div v with v = P(w·P s) and s = (∂T)ᵀθ + ∂r, in the coordinates of the domain.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import AnyDomain, Domain, coordinates, working_rows
from scorematching.families import LinearFamily


@dataclass(frozen=True)
class Rows:
    """Per row: A ``(n, p, p)`` and b ``(n, p)``, so that the loss is ½θᵀAθ + bᵀθ + c."""

    a: Tensor
    b: Tensor

    def gradient(self, theta: Tensor) -> Tensor:
        """Aᵢθ + bᵢ, ``(n, p)``: mean zero at the truth."""
        return self.a @ theta + self.b

    def solve(self) -> Tensor:
        """θ̂ = −A⁻¹b of the means."""
        return -torch.linalg.solve(self.a.mean(0), self.b.mean(0))

    def standard_errors(self) -> Tensor:
        """Of the sandwich A⁻¹ΣA⁻¹/n, Σ the mean square of the gradient (divisor n)."""
        gradient = self.gradient(self.solve())
        influence = gradient @ torch.linalg.inv(self.a.mean(0))
        return (influence**2).mean(0).sqrt() / len(gradient) ** 0.5


def rows_of(family: LinearFamily, x: Tensor, domain: AnyDomain | None = None) -> Rows:
    """A and b of each row, by Jacobians of one row at a time."""
    inner, chart = coordinates(domain or family.domain)
    z = working_rows(domain or family.domain, x)

    def exponents(row: Tensor) -> Tensor:
        at = chart.inverse(row[None])
        volume = chart.log_abs_det(row[None])
        return torch.cat([family.statistics(at)[0], family.base(at) + volume])

    def fields(row: Tensor) -> tuple[Tensor, Tensor]:
        slopes = torch.func.jacrev(exponents)(row).mT[None]  # (1, k, p + 1)
        tangent = inner.project(row[None], slopes)
        return weighted(inner, row[None], tangent)[0], tangent[0]

    def row_terms(row: Tensor) -> tuple[Tensor, Tensor]:
        v, s = fields(row)
        jacobian = torch.func.jacfwd(lambda r: fields(r)[0])(row)  # (k, p + 1, k)
        eye = torch.eye(len(row), dtype=row.dtype)[None]
        projection = inner.project(row[None], eye)[0]
        return s.mT @ v, torch.einsum("ipj,ji->p", jacobian, projection)

    products, divergences = torch.func.vmap(row_terms)(z)
    return Rows(products[:, :-1, :-1], products[:, :-1, -1] + divergences[:, :-1])


def weighted(domain: Domain, x: Tensor, s: Tensor) -> Tensor:
    w = domain.weight(x)
    return domain.project(x, w.reshape(*w.shape, *(1,) * (3 - w.ndim)) * s)
