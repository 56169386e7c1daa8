"""What a denoiser is good for, a batch of rows at a time: samples, log-densities, clean rows.

All rows here are preprocessed ones; `FittedScore` has them in the units of the data.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from scorematching.calculus import Exact
from scorematching.configuration import Configuration, LikelihoodSettings
from scorematching.errors import Diverged
from scorematching.likelihood import FixedProbes, FlowLogDensity, flow_log_density
from scorematching.nets import Conditioned, Given, NoisedBase, PreconditionedDenoiser, absent
from scorematching.noise import EDM, DenoiserScore
from scorematching.random import RowNoise
from scorematching.samplers import Guided, KarrasGrid, Walk, probability_flow, reverse_sde
from scorematching.shapes import event_size
from scorematching.typing import Denoiser, Trace

BATCH = 1024  # a multiple of random.ROWS_A_BLOCK


def process_of(configuration: Configuration) -> EDM:
    """The noise process of the preprocessed rows."""
    return EDM(configuration.noise.sigma_min, configuration.noise.sigma_max)


def trace_of(settings: LikelihoodSettings, d: int) -> Trace:
    """The exact trace for rows of few coordinates, fixed probes above."""
    return Exact() if d <= settings.exact_up_to else FixedProbes(settings.n_probes)


def samples(
    denoiser: PreconditionedDenoiser,
    configuration: Configuration,
    n: int,
    seed: int,
    given: Given,
    guidance: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """n rows ``(n, *event)`` in float64 on the CPU, and which of them diverged, ``(n,)``.

    Row i depends on the seed, i and what it is given alone, but for rounding.

    Raises
    ------
    Diverged
        All rows did.
    """
    rows, diverged = [], []
    failure: Diverged | None = None
    for chunk in _chunks(n):
        size = chunk.stop - chunk.start
        noise = RowNoise(chunk.start, size, (seed, "sample"))
        try:
            walk = _walk(denoiser, configuration, noise, _picked(given, chunk), guidance)
        except Diverged as error:  # all rows of this batch
            failure = error
            rows.append(torch.zeros(size, *denoiser.base.mean.shape, dtype=torch.float64))
            diverged.append(torch.ones(size, dtype=torch.bool))
            continue
        rows.append(walk.x.double().cpu())
        diverged.append(walk.diverged.cpu())
    lost = torch.cat(diverged)
    if failure is not None and bool(lost.all()):
        raise failure
    return torch.cat(rows), lost


def finite(rows: Tensor) -> Tensor:
    """Which rows are finite in every coordinate, ``(n,)``."""
    return torch.isfinite(rows).reshape(len(rows), -1).all(1)


def log_densities(
    denoiser: PreconditionedDenoiser,
    configuration: Configuration,
    rows: Tensor,
    given: Given,
    *,
    step_doubling: bool,
) -> FlowLogDensity:
    """log p of rows ``(n, *event)`` at the lowest noise level, in float64 on the CPU."""
    settings, process = configuration.likelihood, process_of(configuration)
    base = denoiser.base
    parts = [
        flow_log_density(
            DenoiserScore(Conditioned(denoiser, _picked(given, chunk)), process),
            process,
            rows[chunk].to(base.mean),
            prior=NoisedBase(base.for_rows(*_picked(given, chunk)), process.sigma_max),
            n_steps=settings.n_steps,
            trace=trace_of(settings, event_size(rows)),
            step_doubling=step_doubling,
            chunk_size=BATCH,
        )
        for chunk in _chunks(len(rows))
    ]
    return FlowLogDensity(
        torch.cat([part.value.double().cpu() for part in parts]),
        _joined([part.step_error for part in parts]),
        _joined([part.probe_error for part in parts]),
        parts[0].n_evaluations,
    )


def denoised(
    denoiser: PreconditionedDenoiser,
    rows: Tensor,
    sigma: float,
    given: Given,
    guidance: float = 1.0,
) -> Tensor:
    """E[y₀ | y₀ + σz = y] of rows y ``(n, *event)``, guided, in float64 on the CPU."""
    parts = []
    with torch.no_grad():
        for chunk in _chunks(len(rows)):
            y = rows[chunk].to(denoiser.base.mean)
            level = torch.full((len(y),), sigma, dtype=y.dtype, device=y.device)
            clean = guided(denoiser, _picked(given, chunk), guidance)(y, level)
            parts.append(clean.double().cpu())
    return torch.cat(parts)


def _walk(
    denoiser: PreconditionedDenoiser,
    configuration: Configuration,
    noise: RowNoise,
    given: Given,
    guidance: float,
) -> Walk:
    settings, process, base = configuration.sampling, process_of(configuration), denoiser.base
    z = noise.normal(base.mean, tuple(base.mean.shape))
    start = base.for_rows(*given).draw(z, settings.sigma_max)
    # One evaluation is the final denoising.
    steps = settings.n_evaluations - 1
    grid = KarrasGrid(steps, sigma_min=settings.sigma_min, sigma_max=settings.sigma_max)
    score = DenoiserScore(guided(denoiser, given, guidance), process)
    if settings.stochastic:
        return reverse_sde(score, process, start, grid, noise=noise)
    return probability_flow(score, process, start, grid)


def guided(denoiser: PreconditionedDenoiser, given: Given, guidance: float) -> Denoiser:
    """D + w (D(· | given) − D) with the guidance scale w; the conditional one for w = 1."""
    if not given or guidance == 1:
        return Conditioned(denoiser, given)
    return Guided(Conditioned(denoiser, given), Conditioned(denoiser, absent(given)), guidance)


def _picked(given: Given, chunk: slice) -> Given:
    return tuple(each[chunk] for each in given)


def _chunks(n: int) -> Iterator[slice]:
    return (slice(first, min(first + BATCH, n)) for first in range(0, n, BATCH))


def _joined(parts: list[Tensor | None]) -> Tensor | None:
    found = [part.double().cpu() for part in parts if part is not None]
    return torch.cat(found) if found else None
