"""What a page is made from: a fitted model, its rows and its log, and what they give together."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scorematching.conditioning import prepared
from scorematching.data import Dataset
from scorematching.denoising import LevelLosses
from scorematching.fitted import FittedScore
from scorematching.fitting import VALIDATION_ROWS
from scorematching.forms import Form
from scorematching.likelihood import FlowLogDensity
from scorematching.nets import PreconditionedDenoiser
from scorematching.report.effort import Effort
from scorematching.training_rows import at_most, dequantised

Array = NDArray[np.float64]

CHECKED = 8  # rows whose log-density is computed twice, to see the error of its steps


@dataclass(frozen=True, eq=False)
class Subject:
    """What a page is about.

    Attributes
    ----------
    name
        What the page calls it.
    model
        As `fit` gave it.
    train, held_out
        The rows that it was fitted to, and those that it was not, if there are any.
    chose
        Whether the held-out rows chose the best weights.
    source, described
        Where the rows came from, and what is there, in words.
    streamed
        Whether there are more training rows than these, which are a random part.
    records
        The log of the run: the fields of `training.Record` a step.
    seed
        That of the run.
    """

    name: str
    model: FittedScore
    train: Dataset
    held_out: Dataset | None = None
    chose: bool = True
    source: str = ""
    described: str = ""
    streamed: bool = False
    records: tuple[Mapping[str, Any], ...] = ()
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Losses:
    """The objective at each noise level ``(levels, n)``, of the network and its Gaussian alone."""

    network: Array
    gaussian: Array

    def ratio(self) -> tuple[Array, Array]:
        """The network's loss over the Gaussian's and its standard error (n − 1), ``(levels,)``."""
        below = self.gaussian.mean(1)
        ratio = self.network.mean(1) / below
        n = self.network.shape[1]
        if n < 2:
            return ratio, np.full_like(ratio, np.nan)
        residual = self.network - ratio[:, None] * self.gaussian
        return ratio, residual.std(1, ddof=1) / np.sqrt(n) / below


@dataclass(frozen=True, eq=False)
class Densities:
    """log p of some rows in nats and the data's units: the model's, and its Gaussian's ``(n,)``.

    checked holds those of a few of the rows once more, with the errors of the steps.
    """

    model: FlowLogDensity
    gaussian: Array
    checked: FlowLogDensity

    @property
    def gain(self) -> Array:
        """How much better than by the Gaussian each row is explained; of rows that are finite."""
        gain = self.model.value.numpy() - self.gaussian
        return gain[np.isfinite(gain)]


@dataclass(frozen=True, eq=False)
class Facts:
    """What was computed for a page.

    Attributes
    ----------
    subject, effort
        Of what, and how much.
    samples, lost
        Rows drawn, and how many more became non-finite.
    levels
        Noise levels of the losses, in ln σ evenly spaced.
    losses_held_out, losses_train
        At those levels; of the rows and with the noise of the run's log, if there are any.
    held_out, train
        Log-densities of held-out rows and of as many training rows.
    spaces
        Preprocessed rows ``(n, d)``: train, held-out (if any) and samples.
    """

    subject: Subject
    effort: Effort
    samples: Dataset
    lost: int
    levels: tuple[float, ...]
    losses_train: Losses
    losses_held_out: Losses | None = None
    held_out: Densities | None = None
    train: Densities | None = None
    spaces: Mapping[str, Array] = field(default_factory=dict)


def gathered(
    subject: Subject, effort: Effort, seed: int = 0, scored: FlowLogDensity | None = None
) -> Facts:
    """Compute everything that the page shows but for its maps.

    Parameters
    ----------
    subject
        The model and its rows.
    effort
        How many rows of each kind.
    seed
        Of the samples.
    scored
        Log-densities of the first held-out rows, as `few_held_out` gives them, if known already.

    Raises
    ------
    Diverged
        All samples became non-finite.
    """
    model = subject.model
    samples = replace(model, form=Form.DATASET).sample(effort.samples, seed=seed)
    few = few_held_out(subject)
    some = at_most(subject.train, VALIDATION_ROWS, subject.seed)
    levels, losses = _losses(subject, some)
    spaces = {"train": _space(model, subject.train), "samples": _space(model, samples)}
    facts = Facts(subject, effort, samples, effort.samples - samples.n, levels, losses)
    if few is None or subject.held_out is None:
        return replace(facts, spaces=spaces)
    known = at_most(few, effort.scored, subject.seed)
    ours = scored if scored is not None and len(scored.value) >= known.n else None
    return replace(
        facts,
        losses_held_out=_losses(subject, few)[1],
        held_out=densities(model, few if ours is not None else known, ours),
        train=densities(model, at_most(some, known.n, subject.seed)),
        spaces={**spaces, "held_out": _space(model, subject.held_out)},
    )


def few_held_out(subject: Subject) -> Dataset | None:
    """The held-out rows that `fit` validated by: some of them at most."""
    if subject.held_out is None:
        return None
    return at_most(subject.held_out, VALIDATION_ROWS, subject.seed)


def densities(model: FittedScore, rows: Dataset, scored: FlowLogDensity | None = None) -> Densities:
    """Log-densities of rows under the model and under its Gaussian, blurred by as much."""
    values = torch.from_numpy(rows.values)
    base = copy.deepcopy(model.denoiser.base).double().cpu()
    y, *given = prepared(model.transform, values, rows, model.conditions, base.mean)
    gaussian = base.for_rows(*given).log_density(y, model.process.sigma_min)
    gaussian = gaussian + model.transform.log_abs_det_jacobian(values)
    found = scored if scored is not None else model.flow_log_density(rows)
    few = model.flow_log_density(at_most(rows, CHECKED, 0), step_doubling=True)
    return Densities(found, gaussian.numpy(), few)


def gaussian_alone(denoiser: PreconditionedDenoiser) -> PreconditionedDenoiser:
    """The denoiser of the Gaussian base, without the network."""
    return PreconditionedDenoiser(_Nothing(), denoiser.base).eval()


class _Nothing(nn.Module):
    def forward(self, x: Tensor, *_: Tensor) -> Tensor:
        return torch.zeros_like(x)


def _losses(subject: Subject, rows: Dataset) -> tuple[tuple[float, ...], Losses]:
    model = subject.model
    values = dequantised(rows, subject.seed, enabled=model.configuration.dequantise)
    like = model.denoiser.base.mean
    inputs = prepared(model.transform, values, rows, model.conditions, like)
    losses = LevelLosses.of(model.process, inputs, subject.seed)
    network = losses.per_row(model.denoiser).numpy()
    return losses.levels, Losses(network, losses.per_row(gaussian_alone(model.denoiser)).numpy())


def _space(model: FittedScore, rows: Dataset) -> Array:
    y: Array = model.transform.forward(torch.from_numpy(rows.values)).numpy()
    return y.reshape(len(y), -1)
