"""How much a page computes: as many rows as a small part of the training's work pays for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from scorematching.conditioning import given_of, sample_given
from scorematching.fitted import FittedScore
from scorematching.shapes import event_size

#: Multiplications and additions; one core does some ten thousand million a second.
SAMPLING, SCORING, MAPPING = 1.2e11, 1.2e11, 2.4e11
BACKWARD = 2  # a backward pass costs two forward ones
SLOPES = 4  # of a step of the flow
MAP_STEPS = 8


@dataclass(frozen=True)
class Effort:
    """Numbers of rows.

    Attributes
    ----------
    samples
        Rows to draw.
    scored
        Held-out rows whose log-density is computed, and training rows: as many.
    map_side
        Points along a side of the log-density's map, of rows of two numbers.
    """

    samples: int
    scored: int
    map_side: int


def effort_for(model: FittedScore) -> Effort:
    """What can be had in about a minute on one slow core, whatever the network."""
    flops = flops_a_row(model)
    settings, d = model.configuration, event_size(model.denoiser.base.mean[None])
    traces = d if d <= settings.likelihood.exact_up_to else settings.likelihood.n_probes
    a_point = flops * SLOPES * (1 + BACKWARD * traces)
    return Effort(
        samples=_within(SAMPLING / (flops * settings.sampling.n_evaluations), 60, 1000) // 20 * 20,
        scored=_within(SCORING / (a_point * settings.likelihood.n_steps), 8, 256),
        map_side=_within((MAPPING / (a_point * MAP_STEPS)) ** 0.5, 20, 44),
    )


def flops_a_row(model: FittedScore) -> float:
    """Multiplications and additions of one evaluation of the network for one row; at least 1."""
    mean = model.denoiser.base.mean
    x = mean[None].expand(2, *mean.shape)
    some = sample_given(2, 0, None, None, model.schema, model.class_frequencies, model.conditions)
    given = given_of(*some, model.conditions, mean)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.denoiser(x, x.new_ones(2), *given)
    return max(1.0, float(counter.get_total_flops()) / 2)


def _within(value: float, low: int, high: int) -> int:
    return int(min(high, max(low, value)))
