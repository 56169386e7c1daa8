"""Compositions: arc lengths for two parts, closed forms at zeros, and an independent R package."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from domains.laws import dirichlet, root_dirichlet
from scorematching.domains import (
    AnyDomain,
    Euclidean,
    FlatSimplex,
    LogRatioSimplex,
    MinPower,
    MinSq,
    Power,
    ProdSq,
    SqrtSimplex,
    coordinates,
    weighted_field,
    working_rows,
)
from scorematching.domains.simplex import move_inwards, second_order
from scorematching.errors import InvalidInput

DOUBLE = torch.float64
BETA = torch.tensor([-0.3, 0.5, 1.5], dtype=DOUBLE)


def parts(domain: AnyDomain, x: Tensor) -> tuple[Tensor, Tensor]:
    """Each row's A, ``(n, p, p)``, and b, ``(n, p)``, for log p = Σ βⱼ log xⱼ.

    The scores in z are written out: β-columns of ∂ log xⱼ/∂z, and ∂ log|det|/∂z = their row sums.
    """
    inner, chart = coordinates(domain)
    z = working_rows(domain, x)

    def slopes(z: Tensor) -> Tensor:
        d = chart.inverse(z).shape[1]
        if isinstance(domain, FlatSimplex):
            return torch.diag_embed(1 / z)
        if isinstance(domain, SqrtSimplex):
            return torch.diag_embed(2 / z)
        # ∂ log xⱼ/∂zₖ = δⱼₖ − xₖ
        return torch.eye(d, dtype=DOUBLE)[:-1] - chart.inverse(z)[:, :-1, None]

    share = {FlatSimplex: 0.0, SqrtSimplex: 0.5, LogRatioSimplex: 1.0}[type(domain)]

    def field(z: Tensor) -> Tensor:
        return weighted_field(inner, z, slopes(z))

    base = slopes(z).sum(2) * share
    b = inner.divergence(field, z) + torch.einsum("nk,nkp->np", base, field(z))
    return torch.einsum("nkp,nkq->npq", slopes(z), field(z)), b


def loss(domain: AnyDomain, x: Tensor, beta: Tensor) -> Tensor:
    """The loss in each row, up to its part without β."""
    a, b = parts(domain, x)
    return torch.einsum("p,npq,q->n", beta, a, beta) / 2 + b @ beta


def estimate(domain: AnyDomain, x: Tensor) -> tuple[Tensor, Tensor]:
    """β̂ and its standard errors, Σ divided by n − 1."""
    domain.check(x)
    a, b = parts(domain, x)
    beta = -torch.linalg.solve(a.mean(0), b.mean(0))
    gradients = a @ beta + b
    inverse = a.mean(0).inverse()
    sigma = gradients.mT @ gradients / (len(x) - 1)
    return beta, (inverse @ sigma @ inverse / len(x)).diagonal().sqrt()


# scorematchingad 0.1.6 on 1000 Dirichlet rows, ../shared/reference/expected.json.
REFERENCE = [
    (
        FlatSimplex(3, weight=ProdSq(0.1)),
        [-0.323884138248, -0.129609274348, 2.799472284793],
        [0.0382393630473, 0.0509887021368, 0.3118297952433],
    ),
    (
        SqrtSimplex(3, weight=MinSq(0.1)),
        [-0.272014500133, -0.118410699581, 2.887635155291],
        [0.0349659460321, 0.0449453018074, 0.166361373851],
    ),
]


@pytest.mark.parametrize(("domain", "theta", "errors"), REFERENCE, ids=lambda v: str(v)[:12])
def test_dirichlet_estimates_are_those_of_the_r_package(domain, theta, errors, shared) -> None:
    table = np.loadtxt(
        shared / "reference" / "dirichlet_n1000_seed134.csv", delimiter=",", skiprows=1
    )
    measured, spread = estimate(domain, torch.from_numpy(table))
    torch.testing.assert_close(measured, torch.tensor(theta).double(), rtol=1e-6, atol=0)
    torch.testing.assert_close(spread, torch.tensor(errors).double(), rtol=1e-6, atol=0)


EVERY = pytest.mark.parametrize(
    "domain",
    [
        FlatSimplex(3),
        FlatSimplex(3, weight=ProdSq(0.02)),
        SqrtSimplex(3),
        SqrtSimplex(3, weight=ProdSq(0.1)),
        SqrtSimplex(3, weight=Power(2.0)),
        LogRatioSimplex(3),
    ],
    ids=str,
)


@EVERY
def test_every_geometry_finds_the_truth(domain: AnyDomain) -> None:
    x = dirichlet(20_000, (BETA + 1).tolist()).draws
    measured, spread = estimate(domain, x)
    assert ((measured - BETA) / spread).abs().max() < 4


@EVERY
def test_the_control_is_far_from_the_truth(domain: AnyDomain) -> None:
    """The volume factor forgotten or, on the flat simplex, put in: β̂ is off by ½ or 1."""
    x = dirichlet(20_000, (BETA + 1).tolist()).draws
    a, b = parts(domain, x)
    _, spread = estimate(domain, x)
    shift = torch.ones(3, dtype=DOUBLE) * (1.0 if isinstance(domain, LogRatioSimplex) else 0.5)
    wrong = -torch.linalg.solve(a.mean(0), (b - a @ shift).mean(0))
    assert ((wrong - BETA) / spread).abs().max() > 8


def test_two_parts_are_an_interval_in_its_arc_length() -> None:
    """x = (t, 1 − t), arc length √2 t: the loss is (½ w s² + (w s)′)/2, s = ∂ log p/∂t."""
    t = torch.linspace(0.02, 0.97, 40, dtype=DOUBLE)
    x, beta = torch.stack([t, 1 - t], 1), torch.tensor([-0.3, 1.2], dtype=DOUBLE)

    def w(t: Tensor) -> Tensor:
        return torch.minimum(t, 1 - t).clamp(max=0.2) ** 2

    def s(t: Tensor) -> Tensor:
        return beta[0] / t - beta[1] / (1 - t)

    _, slope = torch.func.jvp(lambda t: w(t) * s(t), (t,), (torch.ones_like(t),))
    expected = (w(t) * s(t) ** 2 / 2 + slope) / 2
    torch.testing.assert_close(loss(FlatSimplex(2, weight=MinSq(0.2)), x, beta), expected)


# ------------------------------------------------------------------------------------- zeros


def zero_rows() -> Tensor:
    return torch.tensor([[0.0, 0.3, 0.7], [0.4, 0.0, 0.6], [0.9, 0.1, 0.0]], dtype=DOUBLE)


def test_at_a_zero_the_flat_loss_is_its_limit() -> None:
    """w s·Ps → β₁²(1 − 1/d) and div v → β₁(1 − 1/d) as x₁ → 0: ½β₁² + β₁ times 1 − 1/d."""
    expected = (1 - 1 / 3) * (BETA**2 / 2 + BETA)
    torch.testing.assert_close(
        loss(FlatSimplex(3), zero_rows(), BETA), expected, rtol=1e-7, atol=1e-8
    )


def test_at_a_zero_the_square_root_loss_is_its_limit() -> None:
    """With γ = 2β + 1, s = γ/z: ½γ₁² + γ₁ as z₁ → 0, of which ½·1² + 1 is the part without β."""
    gamma = 2 * BETA + 1
    expected = gamma**2 / 2 + gamma - 1.5
    measured = loss(SqrtSimplex(3), zero_rows(), BETA)
    torch.testing.assert_close(measured, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("domain", [FlatSimplex(3), SqrtSimplex(3)], ids=str)
def test_the_limit_is_approached_by_rows_inside(domain: AnyDomain) -> None:
    at_zero = loss(domain, zero_rows(), BETA)
    inside = zero_rows() * (1 - 3e-6) + 1e-6
    assert (loss(domain, inside, BETA) - at_zero).abs().max() < 1e-4
    assert (loss(domain, zero_rows() * (1 - 3e-3) + 1e-3, BETA) - at_zero).abs().max() > 1e-4


def test_only_rows_on_the_boundary_are_moved_and_stay_compositions() -> None:
    x = torch.cat([zero_rows(), dirichlet(20, [2.0, 2.0, 2.0]).draws])
    moved = move_inwards(x)
    assert torch.equal(moved[3:], x[3:])
    assert moved.amin() > 0
    assert (moved - x).norm(dim=1)[:3].tolist() == [pytest.approx(1e-10, rel=1e-4)] * 3
    FlatSimplex(3).check(moved)
    assert move_inwards(x[3:]) is not None
    assert torch.equal(move_inwards(x[3:]), x[3:])


def test_weights_of_second_order_are_recognised() -> None:
    for weight in (MinSq(0.1), ProdSq(0.1), Power(2.0), MinPower(2.0, 1.0), Power(3.0)):
        assert second_order(weight, 4)
    for weight in (MinPower(1.0, 1.0), Power(1.0), Power(1.5), Power(1.9)):
        assert not second_order(weight, 4)


def test_a_weight_that_falls_too_slowly_takes_no_zeros() -> None:
    domain = SqrtSimplex(3, weight=MinPower(1.0, 1.0))
    domain.check(zero_rows() * (1 - 3e-3) + 1e-3)
    with pytest.raises(InvalidInput, match=r"every part must be positive: got 0 \(row 0, column 0"):
        domain.check(zero_rows())
    flat = FlatSimplex(3, weight=MinSq(0.1))
    flat.check(zero_rows())
    slow = FlatSimplex(3, weight=lambda x: x.amin(1))
    assert torch.equal(working_rows(slow, zero_rows()), zero_rows())  # evaluated as they are


# ------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("domain", [FlatSimplex(3), SqrtSimplex(3), LogRatioSimplex(3)], ids=str)
def test_rows_that_are_no_compositions_are_named(domain: AnyDomain) -> None:
    x = dirichlet(6, [2.0, 2.0, 2.0]).draws
    domain.check(x)
    domain.check(x.float().double())
    scaled = x * torch.tensor([1, 1, 100.0, 1, 1, 1])[:, None]
    with pytest.raises(
        InvalidInput, match=r"sum to 1 within 1e-06: got sum 100 \(row 2\)\. If only"
    ):
        domain.check(scaled)
    with pytest.raises(InvalidInput, match=r"divide: x / x\.sum\(1, keepdim=True\)"):
        domain.check(x.mul(100).round() / 101)
    negative = x + torch.tensor([[0.0, -1.0, 1.0]]) * (torch.arange(6) == 4)[:, None]
    with pytest.raises(InvalidInput, match=r"at least 0: got -0\.\d+ \(row 4, column 1\)"):
        domain.check(negative)
    with pytest.raises(InvalidInput, match="of 3 columns"):
        domain.check(x[:, :2])
    with pytest.raises(InvalidInput, match="needs an integer d of at least 2"):
        type(domain)(1)


def test_log_ratios_refuse_zeros_and_say_who_takes_them() -> None:
    with pytest.raises(
        InvalidInput, match=r"got 0 \(row 0, column 0, .*Use FlatSimplex\(d\) or Sq"
    ):
        LogRatioSimplex(3).check(zero_rows())


def test_weights_that_leave_something_at_the_boundary_are_refused() -> None:
    for simplex in (FlatSimplex, SqrtSimplex):
        with pytest.raises(InvalidInput, match="must be zero at the boundary"):
            simplex(3, weight=lambda x: x[:, 0] + 1)
    with pytest.raises(InvalidInput, match="FlatSimplex needs a weight per row"):
        FlatSimplex(3, weight=Power(2.0))
    SqrtSimplex(3, weight=Power(2.0))


def test_the_domains_of_the_coordinates() -> None:
    x = root_dirichlet(5, [1.0, 2.0, 3.0]).draws ** 2
    assert LogRatioSimplex(3).inner == Euclidean(2)
    assert SqrtSimplex(3, weight=MinSq(0.3)).inner.weight == MinSq(0.3)
    assert SqrtSimplex(3).d == LogRatioSimplex(3).d == FlatSimplex(3).d == 3
    torch.testing.assert_close(working_rows(SqrtSimplex(3), x), x.sqrt())
    torch.testing.assert_close(working_rows(LogRatioSimplex(3), x), (x[:, :2] / x[:, 2:]).log())
    assert SqrtSimplex(3) == SqrtSimplex(3)
    assert SqrtSimplex(3) != SqrtSimplex(3, weight=ProdSq(0.1))
