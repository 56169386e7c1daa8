"""Products of domains: some columns live here, the others there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains.checks import check_columns
from scorematching.domains.coordinates import AnyDomain, Approached, Chart, Charted, coordinates
from scorematching.domains.domain import Domain, Field
from scorematching.errors import InvalidInput


@dataclass(frozen=True)
class Block:
    """The columns [first, last) of a field on a product, as a field of those columns of x."""

    field: Field
    x: Tensor
    first: int
    last: int

    def __call__(self, part: Tensor) -> Tensor:
        x = torch.cat([self.x[:, : self.first], part, self.x[:, self.last :]], 1)
        return self.field(x)[:, self.first : self.last]


@dataclass(frozen=True)
class BlockCharts:
    """Coordinates of each block of columns: the charts side by side, log |det| their sum."""

    charts: tuple[Chart, ...]
    columns: tuple[int, ...]
    inner_columns: tuple[int, ...]

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` where a block has no coordinates."""
        for chart, part in zip(self.charts, split_columns(x, self.columns), strict=True):
            chart.check(part)

    def forward(self, x: Tensor) -> Tensor:
        """The coordinates of all blocks, side by side."""
        parts = zip(self.charts, split_columns(x, self.columns), strict=True)
        return torch.cat([chart.forward(part) for chart, part in parts], 1)

    def inverse(self, z: Tensor) -> Tensor:
        """The columns of all blocks, side by side."""
        parts = zip(self.charts, split_columns(z, self.inner_columns), strict=True)
        return torch.cat([chart.inverse(part) for chart, part in parts], 1)

    def log_abs_det(self, z: Tensor) -> Tensor:
        """The sum over blocks, ``(n,)``."""
        parts = zip(self.charts, split_columns(z, self.inner_columns), strict=True)
        return torch.stack([chart.log_abs_det(part) for chart, part in parts]).sum(0)


@dataclass(frozen=True)
class Product:
    """The product of domains: the first columns of a row in the first, the next in the second, …

    Each factor has its own weight, which multiplies the squared score difference in its columns
    alone, so that a row on one factor's boundary still counts for the others. A factor that is
    matched in other coordinates makes the product one that is: `inner`, `chart`.

    Parameters
    ----------
    domains
        At least one.

    Raises
    ------
    InvalidInput
        There is no factor.
    """

    domains: tuple[AnyDomain, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "domains", tuple(self.domains))
        if not self.domains:
            raise InvalidInput("a product needs at least one domain: Product((Sphere(3), …)).")

    @property
    def d(self) -> int:
        """Columns of a row, all factors together."""
        return sum(each.d for each in self.domains)

    @property
    def inner(self) -> Product:
        """The product of the domains that the factors are matched in."""
        return Product(tuple(coordinates(each)[0] for each in self.domains))

    @property
    def chart(self) -> BlockCharts:
        """The factors' coordinates side by side."""
        inner, charts = zip(*(coordinates(each) for each in self.domains), strict=True)
        columns = tuple(each.d for each in self.domains)
        return BlockCharts(charts, columns, tuple(each.d for each in inner))

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` where a factor refuses its columns; the message says which."""
        check_columns(x, self.d)
        first = 0
        for each, part in zip(self.domains, self.split(x), strict=True):
            try:
                each.check(part)
            except InvalidInput as error:
                where = f"columns {first} to {first + each.d - 1}, {type(each).__name__}"
                raise InvalidInput(f"{where}: {error}") from error
            first += each.d

    def approach(self, x: Tensor) -> Tensor:
        """Each factor's rows on a boundary moved inwards, where it asks for that."""
        parts = zip(self.domains, self.split(x), strict=True)
        return torch.cat(
            [each.approach(part) if isinstance(each, Approached) else part for each, part in parts],
            1,
        )

    def weight(self, x: Tensor) -> Tensor:
        """The weights of the factors, one per coordinate, ``(n, d)``."""
        weights = []
        for each, part in zip(self.plain, self.split(x), strict=True):
            w = each.weight(part)
            weights.append(w if w.ndim == 2 else w[:, None].expand_as(part))
        return torch.cat(weights, 1)

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        """Each factor's projection of its own columns, like v."""
        triples = zip(self.plain, self.split(x), self.split(v), strict=True)
        return torch.cat([each.project(part, u) for each, part, u in triples], 1)

    def divergence(self, field: Field, x: Tensor) -> Tensor:
        """The sum of the factors' divergences, ``(n,)`` or ``(n, m)``."""
        first, total = 0, x.new_zeros(())
        for each, part in zip(self.plain, self.split(x), strict=True):
            last = first + each.d
            total = total + each.divergence(Block(field, x, first, last), part)
            first = last
        return total

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """The columns of each factor."""
        return split_columns(x, tuple(each.d for each in self.domains))

    @property
    def plain(self) -> tuple[Domain, ...]:
        """The factors, if each is matched as it is.

        Raises
        ------
        InvalidInput
            One is matched in other coordinates: the weight is not one of x.
        """
        factors: list[Domain] = []
        for each in self.domains:
            if isinstance(each, Charted) and not isinstance(each, Product):
                raise InvalidInput(
                    f"{each!r} is matched in other coordinates: use .inner of the product, at the "
                    "rows .chart.forward(x)."
                )
            factors.append(each)
        return tuple(factors)


def split_columns(x: Tensor, widths: tuple[int, ...]) -> tuple[Tensor, ...]:
    """x in blocks of columns of the given widths."""
    ends = [sum(widths[: i + 1]) for i in range(len(widths))]
    return tuple(x[:, end - width : end] for end, width in zip(ends, widths, strict=True))
