"""θ̂ and standard errors against the printed formulas, worked out in NumPy (`by_hand`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

import scorematching as sm
from estimation import by_hand
from estimation.by_hand import Array, ByHand, Weighed
from scorematching.domains import (
    AnyDomain,
    Ball,
    Box,
    FlatSimplex,
    Halfspaces,
    InCoordinates,
    Log,
    Log1p,
    LogRatioSimplex,
    MinPower,
    MinSq,
    PositiveOrthant,
    Power,
    ProdSq,
    SqrtSimplex,
    Weight,
)
from scorematching.families import (
    PPI,
    Bingham,
    Dirichlet,
    FisherBingham,
    Gaussian,
    LinearFamily,
    PairwiseInteraction,
    PolynomialExponential,
    VonMises,
    VonMisesFisher,
)

N = 60
DIGITS = 1e-8  # what differences leave by hand, with room; the estimates themselves have more
INFINITE = float("inf")

WEIGHTS: dict[str, tuple[Weight, Callable[[Array], Weighed]]] = {
    "min(x,3)": (MinPower(1, 3), by_hand.min_power),
    "min(x,1.1)²": (MinPower(2, 1.1), lambda u: by_hand.min_power(u, 2, 1.1)),
    "√min(x,0.9)": (MinPower(0.5, 0.9), lambda u: by_hand.min_power(u, 0.5, 0.9)),
    "x": (Power(1), lambda u: by_hand.power_of(u, 1)),
    "x²": (Power(2), lambda u: by_hand.power_of(u, 2)),
    "log(1+x)": (Log1p(), by_hand.log_one_plus),
    "min(min x², 0.8²)": (MinSq(0.8), lambda u: by_hand.min_square(u, 0.8)),
    "min(∏x², 0.8²)": (ProdSq(0.8), lambda u: by_hand.product_square(u, 0.8)),
}
EITHER_SIDE = [name for name, (weight, _) in WEIGHTS.items() if isinstance(weight, MinPower)]


@dataclass(frozen=True)
class Case:
    """An estimate, and the same by hand."""

    family: LinearFamily
    x: Array
    hand: ByHand
    domain: AnyDomain | None = None
    fixed: Mapping[str, float] = field(default_factory=dict)
    tied: tuple[tuple[str, str], ...] = ()

    def check(self) -> None:
        est = sm.estimate(self.family, self.x, domain=self.domain, fixed=self.fixed, tied=self.tied)
        place = {name: k for k, name in enumerate(est.names)}
        theta, errors = self.hand.estimate(
            [(place[name], value) for name, value in self.fixed.items()],
            [(place[one], place[other]) for one, other in self.tied],
        )
        gap = np.abs(est.theta.numpy() - theta)
        assert (gap <= DIGITS * (np.abs(theta) + errors)).all()
        np.testing.assert_allclose(est.std_errors, errors, rtol=DIGITS, atol=1e-14)


def positive(d: int, seed: int = 0) -> Array:
    return np.random.default_rng([d, seed]).gamma(1.5, 0.9, (N, d)) + 0.02


def unit(d: int) -> Array:
    z = np.random.default_rng(d).normal(size=(N, d)) + np.linspace(0.2, 1, d)
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def compositions(d: int, zeros: int = 0) -> Array:
    rng = np.random.default_rng([d, zeros])
    x = rng.dirichlet(np.linspace(1.0, 2.5, d), size=2 * N)
    x = x[x.min(1) > 1e-3][:N]
    for row in x[: N // 3] if zeros else ():
        row[rng.choice(d, size=zeros, replace=False)] = 0
    return x / x.sum(1, keepdims=True)


# ------------------------------------------------------------------------------ bounds


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("d", [1, 3, 6])
def test_truncated_gaussians_and_root_models_on_the_orthant(weight: str, d: int) -> None:
    w, by = WEIGHTS[weight]
    x, domain = positive(d), PositiveOrthant(d, weight=w)
    gaussian = by_hand.on_space(x, by_hand.gaussian, by(x))
    Case(Gaussian(d), x, gaussian, domain).check()
    root = by_hand.on_space(x, by_hand.pairwise(0.5, 0.5), by(x))
    Case(PairwiseInteraction(d, 0.5, 0.5), x, root, domain).check()


@pytest.mark.parametrize(
    ("a", "b"), [(1.0, 1.0), (0.5, 0.0), (0.0, 0.0), (0.0, 1.0), (1.5, 0.5), (2.0, 0.7)]
)
def test_pairwise_interactions_of_any_powers(a: float, b: float) -> None:
    x, family = positive(3), PairwiseInteraction(3, a, b)
    for weight in ("min(x,3)", "min(x,1.1)²", "min(min x², 0.8²)"):
        w, by = WEIGHTS[weight]
        hand = by_hand.on_space(x, by_hand.pairwise(a, b), by(x))
        domain = PositiveOrthant(3, weight=w)
        Case(family, x, hand, domain).check()
        Case(family, x, hand, domain, {"K[2,1]": 0.3, "eta[3]": -1.0}).check()
        Case(family, x, hand, domain, {"K[3,2]": 0.1}, (("K[1,1]", "K[2,2]"),)).check()


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ((0.0, -INFINITE, -1.0), (INFINITE, INFINITE, 9.0)),
        ((-INFINITE, -2.0, 0.0), (11.0, INFINITE, 12.0)),
        ((-1.0, -1.0, -1.0), (12.0, 12.0, 12.0)),
    ],
)
@pytest.mark.parametrize("weight", EITHER_SIDE)
def test_boxes_with_one_side_or_both_or_none(
    low: tuple[float, ...], high: tuple[float, ...], weight: str
) -> None:
    w, by = WEIGHTS[weight]
    x = positive(3).clip(max=8.0)
    left, right = x - np.array(low), np.array(high) - x
    at = by(np.minimum(left, right))
    slope = np.where(left <= right, at.slope, -at.slope)
    hand = by_hand.on_space(x, by_hand.gaussian, Weighed(at.w, slope))
    Case(Gaussian(3), x, hand, Box(low, high, w)).check()


@pytest.mark.parametrize("weight", list(WEIGHTS)[:6])
def test_half_spaces_and_balls_weigh_by_one_distance(weight: str) -> None:
    w, by = WEIGHTS[weight]
    x = positive(3)
    A = np.array([[-1.0, 0, 0], [0, -2.0, 0], [0, 0, -1.0], [1, 1, 1]])
    b = np.array([0.0, 0.0, 0.0, x.sum(1).max() + 0.1])
    normals, offsets = A / np.linalg.norm(A, axis=1)[:, None], b / np.linalg.norm(A, axis=1)
    slack = offsets - x @ normals.T
    at = by(slack.min(1, keepdims=True))
    near = Weighed(at.w.reshape(N), -at.slope * normals[slack.argmin(1)])
    hand = by_hand.on_space(x, by_hand.gaussian, near)
    Case(Gaussian(3), x, hand, Halfspaces(A.tolist(), b.tolist(), w)).check()

    centre = np.array([0.5, 0.5, 0.2])
    length = np.linalg.norm(x - centre, axis=1, keepdims=True)
    radius = float(length.max() + 0.1)
    at = by(radius - length)
    inside = Weighed(at.w.reshape(N), -at.slope * (x - centre) / length)
    hand = by_hand.on_space(x, by_hand.gaussian, inside)
    Case(Gaussian(3), x, hand, Ball(3, radius, centre.tolist(), w)).check()


def test_space_a_polynomial_and_logarithms_as_coordinates() -> None:
    x = positive(3)
    hand = by_hand.on_space(x, by_hand.gaussian, by_hand.one(x))
    Case(Gaussian(3), x, hand).check()
    Case(Gaussian(3), x, hand, None, {"K[3,2]": 0.2}, (("eta[1]", "eta[2]"),)).check()
    one = x[:, :1]
    hand = by_hand.on_space(one, by_hand.powers(4), by_hand.one(one))
    Case(PolynomialExponential(4), one, hand).check()
    hand = by_hand.on_space(
        np.log(x),
        lambda z: by_hand.pairwise(0.5, 0.5)(np.exp(z)),
        by_hand.one(x),
        lambda z: z.sum(1),
    )
    domain = InCoordinates(sm.domains.Euclidean(3), Log())
    Case(PairwiseInteraction(3, 0.5, 0.5), x, hand, domain).check()


# -------------------------------------------------------------------------- directions


@pytest.mark.parametrize("d", [2, 3, 4, 5])
def test_directions_of_any_dimension(d: int) -> None:
    x = unit(d)
    Case(VonMisesFisher(d), x, by_hand.on_sphere(x, by_hand.directions)).check()
    Case(Bingham(d), x, by_hand.on_sphere(x, by_hand.bingham)).check()
    hand = by_hand.on_sphere(x, by_hand.fisher_bingham)
    Case(FisherBingham(d), x, hand).check()
    Case(FisherBingham(d), x, hand, None, {"b[1]": 0.4, "A[1,2]": -0.2}).check()
    Case(FisherBingham(d), x, hand, None, {"b[2]": 0.4}, (("A[1,1]", "A[1,2]"),)).check()


@pytest.mark.parametrize("d", [2, 3, 5])
def test_direction_first_matches_the_concentration_along_the_mean(d: int) -> None:
    x = unit(d)
    mu = x.mean(0) / np.linalg.norm(x.mean(0))
    t = x @ mu
    A, b = 1 - t**2, -(d - 1) * t
    kappa = -b.mean() / A.mean()
    error = (A * kappa + b).std(ddof=1) / A.mean() / N**0.5
    est = sm.estimate(VonMisesFisher(d, direction_first=True), x)
    np.testing.assert_allclose(est.theta, kappa * mu, rtol=1e-12)
    at = torch.from_numpy(mu)
    assert float((at @ est.theta_covariance @ at).sqrt()) == pytest.approx(error, rel=1e-12)


def test_angles_on_the_circle_are_directions_in_the_plane() -> None:
    x = unit(2)
    angles = np.arctan2(x[:, 1:], x[:, :1])
    hand = by_hand.on_space(angles, by_hand.angles, by_hand.one(angles))
    Case(VonMises(), angles, hand).check()
    np.testing.assert_allclose(
        sm.estimate(VonMises(), angles).theta, sm.estimate(VonMisesFisher(2), x).theta, rtol=1e-10
    )


# ------------------------------------------------------------------------ compositions

HELD = {"beta[1]": -0.8, "b_L[1]": 0.0, "A_L[1,2]": 0.3}
CAPS: dict[str, tuple[Weight, Callable[[Array], Weighed]]] = {
    "minsq 0.1": (MinSq(0.1), lambda u: by_hand.min_square(u, 0.1)),
    "minsq 5": (MinSq(5.0), lambda u: by_hand.min_square(u, 5.0)),
    "prodsq 0.01": (ProdSq(0.01), lambda u: by_hand.product_square(u, 0.01)),
    "prodsq 0.1": (ProdSq(0.1), lambda u: by_hand.product_square(u, 0.1)),
}


@pytest.mark.parametrize("weight", CAPS)
@pytest.mark.parametrize("d", [3, 4])
def test_compositions_flat_and_on_the_sphere(weight: str, d: int) -> None:
    w, by = CAPS[weight]
    x, flat, root = compositions(d), FlatSimplex(d, weight=w), SqrtSimplex(d, weight=w)
    Case(Dirichlet(d), x, by_hand.on_flat_simplex(x, by_hand.dirichlet, by(x)), flat).check()
    Case(Dirichlet(d), x, by_hand.on_sqrt_simplex(x, by_hand.dirichlet, by), root).check()
    for hand, domain in (
        (by_hand.on_flat_simplex(x, by_hand.ppi, by(x)), flat),
        (by_hand.on_sqrt_simplex(x, by_hand.ppi, by), root),
    ):
        Case(PPI(d), x, hand, domain, HELD).check()
        if weight == "minsq 5":  # elsewhere A is too ill-conditioned for eight digits by hand
            Case(PPI(d), x, hand, domain).check()


@pytest.mark.parametrize("d", [3, 4])
def test_compositions_as_log_ratios(d: int) -> None:
    x = compositions(d)
    Case(Dirichlet(d), x, by_hand.on_log_ratios(x, by_hand.dirichlet), LogRatioSimplex(d)).check()
    hand = by_hand.on_log_ratios(x, by_hand.ppi)
    Case(PPI(d), x, hand, LogRatioSimplex(d)).check()
    Case(PPI(d), x, hand, LogRatioSimplex(d), {f"beta[{d}]": -0.5}).check()


@pytest.mark.parametrize("weight", ["minsq 0.1", "prodsq 0.1"])
@pytest.mark.parametrize("zeros", [1, 2])
def test_zeros_count_as_their_limit(weight: str, zeros: int) -> None:
    w, by = CAPS[weight]
    x = compositions(4, zeros)
    inwards = 1 / 4 - x
    inwards /= np.linalg.norm(inwards, axis=1, keepdims=True)

    def near(step: float) -> Array:
        moved = np.where(x.min(1, keepdims=True) == 0, x + step * inwards, x)
        return moved / moved.sum(1, keepdims=True)

    def limit(hand: Callable[[Array], ByHand]) -> ByHand:
        one, two = hand(near(1e-6)), hand(near(2e-6))
        return ByHand(2 * one.A - two.A, 2 * one.b - two.b)

    flat = limit(lambda z: by_hand.on_flat_simplex(z, by_hand.ppi, by(z)))
    root = limit(lambda z: by_hand.on_sqrt_simplex(z, by_hand.ppi, by))
    held = {**HELD, "beta[2]": -0.85}
    for hand, domain in ((flat, FlatSimplex(4, weight=w)), (root, SqrtSimplex(4, weight=w))):
        est = sm.estimate(PPI(4), x, domain=domain, fixed=held)
        theta, errors = hand.estimate([(est.names.index(name), v) for name, v in held.items()])
        np.testing.assert_allclose(est.theta, theta, rtol=1e-6)
        np.testing.assert_allclose(est.std_errors, errors, rtol=1e-6, atol=1e-14)
