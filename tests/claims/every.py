"""Claims that hold for all objectives alike: event shapes, derivatives, precision, callables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from claims.claim import Claim, Outcome, equal, same
from scorematching.hutchinson import Hutchinson
from scorematching.noise import VP, Ladder, LaplaceKernel
from scorematching.objectives import dae, dsm, esm, fd_ssm, ism, ncsn, ssm
from scorematching.random import seeded
from scorematching.typing import Score

LADDER = Ladder((0.4, 1.0, 2.5))
Objective = Callable[[Score, Tensor, torch.Generator], Tensor]

# Each objective in each of its forms, as a function of a score, rows and a generator.
FORMS: dict[str, Objective] = {
    "esm": lambda s, x, g: esm(s, x, lambda x: x.cos() - x),
    "ism, exact": lambda s, x, g: ism(s, x),
    "ism, Hutchinson": lambda s, x, g: ism(s, x, Hutchinson(2, generator=g)),
    "ism, regularised": lambda s, x, g: ism(s, x, regularisation=0.3),
    "ism, regularised, Hutchinson": lambda s, x, g: ism(
        s, x, Hutchinson(2, generator=g), regularisation=0.3
    ),
    "ssm, reduced": lambda s, x, g: ssm(s, x, 2, generator=g),
    "ssm, plain": lambda s, x, g: ssm(s, x, 2, variance_reduced=False, generator=g),
    "fd_ssm, reduced": lambda s, x, g: fd_ssm(s, x, 2, True, generator=g, epsilon=0.3),
    "fd_ssm, plain": lambda s, x, g: fd_ssm(s, x, 2, False, generator=g, epsilon=0.3),
    "dsm, Gaussian": lambda s, x, g: dsm(s, x, 0.7, 2, g),
    "dsm, Laplace": lambda s, x, g: dsm(s, x, None, 2, g, kernel=LaplaceKernel(0.7)),
    "dsm, control variate": lambda s, x, g: dsm(s, x, 0.7, 2, g, control_variate=True),
    "dae": lambda r, x, g: dae(r, x, 0.7, 2, g),
    "ncsn, random time": lambda s, x, g: ncsn(lambda x, t: s(x), x, VP(), generator=g),
    "ncsn, every level": lambda s, x, g: ncsn(
        lambda x, t: s(x), x, LADDER, generator=g, every_level=True
    ),
}

EVENTS = {0: (), 1: (6,), 2: (2, 3), 3: (3, 1, 2), 4: (2, 1, 3, 1)}


@dataclass(frozen=True)
class Network:
    """B tanh(Ax + b) on the flattened event, a module without the module."""

    a: Tensor
    b: Tensor
    out: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        flat = x.reshape(len(x), -1)
        return (torch.tanh(flat @ self.a + self.b) @ self.out).reshape(x.shape)


def network(d: int, dtype: torch.dtype = torch.float64) -> Network:
    generator = seeded("claims", "network", d)
    shapes = ((d, 5), (5,), (5, d))
    parts = [torch.randn(s, generator=generator, dtype=torch.float64).to(dtype) for s in shapes]
    return Network(*parts)


def rows_of(form: str, shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Tensor:
    """The losses of 7 rows whose events have a given shape, on draws that depend on d alone."""
    d = math.prod(shape)
    x = torch.randn((7, d), generator=seeded("claims", "rows", d), dtype=torch.float64)
    model = network(d, dtype)
    return FORMS[form](model, x.to(dtype).reshape(7, *shape), seeded("claims", "draws", form))


def event_ranks(form: str) -> Outcome:
    shaped = [rows_of(form, shape) for shape in EVENTS.values()]
    flat = [rows_of(form, (math.prod(shape),)) for shape in EVENTS.values()]
    return equal(torch.stack(shaped), torch.stack(flat))


def differentiable(form: str) -> Outcome:
    """torch.autograd.gradcheck in all three parameters of the network, float64."""
    x = torch.randn((4, 3), generator=seeded("claims", "gradcheck"), dtype=torch.float64)
    start = network(3)
    parameters = [p.clone().requires_grad_() for p in (start.a, start.b, start.out)]

    def rows(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
        return FORMS[form](Network(a, b, out), x, seeded("claims", "draws", form))

    good = torch.autograd.gradcheck(rows, parameters, raise_exception=False)
    return same("agree" if good else "differ", "agree")


def claims() -> Iterator[Claim]:
    for form in FORMS:
        yield Claim(
            "every objective",
            f"{form}: event ranks 0 to 4",
            "the rows of the flattened event",
            lambda form=form: event_ranks(form),
        )
        yield Claim(
            "every objective",
            f"{form}: derivatives in the parameters",
            "central differences (gradcheck, float64)",
            lambda form=form: differentiable(form),
        )
