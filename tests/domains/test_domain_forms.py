"""Every domain is written as it is built, equal to its like, hashable, and can be pickled."""

from __future__ import annotations

import pickle

import pytest
from numpy import inf  # as repr writes it

import scorematching.domains as dom

BUILT = [
    dom.Euclidean(2),
    dom.PositiveOrthant(2, weight=dom.Log1p()),
    dom.Box([0.0, -inf], [1.0, inf]),
    dom.Ball(2, 3.0, [1.0, 0.5], weight=dom.Power(2.0)),
    dom.Halfspaces([[1.0, 0.5], [-1.0, 0.0]], [1.0, 0.0]),
    dom.Sphere(3),
    dom.PositiveSphere(3),
    dom.Circle(),
    dom.FlatSimplex(3, weight=dom.ProdSq(0.2)),
    dom.SqrtSimplex(3, weight=dom.ProdSq(0.2)),
    dom.LogRatioSimplex(3),
    dom.Product((dom.Sphere(3), dom.SqrtSimplex(2))),
    dom.InCoordinates(dom.Euclidean(2), dom.Logit(-1.0, 2.0)),
]


@pytest.mark.parametrize("domain", BUILT, ids=lambda d: type(d).__name__)
def test_what_is_written_builds_the_same_domain(domain: object) -> None:
    again = eval(repr(domain), {**vars(dom), "inf": inf})
    assert again == domain
    assert hash(again) == hash(domain)
    assert repr(again) == repr(domain)
    assert pickle.loads(pickle.dumps(domain)) == domain


def test_no_two_are_equal() -> None:
    assert len({*BUILT}) == len(BUILT)
