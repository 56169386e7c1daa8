"""Randomness that is always passed in: generators, never the global state."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from scorematching.errors import InvalidInput

ROWS_A_BLOCK = 64


def seeded(*parts: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator whose stream is a function of the parts, and unrelated for different parts.

    ``seeded(seed, "sample", block)`` gives each block of rows its own stream, so that results do
    not depend on how many blocks fit into memory. An integer of NumPy counts as its value.
    """
    plain = (part if isinstance(part, str) else operator.index(part) for part in parts)
    digest = hashlib.sha256("\x1f".join(map(repr, plain)).encode()).digest()
    generator = torch.Generator(device=device)
    generator.manual_seed(int.from_bytes(digest[:8], "little") >> 1)
    return generator


def normal(
    shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Draws of N(0, 1) of the given shape, in the dtype and on the device of ``like``.

    Drawn on the generator's device and moved, so that a CPU generator gives the same noise to
    every device. Without a generator a fresh one with an unpredictable seed is used: the global
    state is neither read nor changed.
    """
    generator = generator if generator is not None else fresh(like.device)
    draw = torch.randn(shape, generator=generator, dtype=like.dtype, device=generator.device)
    return draw.to(like.device)


def uniform(
    shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Draws of U[0, 1) of the given shape, in the dtype and on the device of ``like``."""
    generator = generator if generator is not None else fresh(like.device)
    draw = torch.rand(shape, generator=generator, dtype=like.dtype, device=generator.device)
    return draw.to(like.device)


def fresh(device: torch.device | str = "cpu") -> torch.Generator:
    """A generator seeded from the operating system's entropy."""
    generator = torch.Generator(device=device)
    generator.seed()
    return generator


@contextmanager
def forked(*parts: int | str) -> Iterator[None]:
    """Run code that can only read the global state (initialisation, dropout) reproducibly.

    The global state is replaced by the stream of ``seeded(*parts)`` inside the block and put back
    after it, so that nothing outside is disturbed.
    """
    generator = seeded(*parts)
    with torch.random.fork_rng():
        torch.random.set_rng_state(generator.get_state())
        if torch.cuda.is_available():
            torch.cuda.manual_seed_all(generator.initial_seed())
        yield


@dataclass(frozen=True)
class RowNoise:
    """Noise for n rows, drawn in logical blocks of rows that each have a stream of their own.

    What a row gets depends on its number and the parts alone, not on how many rows are drawn or
    fit into memory at a time. It has state: each call gives the next draw.

    Parameters
    ----------
    first, n
        The number of the first row, a multiple of the block, and how many there are.
    parts
        As in `seeded`.

    Raises
    ------
    InvalidInput
        The first row does not begin a block, so that rows would get each other's noise.
    """

    first: int
    n: int
    parts: tuple[int | str, ...]
    generators: tuple[torch.Generator, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.first % ROWS_A_BLOCK:
            raise InvalidInput(
                f"the first row must be a multiple of {ROWS_A_BLOCK}: got {self.first}."
            )
        blocks = range(self.first // ROWS_A_BLOCK, -(-(self.first + self.n) // ROWS_A_BLOCK))
        object.__setattr__(self, "generators", tuple(seeded(*self.parts, b) for b in blocks))

    def normal(self, like: Tensor, event: tuple[int, ...]) -> Tensor:
        """N(0, 1), ``(n, *event)``, in the dtype and on the device of ``like``."""
        draws = [normal((ROWS_A_BLOCK, *event), like, each) for each in self.generators]
        return torch.cat(draws)[: self.n]

    def uniform(self, like: Tensor) -> Tensor:
        """U[0, 1), ``(n,)``, in the dtype and on the device of ``like``."""
        draws = [uniform((ROWS_A_BLOCK,), like, each) for each in self.generators]
        return torch.cat(draws)[: self.n]

    def __call__(self, index: int, x: Tensor) -> Tensor:
        """As the noise of a walk: z like x."""
        return self.normal(x, tuple(x.shape[1:]))
