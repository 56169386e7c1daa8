"""Randomness that is always passed in: generators, never the global state."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


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
