"""Products: blocks of columns, each in its own domain."""

from __future__ import annotations

import pytest
import torch

from domains.laws import dirichlet, half_normal, on_sphere, three_fields
from scorematching.domains import (
    AdditiveLogRatio,
    Circle,
    Domain,
    Euclidean,
    FlatSimplex,
    LogRatioSimplex,
    MinPower,
    PositiveOrthant,
    Product,
    Sphere,
    SqrtSimplex,
    check_interior,
    coordinates,
    weighted_field,
    working_rows,
)
from scorematching.errors import InvalidInput

DOUBLE = torch.float64
MIXED = Product((Sphere(3), PositiveOrthant(2), FlatSimplex(3)))


def rows(n: int) -> torch.Tensor:
    sphere = on_sphere(6 * n, [1.0, 0.5, -0.2]).draws[:n]
    return torch.cat([sphere, half_normal(n, 2).draws, dirichlet(n, [2.0, 1.0, 3.0]).draws], 1)


def test_a_product_of_orthants_is_the_orthant() -> None:
    x = half_normal(20, 3).draws
    whole, product = PositiveOrthant(3), Product((PositiveOrthant(1), PositiveOrthant(2)))
    assert product.d == 3
    torch.testing.assert_close(product.weight(x), whole.weight(x))

    def divergence(domain: Domain) -> torch.Tensor:
        return domain.divergence(lambda x: weighted_field(domain, x, three_fields(x)), x)

    torch.testing.assert_close(divergence(product), divergence(whole))


def test_the_loss_is_the_sum_of_the_factors_losses_for_independent_blocks() -> None:
    x = rows(20)
    c = [torch.tensor([0.5, 1.0, -1.0]), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 0.5, 1.0])]
    tilt = torch.cat(c).double()

    def loss(domain: Domain, x: torch.Tensor, tilt: torch.Tensor) -> torch.Tensor:
        def field(x: torch.Tensor) -> torch.Tensor:
            return weighted_field(domain, x, tilt * x)

        return (tilt * x * field(x)).sum(1) / 2 + domain.divergence(field, x)

    blocks = zip(MIXED.domains, MIXED.split(x), c, strict=True)
    expected = sum(loss(domain, part, each.double()) for domain, part, each in blocks)
    torch.testing.assert_close(loss(MIXED, x, tilt), expected)


def test_the_projection_is_block_by_block_and_idempotent() -> None:
    x = rows(4)
    p = MIXED.project(x, torch.eye(8, dtype=DOUBLE).expand(4, 8, 8))
    torch.testing.assert_close(p @ p, p)
    torch.testing.assert_close(p.mT, p)
    assert p[:, :3, 3:].abs().max() == 0
    torch.testing.assert_close(
        p.diagonal(dim1=1, dim2=2).sum(1), torch.full((4,), 2.0 + 2 + 2, dtype=DOUBLE)
    )


def test_factors_in_other_coordinates_make_a_product_that_is() -> None:
    product = Product((LogRatioSimplex(3), Euclidean(1), SqrtSimplex(2)))
    x = torch.cat(
        [
            dirichlet(9, [2.0, 1.0, 3.0]).draws,
            half_normal(9, 1).draws,
            dirichlet(9, [2.0, 1.0]).draws,
        ],
        1,
    )
    product.check(x)
    inner, chart = coordinates(product)
    assert (product.d, inner.d) == (6, 5)
    z = working_rows(product, x)
    torch.testing.assert_close(
        z, torch.cat([(x[:, :2] / x[:, 2:3]).log(), x[:, 3:4], x[:, 4:].sqrt()], 1)
    )
    inner.check(z)
    torch.testing.assert_close(chart.inverse(z), x)
    torch.testing.assert_close(chart.log_abs_det(z), x[:, :3].log().sum(1) + z[:, 3:].log().sum(1))
    chart.check(x)
    with pytest.raises(InvalidInput, match=r"use \.inner of the product"):
        product.weight(x)
    assert isinstance(product.chart.charts[0], AdditiveLogRatio)


def test_zeros_of_a_composition_in_a_block_are_approached() -> None:
    x = torch.tensor([[1.0, 0.0, 0.0, 1.0]], dtype=DOUBLE)
    moved = working_rows(Product((Sphere(2), FlatSimplex(2))), x)
    assert torch.equal(moved[:, :2], x[:, :2])
    assert 0 < moved[0, 2] < 1e-9


def test_a_product_may_be_a_factor() -> None:
    x = rows(5)
    nested = Product((Product((Sphere(3), PositiveOrthant(2))), FlatSimplex(3)))
    torch.testing.assert_close(nested.weight(x), MIXED.weight(x))
    torch.testing.assert_close(nested.project(x, x), MIXED.project(x, x))
    assert coordinates(nested)[0].d == 8


def test_a_row_outside_is_named_with_its_columns() -> None:
    x = rows(5)
    MIXED.check(x)
    x[2, 4] = -1.0
    with pytest.raises(
        InvalidInput, match=r"^columns 3 to 4, PositiveOrthant: .* \(row 2, column 1"
    ):
        MIXED.check(x)
    with pytest.raises(InvalidInput, match="of 8 columns"):
        MIXED.check(x[:, :7])
    with pytest.raises(InvalidInput, match="at least one domain"):
        Product(())


def test_a_column_on_its_boundary_throughout_is_refused() -> None:
    product = Product((Circle(), PositiveOrthant(1, weight=MinPower(1.0, 1.0))))
    with pytest.raises(InvalidInput, match="column 1 lies on the boundary"):
        check_interior(product, torch.tensor([[0.5, 0.0], [1.0, 0.0]], dtype=DOUBLE))
