"""What a user holds: a fitted score, and what it is good for."""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from scorematching import batched
from scorematching.calculus import differentiable
from scorematching.conditioning import Conditions, spread_labels
from scorematching.configuration import Configuration, with_evaluations
from scorematching.data import Schema
from scorematching.data.transform import Compose
from scorematching.errors import Diverged
from scorematching.forms import Form, given_back, shaped_like
from scorematching.guiding import Telling
from scorematching.hutchinson import check_count
from scorematching.likelihood import FlowLogDensity
from scorematching.nets import PreconditionedDenoiser
from scorematching.noise import EDM
from scorematching.preprocessing import level_of
from scorematching.saved import load_parts, save_parts


@dataclass(frozen=True, eq=False)
class FittedScore:
    """A fitted score model, in the units and the form of the data it was fitted to.

    Attributes
    ----------
    denoiser
        D(y, σ) of the preprocessed rows, the network; its dtype and device are the model's.
    transform
        The preprocessing y = f(x), invertible, in float64.
    schema
        The form of the data: columns, images or an array.
    configuration
        All settings, and ``reasons`` why those that were chosen were chosen.
    class_frequencies
        ``(n_classes,)`` where it was fitted with labels, else None.
    form
        The kind of object that `sample` gives back.
    conditions
        How the condition is standardised, and some of the training rows', where it was fitted with
        one, else None.
    """

    denoiser: PreconditionedDenoiser
    transform: Compose
    schema: Schema
    configuration: Configuration
    reasons: dict[str, str]
    class_frequencies: tuple[float, ...] | None
    form: Form
    conditions: Conditions | None = None

    @property
    def process(self) -> EDM:
        """The noise process of the preprocessed rows."""
        return batched.process_of(self.configuration)

    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        labels: Any = None,
        condition: Any = None,
        guidance: float = 1.0,
        n_evaluations: int | None = None,
    ) -> Any:
        """n rows drawn from the model, in the form of the data.

        Row i depends on the seed, i and what it is given alone: a longer sample starts with the
        shorter one (up to rounding), whatever fits into memory.

        Parameters
        ----------
        n, seed
            Number of rows, and the seed of the noise.
        labels, condition
            For a model fitted with them: a class a row, or one for all; a row of numbers a row, or
            one for all, or names with numbers. What is left out is drawn as it was found among the
            training rows, so that the samples follow the data. See `spread_labels` too.
        guidance
            The scale w of s + w (s(· | given) − s), with the unconditional score s. 1 samples the
            model given labels and condition; more exaggerates what sets them apart, and is no
            longer the law of the data given them; 0 is the model of rows of which nothing is known.
        n_evaluations
            Of the network, a row, in place of ``configuration.sampling.n_evaluations``; at least 2.

        Returns
        -------
        array, tensor, frame or Dataset
            As the data were, whole numbers rounded, bounds kept, given columns among the others.

        Raises
        ------
        InvalidInput
            n or n_evaluations is out of its range, labels or condition do not fit the model, or it
            was fitted without what guidance needs.
        Diverged
            All rows became non-finite. Where some did they are left out, with a warning.
        """
        check_count(n, "n")
        telling = self._telling(labels, condition, guidance)
        given, classes, numbers = telling.drawn(n, seed)
        settings = with_evaluations(self.configuration, n_evaluations)
        y, lost = batched.samples(self.denoiser, settings, n, seed, given, telling.scale)
        rows = self.transform.inverse(y)
        kept = batched.finite(rows) & ~lost
        if not bool(kept.any()):
            raise Diverged(f"all {n} samples became non-finite. Check the data for outliers.")
        if not bool(kept.all()):
            text = f"{n - int(kept.sum())} of {n} samples became non-finite and are left out."
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        carried = [None if each is None else each[kept].numpy() for each in (classes, numbers)]
        return given_back(self.form, rows[kept].numpy(), self.schema, *carried)

    def spread_labels(self, n: int) -> list[str] | list[int]:
        """Labels for n samples, each class as often as in the data but for less than one row.

        Labels that `sample` draws are independent, as those of n fresh rows would be, and so their
        numbers vary. Spread ones, ``sample(n, labels=fitted.spread_labels(n))``, keep the mixture
        of classes as it is, and means over the samples vary less.

        InvalidInput is raised where the model was fitted without labels.
        """
        return spread_labels(self.class_frequencies, self.schema, n)

    def log_density(
        self, x: Any, *, labels: Any = None, condition: Any = None, guidance: float = 1.0
    ) -> Any:
        """log p of each row of x, in nats and the units of the data, ``(n,)``.

        By the probability flow, from the lowest noise level up; the log-Jacobian of the
        preprocessing is included. It is the density of the data blurred by that lowest level (and,
        where they were dequantised, of whole numbers spread over unit intervals), given labels or
        a condition.

        Parameters
        ----------
        x
            Rows in any form that `fit` accepts.
        labels, condition
            A class a row and a row of numbers a row (or one for all), for a model fitted with
            them, where x does not hold them.
        guidance
            1, or 0 for rows of which nothing is known: other guided scores belong to no density.

        Returns
        -------
        ndarray or Tensor
            float64 ``(n,)``; a tensor for a tensor.

        Raises
        ------
        InvalidInput
            x is not of the form of the data or outside its bounds, or what is given does not fit.
        """
        told: Any = {"labels": labels, "condition": condition, "guidance": guidance}
        value = self.flow_log_density(x, **told).value
        return value if isinstance(x, Tensor) else value.numpy()

    def flow_log_density(
        self,
        x: Any,
        *,
        labels: Any = None,
        condition: Any = None,
        guidance: float = 1.0,
        step_doubling: bool = False,
    ) -> FlowLogDensity:
        """`log_density` with what is known of its errors; see `likelihood.FlowLogDensity`."""
        telling = self._telling(labels, condition, guidance)
        telling.check_density()
        rows, given = telling.rows(x)
        prepared = self.transform.forward(rows)
        result = batched.log_densities(
            self.denoiser, self.configuration, prepared, given, step_doubling=step_doubling
        )
        jacobian = self.transform.log_abs_det_jacobian(rows)
        return dataclasses.replace(result, value=result.value + jacobian)

    def score(
        self,
        x: Any,
        sigma: float | None = None,
        *,
        labels: Any = None,
        condition: Any = None,
        guidance: float = 1.0,
    ) -> Any:
        """∇ₓ log p_σ at the rows of x, in the units of the data, shaped like the rows.

        Parameters
        ----------
        x
            As in `log_density`.
        sigma
            The noise level, one number: a standard deviation in the units of the data for images,
            numbers ``(n,)`` and arrays of two axes or more a row; in those of the whitened rows
            for tables and arrays ``(n, d)``, whose columns have units of their own. The lowest
            level by default, where errors of the network weigh most: 0.1 to 0.3 spreads of the
            data give a steadier score.
        labels, condition, guidance
            As there, and a guidance scale as in `sample`.

        Returns
        -------
        ndarray or Tensor
            float64, shaped like x; ``(n, d)`` for the d modelled columns of a frame.

        Raises
        ------
        InvalidInput
            sigma is outside the noise levels of the model, or as `log_density`.
        """
        telling = self._telling(labels, condition, guidance)
        rows, given = telling.rows(x)
        level, w = level_of(sigma, self.transform, self.schema, self.process), telling.scale
        with differentiable(rows) as rows:
            prepared = self.transform.forward(rows)
            denoised = batched.denoised(self.denoiser, prepared.detach(), level, given, w)
            score = (denoised - prepared.detach()) / level**2
            total = (prepared * score).sum() + self.transform.log_abs_det_jacobian(rows).sum()
            (gradient,) = torch.autograd.grad(total, rows)
        return shaped_like(x, gradient, self.schema)

    def denoise(
        self,
        x: Any,
        sigma: float,
        *,
        labels: Any = None,
        condition: Any = None,
        guidance: float = 1.0,
    ) -> Any:
        """E[x₀ | x₀ + noise = x]: the rows of x with noise of level sigma taken away.

        For bounded columns the mean is taken on the log or logit scale. Parameters and errors as
        in `score`, and so is the form of the result.
        """
        telling = self._telling(labels, condition, guidance)
        rows, given = telling.rows(x)
        level = level_of(sigma, self.transform, self.schema, self.process)
        prepared = self.transform.forward(rows)
        denoised = batched.denoised(self.denoiser, prepared, level, given, telling.scale)
        return shaped_like(x, self.transform.inverse(denoised), self.schema)

    def save(self, folder: str | Path) -> None:
        """Save the model in a folder, as JSON and safetensors with checksums; see `load`.

        Raises
        ------
        OSError
            The folder cannot be written; a model saved there before is kept.
        """
        save_parts(vars(self), Path(folder))

    def describe(self) -> str:
        """The settings and the reasons for them, as text."""
        reasons = (f"{name}: {reason}\n" for name, reason in self.reasons.items())
        return "".join(reasons) + self.configuration.model_dump_json()

    def _telling(self, labels: Any, condition: Any, guidance: float) -> Telling:
        return Telling(
            labels, condition, guidance, self.configuration, self.schema, self.class_frequencies,
            self.conditions, self.denoiser.base.mean,
        )  # fmt: skip


def load(folder: str | Path, net: nn.Module | None = None) -> FittedScore:
    """A model saved by `FittedScore.save` or by ``scorematching fit``.

    Parameters
    ----------
    folder
        Where it was saved.
    net
        For a model with a network of the user's own: a module of the same shapes, into which the
        weights are loaded. No code is ever loaded.

    Raises
    ------
    InvalidInput
        There is no model in the folder; or it needs net, or net does not fit.
    CorruptCheckpoint
        The files are damaged, or were written by a newer version.
    """
    fields, warned = load_parts(Path(folder), net)
    for text in warned:
        warnings.warn(text, RuntimeWarning, stacklevel=2)
    return FittedScore(**fields)
