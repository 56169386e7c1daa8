from __future__ import annotations

import pytest
import torch

from scorematching.errors import InvalidInput
from scorematching.estimation import constraints
from scorematching.random import normal, seeded
from scorematching.structured import QuadraticForm

LIKE = torch.zeros((), dtype=torch.float64)
NAMES = ("a", "b", "c", "d", "e")


def test_parameters_are_free_fixed_or_shared() -> None:
    bound = constraints(NAMES, {"b": -0.8}, [("a", "d")])
    assert bound.free_names == ("a = d", "c", "e")
    phi = torch.tensor([1.0, 2.0, 3.0]).double()
    assert bound.expand(phi).tolist() == [1.0, -0.8, 2.0, 1.0, 3.0]
    assert torch.equal(bound.basis @ phi + bound.offset, bound.expand(phi))
    assert torch.equal(bound.restrict(bound.expand(phi)), phi)
    gradient = torch.arange(5).double()
    assert bound.pull_back(gradient).tolist() == [0.0 + 3.0, 2.0, 4.0]


def test_a_form_is_pulled_back_to_its_values() -> None:
    root = normal((5, 5), LIKE, seeded("form"))
    form = QuadraticForm(3, root @ root.mT, root[0], root[1, 1])
    bound = constraints(NAMES, {"b": -0.8, "e": 2.0}, [("a", "d")])
    phi = torch.tensor([0.3, -0.7]).double()
    pulled = bound.pull_back_form(form)
    torch.testing.assert_close(pulled(phi), form(bound.expand(phi)))
    torch.testing.assert_close(
        pulled.gradient(phi), bound.pull_back(form.gradient(bound.expand(phi)))
    )


def test_without_constraints_nothing_changes() -> None:
    bound = constraints(NAMES)
    theta = torch.arange(5).double()
    assert bound.trivial
    assert bound.expand(theta) is theta
    assert torch.equal(bound.basis, torch.eye(5).double())


@pytest.mark.parametrize(
    ("fixed", "tied", "complaint"),
    [
        ({"z": 1.0}, [], "no parameter 'z'.*a, b, c"),
        ({}, [("a", "z")], "no parameter 'z'"),
        ({"a": float("nan")}, [], "finite: got a"),
        ({"a": 1.0}, [("a", "b")], "a is constrained twice"),
        ({}, [("a", "b"), ("b", "c")], "b is constrained twice"),
        ({}, [("a",)], "at least two names"),
        ({}, ["ab"], "at least two names"),
        (dict.fromkeys(NAMES, 0.0), [], "nothing is left"),
    ],
)
def test_constraints_that_cannot_hold_are_refused(fixed, tied, complaint) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidInput, match=complaint):
        constraints(NAMES, fixed, tied)
