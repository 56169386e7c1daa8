from __future__ import annotations

import contextlib

import pytest

import scorematching as sm
from scorematching.errors import InvalidInput
from scorematching.estimators import spelling


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gaussian", sm.families.Gaussian(3)),
        ("Von Mises_Fisher", sm.families.VonMisesFisher(3)),
        ("pairwise(0.5, 1)", sm.families.PairwiseInteraction(3, 0.5, 1.0)),
        ("exp-sqrt", sm.families.PairwiseInteraction(3, 0.5, 0.5)),
        ("ppi", sm.families.PPI(3)),
    ],
)
def test_families_are_made_of_words(text: str, expected: object) -> None:
    assert spelling.family(text, 3) == expected


@pytest.mark.parametrize("name", spelling.FAMILIES)
def test_every_word_makes_a_family(name: str) -> None:
    takes = spelling.FAMILIES[name][0]
    numbers = f"({', '.join(['2'] * takes)})" if takes else ""
    made = []
    for d in (1, 2, 3):
        with contextlib.suppress(InvalidInput):  # univariate ones, and spheres of no dimension
            made.append((d, spelling.family(name + numbers, d).d))
    assert made
    assert all(d == columns for d, columns in made)


@pytest.mark.parametrize(
    ("text", "weight", "expected"),
    [
        ("euclidean", None, sm.domains.Euclidean(2)),
        ("positive-orthant", None, sm.domains.PositiveOrthant(2)),
        (
            "positive orthant",
            sm.domains.Log1p(),
            sm.domains.PositiveOrthant(2, weight=sm.domains.Log1p()),
        ),
        ("box(0, inf)", None, sm.domains.Box([0, 0], [float("inf")] * 2)),
        ("box(-1, 1)", sm.domains.Power(1), sm.domains.Box([-1, -1], [1, 1], sm.domains.Power(1))),
        ("ball(2)", None, sm.domains.Ball(2, radius=2.0)),
        ("flat-simplex", sm.domains.ProdSq(0.2), sm.domains.FlatSimplex(2, sm.domains.ProdSq(0.2))),
        ("sqrt-simplex", None, sm.domains.SqrtSimplex(2)),
        ("log-ratio-simplex", None, sm.domains.LogRatioSimplex(2)),
        ("sphere", None, sm.domains.Sphere(2)),
    ],
)
def test_domains_are_made_of_words(text: str, weight: object, expected: object) -> None:
    assert spelling.domain(text, 2, weight) == expected  # type: ignore[arg-type]


def test_the_circle_has_one_column() -> None:
    assert spelling.domain("circle", 1) == sm.domains.Circle()
    with pytest.raises(InvalidInput, match="1 column: got 2"):
        spelling.domain("circle", 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("min(x,3)", sm.domains.MinPower(1, 3)),
        ("min(X, 0.5) ^ 2", sm.domains.MinPower(2, 0.5)),
        ("x", sm.domains.Power(1)),
        ("x**1.5", sm.domains.Power(1.5)),
        ("log(1 + x)", sm.domains.Log1p()),
        ("minsq(0.1)", sm.domains.MinSq(0.1)),
        ("prodsq(.05)", sm.domains.ProdSq(0.05)),
    ],
)
def test_weights_are_made_of_formulae(text: str, expected: object) -> None:
    assert spelling.weight(text) == expected


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: spelling.family("gausian", 2), "Did you mean gaussian"),
        (lambda: spelling.family("zzz", 2), "There are gaussian"),
        (lambda: spelling.family("pairwise", 2), r"written pairwise\(a, b\)"),
        (lambda: spelling.family("pairwise(1, y)", 2), r"written pairwise\(a, b\)"),
        (lambda: spelling.family("gaussian(2)", 2), "written gaussian,"),
        (lambda: spelling.family("polynomial(2.5)", 1), "whole number"),
        (lambda: spelling.domain("orthant", 2), "Did you mean positive-orthant"),
        (lambda: spelling.domain("box", 2), r"written box\(a, b\)"),
        (lambda: spelling.domain("euclidean", 2, sm.domains.Log1p()), "takes no weight"),
        (lambda: spelling.weight("sin(x)"), "none that is known"),
        (lambda: spelling.weight("min(x,-1)"), "none that is known"),
        (lambda: spelling.weight("__import__('os')"), "none that is known"),
    ],
)
def test_words_that_mean_nothing_are_refused_with_those_that_do(make: object, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        make()  # type: ignore[operator]
