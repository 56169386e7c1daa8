"""Fixed, tied and free parameters: θ = Bφ + θ₀."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.structured import QuadraticForm


@dataclass(frozen=True, eq=False)
class Constraints:
    """θ = Bφ + θ₀: each θ is fixed, or one of the free φ, which tied parameters share.

    Parameters
    ----------
    names
        Of θ, ``(p,)``.
    place
        ``(p,)``: the number of the φ that each θ is, −1 where it is fixed.
    offset
        θ₀ ``(p,)``: the fixed values, 0 elsewhere.
    """

    names: tuple[str, ...]
    place: Tensor
    offset: Tensor

    @property
    def n_free(self) -> int:
        """The number of free φ."""
        return int(self.place.max()) + 1 if len(self.place) else 0

    @property
    def trivial(self) -> bool:
        """Whether every parameter is free and on its own."""
        return self.n_free == len(self.names)

    @property
    def basis(self) -> Tensor:
        """B ``(p, k)``."""
        columns = torch.arange(self.n_free)
        return (self.place[:, None] == columns).to(self.offset)

    @property
    def free_names(self) -> tuple[str, ...]:
        """The names of φ: those of the θ that it is, an equals sign between them."""
        groups: list[list[str]] = [[] for _ in range(self.n_free)]
        for name, place in zip(self.names, self.place.tolist(), strict=True):
            if place >= 0:
                groups[place].append(name)
        return tuple(" = ".join(group) for group in groups)

    def expand(self, phi: Tensor) -> Tensor:
        """θ ``(p,)`` of φ ``(k,)``."""
        if self.trivial:
            return phi
        padded = torch.cat([phi, phi.new_zeros(1)])  # place −1 is the zero
        return padded[self.place] + self.offset.to(phi)

    def restrict(self, theta: Tensor) -> Tensor:
        """φ ``(k,)`` of θ ``(p,)``: the mean of the tied ones."""
        basis = self.basis
        return (basis.mT @ theta) / basis.sum(0)

    def pull_back(self, gradients: Tensor) -> Tensor:
        """Bᵀg: gradients by θ ``(…, p)`` → by φ ``(…, k)``."""
        return gradients if self.trivial else gradients @ self.basis.to(gradients)

    def pull_back_form(self, form: QuadraticForm) -> QuadraticForm:
        """J(Bφ + θ₀) as a quadratic in φ."""
        if self.trivial:
            return form
        kept = self.place >= 0
        basis = self.basis[kept]
        offset = self.offset
        linear = form.b + form.A[:, offset != 0] @ offset[offset != 0]
        # Only entries of free parameters enter, so that others may be infinite.
        A = basis.mT @ form.A[kept][:, kept] @ basis
        return QuadraticForm(form.n, A, basis.mT @ linear[kept], form(offset))


def constraints(
    names: Sequence[str],
    fixed: Mapping[str, float] | None = None,
    tied: Iterable[Sequence[str]] = (),
) -> Constraints:
    """Constraints by name.

    Parameters
    ----------
    names
        Of θ.
    fixed
        Name → value.
    tied
        Groups of names that share one value.

    Raises
    ------
    InvalidInput
        A name is unknown, fixed and tied, or in two groups; a value is not finite; a group has
        fewer than two names; nothing is left free.
    """
    names, groups = tuple(names), list(tied)
    if not fixed and not groups:
        zeros = torch.zeros(len(names), dtype=torch.float64)
        return Constraints(names, torch.arange(len(names)), zeros)
    number = {name: k for k, name in enumerate(names)}
    fixed = dict(fixed or {})
    leader = list(range(len(names)))
    seen: set[str] = set(fixed)
    for name, value in fixed.items():
        _check_known(name, number)
        if not math.isfinite(value):
            raise InvalidInput(f"a fixed value must be finite: got {name} = {value!r}.")
    for group in groups:
        if isinstance(group, str) or len(group) < 2:
            raise InvalidInput(
                f"tied takes groups of at least two names, [('K[2,1]', 'K[3,2]')]: got {group!r}."
            )
        for name in group:
            _check_known(name, number)
            if name in seen:
                raise InvalidInput(
                    f"{name} is constrained twice: a parameter may be fixed, or stand in one group "
                    "of tied ones. Join the groups, or fix one of them only."
                )
            seen.add(name)
            leader[number[name]] = number[group[0]]
    free = [k for k, name in enumerate(names) if leader[k] == k and name not in fixed]
    if not free:
        raise InvalidInput("every parameter is fixed: nothing is left to estimate.")
    rank = {k: place for place, k in enumerate(free)}
    place = [-1 if name in fixed else rank[leader[k]] for k, name in enumerate(names)]
    offset = [float(fixed.get(name, 0.0)) for name in names]
    return Constraints(names, torch.tensor(place), torch.tensor(offset, dtype=torch.float64))


def _check_known(name: str, number: Mapping[str, int]) -> None:
    if name not in number:
        known = ", ".join(list(number)[:8]) + (", …" if len(number) > 8 else "")
        raise InvalidInput(f"there is no parameter {name!r}. The names are {known}.")
