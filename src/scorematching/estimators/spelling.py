"""Families, domains and weights in words, for scikit-learn faces and the command line.

``gaussian``, ``pairwise(0.5, 0.5)``, ``polynomial(4)``; ``positive-orthant``, ``box(0, 1)``;
``min(x,3)``, ``x^2``, ``log(1+x)``, ``minsq(0.1)``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from scorematching import domains, families
from scorematching.domains import AnyDomain, Weight
from scorematching.errors import InvalidInput
from scorematching.families import Family, LinearFamily

Numbers = tuple[float, ...]

#: Word → how many numbers it takes in brackets, and what it makes of the columns and those.
FAMILIES: Mapping[str, tuple[int, Callable[[int, Numbers], Any]]] = {
    "gaussian": (0, lambda d, _: families.Gaussian(d)),
    "pairwise": (2, lambda d, at: families.PairwiseInteraction(d, *at)),
    "exp-sqrt": (0, lambda d, _: families.PairwiseInteraction(d, 0.5, 0.5)),
    "exponential-power": (0, lambda d, _: families.ExponentialPower()),
    "polynomial": (1, lambda d, at: families.PolynomialExponential(_whole(at[0], "polynomial"))),
    "gamma": (0, lambda d, _: families.Gamma()),
    "weibull": (0, lambda d, _: families.Weibull()),
    "beta": (0, lambda d, _: families.Beta()),
    "von-mises": (0, lambda d, _: families.VonMises()),
    "von-mises-fisher": (0, lambda d, _: families.VonMisesFisher(d)),
    "watson": (0, lambda d, _: families.Watson(d)),
    "bingham": (0, lambda d, _: families.Bingham(d)),
    "fisher-bingham": (0, lambda d, _: families.FisherBingham(d)),
    "dirichlet": (0, lambda d, _: families.Dirichlet(d)),
    "ppi": (0, lambda d, _: families.PPI(d)),
    "independent-components": (0, lambda d, _: families.IndependentComponents(d)),
}
DOMAINS: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "euclidean": (0, lambda d, _: domains.Euclidean(d)),
    "sphere": (0, lambda d, _: domains.Sphere(d)),
    "circle": (0, lambda d, _: domains.Circle()),
    "log-ratio-simplex": (0, lambda d, _: domains.LogRatioSimplex(d)),
}
WEIGHTED: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "positive-orthant": (0, lambda d, _, **w: domains.PositiveOrthant(d, **w)),
    "box": (2, lambda d, at, **w: domains.Box([at[0]] * d, [at[1]] * d, **w)),
    "ball": (1, lambda d, at, **w: domains.Ball(d, radius=at[0], **w)),
    "flat-simplex": (0, lambda d, _, **w: domains.FlatSimplex(d, **w)),
    "sqrt-simplex": (0, lambda d, _, **w: domains.SqrtSimplex(d, **w)),
}
NUMBER = r"(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)"
WEIGHTS: tuple[tuple[str, Callable[..., Weight]], ...] = (
    (r"x", lambda: domains.Power(1)),
    (rf"x\^{NUMBER}", domains.Power),
    (rf"min\(x,{NUMBER}\)", lambda cap: domains.MinPower(1, cap)),
    (rf"min\(x,{NUMBER}\)\^{NUMBER}", lambda cap, power: domains.MinPower(power, cap)),
    (r"log\(1\+x\)", domains.Log1p),
    (rf"minsq\({NUMBER}\)", domains.MinSq),
    (rf"prodsq\({NUMBER}\)", domains.ProdSq),
)


def family(text: str, d: int) -> LinearFamily | Family:
    """A family of rows with d columns.

    Raises
    ------
    InvalidInput
        There is none of that name, it takes other numbers, or is of rows with other columns.
    """
    name, at = _parsed(text, "family", {word: n for word, (n, _) in FAMILIES.items()})
    made: LinearFamily | Family = FAMILIES[name][1](d, at)
    if made.d != d:
        raise InvalidInput(
            f"the family {name!r} is of rows with {made.d} column: got {d} columns. Choose one "
            "column, or another family."
        )
    return made


def domain(text: str, d: int, weight: Weight | None = None) -> AnyDomain:
    """A domain of rows with d columns, with a weight of its own unless one is given.

    Raises
    ------
    InvalidInput
        There is none of that name, it takes other numbers or no weight, or is of rows with other
        columns.
    """
    known = {word: n for word, (n, _) in (*WEIGHTED.items(), *DOMAINS.items())}
    name, at = _parsed(text, "domain", known)
    if name in WEIGHTED:
        made: AnyDomain = WEIGHTED[name][1](d, at, **({} if weight is None else {"weight": weight}))
    elif weight is not None:
        raise InvalidInput(
            f"the domain {name!r} takes no weight. Leave it out; weights are for "
            f"{', '.join(WEIGHTED)}."
        )
    else:
        made = DOMAINS[name][1](d, at)
    if made.d != d:
        raise InvalidInput(f"the domain {name!r} is of rows with {made.d} column: got {d} columns.")
    return made


def weight(text: str) -> Weight:
    """A weight, as a function of x, the distance from the boundary.

    Raises
    ------
    InvalidInput
        It is none of the forms that are known.
    """
    plain = re.sub(r"\s", "", text.lower()).replace("**", "^")
    for pattern, make in WEIGHTS:
        found = re.fullmatch(pattern, plain)
        if found:
            return make(*map(float, found.groups()))
    raise InvalidInput(
        f"the weight {text!r} is none that is known: x, x^p, min(x,c), min(x,c)^p, log(1+x), "
        "minsq(c) for min(min xⱼ², c²), prodsq(c) for min(∏ xⱼ², c²), with numbers for p and c."
    )


def _parsed(text: str, what: str, known: Mapping[str, int]) -> tuple[str, Numbers]:
    """``name(1, 2)`` as a known name and as many numbers as it takes."""
    found = re.fullmatch(r"\s*([\w\s-]*?)\s*(?:\((.*)\))?\s*", text.lower())
    name = re.sub(r"[\s_]+", "-", found.group(1)) if found else text
    if found is None or name not in known:
        near = get_close_matches(name, known, n=2, cutoff=0.6)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(known)}."
        raise InvalidInput(f"there is no {what} {text!r}. {hint}")
    cells = [cell.strip() for cell in (found.group(2) or "").split(",") if cell.strip()]
    try:
        numbers = tuple(float(cell) for cell in cells)
    except ValueError:
        numbers = ()
    if len(numbers) != known[name] or len(cells) != known[name]:
        form = f"{name}({', '.join('abc'[: known[name]])})" if known[name] else name
        raise InvalidInput(f"the {what} {name!r} is written {form}, with numbers: got {text!r}.")
    return name, numbers


def _whole(value: float, what: str) -> int:
    if value != int(value):
        raise InvalidInput(f"{what} takes a whole number: got {value:g}.")
    return int(value)
