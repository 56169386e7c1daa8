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
from scorematching.configuration import Configuration, overridden
from scorematching.data import Schema
from scorematching.data.labels import decode, spread
from scorematching.data.transform import Compose
from scorematching.errors import Diverged, InvalidInput
from scorematching.forms import Form, given_back, rows_like, shaped_like
from scorematching.hutchinson import check_count
from scorematching.labelling import sample_classes
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
    """

    denoiser: PreconditionedDenoiser
    transform: Compose
    schema: Schema
    configuration: Configuration
    reasons: dict[str, str]
    class_frequencies: tuple[float, ...] | None
    form: Form

    @property
    def process(self) -> EDM:
        """The noise process of the preprocessed rows."""
        return batched.process_of(self.configuration)

    def sample(
        self, n: int, *, seed: int = 0, labels: Any = None, n_evaluations: int | None = None
    ) -> Any:
        """n rows drawn from the model, in the form of the data.

        Row i depends on the seed and i alone: a longer sample starts with the shorter one (up to
        rounding), whatever fits into memory.

        Parameters
        ----------
        n
            Number of rows.
        seed
            Of the noise.
        labels
            For a model fitted with labels: a class a row, or one for all; drawn by the classes'
            frequencies if left out. See `spread_labels` too.
        n_evaluations
            Of the network, a row, in place of ``configuration.sampling.n_evaluations``; at least 2.

        Returns
        -------
        array, tensor, frame or Dataset
            As the data were given to `fit`, whole numbers rounded, declared bounds kept.

        Raises
        ------
        InvalidInput
            n or n_evaluations is out of its range, or labels do not fit the model.
        Diverged
            All rows became non-finite. Where some did they are left out, with a warning.
        """
        check_count(n, "n")
        classes = sample_classes(labels, n, seed, self.schema, self.class_frequencies)
        if classes is not None:
            classes = classes.to(self.denoiser.base.mean.device)
        settings = self.configuration
        if n_evaluations is not None:
            changes = {"sampling": {"n_evaluations": n_evaluations}}
            settings = overridden(settings, changes, "what is asked of sample")
        y, lost = batched.samples(self.denoiser, settings, n, seed, classes)
        rows = self.transform.inverse(y)
        kept = torch.isfinite(rows).reshape(n, -1).all(1) & ~lost
        count = n - int(kept.sum())
        if count == n:
            raise Diverged(f"all {n} samples became non-finite. Check the data for outliers.")
        if count:
            text = f"{count} of {n} samples became non-finite and are left out."
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        codes = None if classes is None else classes.cpu()[kept].numpy()
        return given_back(self.form, rows[kept].numpy(), self.schema, codes)

    def spread_labels(self, n: int) -> list[str] | list[int]:
        """Labels for n samples, each class as often as in the data but for less than one row.

        Labels that `sample` draws are independent, as those of n fresh rows would be, and so their
        numbers vary. Spread ones, ``sample(n, labels=fitted.spread_labels(n))``, keep the mixture
        of classes as it is, and means over the samples vary less.

        Raises
        ------
        InvalidInput
            The model was fitted without labels, or n is no positive integer.
        """
        check_count(n, "n")
        if self.class_frequencies is None or self.schema.label is None:
            raise InvalidInput("the model was fitted without labels: there are none to spread.")
        return decode(spread(self.class_frequencies, n), self.schema.label)

    def log_density(self, x: Any, *, labels: Any = None) -> Any:
        """log p of each row of x, in nats and the units of the data, ``(n,)``.

        By the probability flow, from the lowest noise level up; the log-Jacobian of the
        preprocessing is included. It is the density of the data blurred by that lowest level
        (and, where they were dequantised, of whole numbers spread over unit intervals). With
        labels it is conditional on them.

        Parameters
        ----------
        x
            Rows in any form that `fit` accepts.
        labels
            A class a row, for a model fitted with labels, where x does not hold them.

        Returns
        -------
        ndarray or Tensor
            float64 ``(n,)``; a tensor for a tensor.

        Raises
        ------
        InvalidInput
            x is not of the form of the data or has a value outside the declared bounds, or labels
            do not fit the model.
        """
        value = self.flow_log_density(x, labels=labels).value
        return value if isinstance(x, Tensor) else value.numpy()

    def flow_log_density(
        self, x: Any, *, labels: Any = None, step_doubling: bool = False
    ) -> FlowLogDensity:
        """`log_density` with what is known of its errors; see `likelihood.FlowLogDensity`."""
        rows, classes = self._rows(x, labels)
        result = batched.log_densities(
            self.denoiser,
            self.configuration,
            self.transform.forward(rows),
            classes,
            step_doubling=step_doubling,
        )
        jacobian = self.transform.log_abs_det_jacobian(rows)
        return dataclasses.replace(result, value=result.value + jacobian)

    def score(self, x: Any, sigma: float | None = None, *, labels: Any = None) -> Any:
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
        labels
            As there.

        Returns
        -------
        ndarray or Tensor
            float64, shaped like x; ``(n, d)`` for the d modelled columns of a frame. A tensor for
            a tensor.

        Raises
        ------
        InvalidInput
            sigma is outside the noise levels of the model, or as `log_density`.
        """
        rows, classes = self._rows(x, labels)
        level = level_of(sigma, self.transform, self.schema, self.process)
        with differentiable(rows) as rows:
            prepared = self.transform.forward(rows)
            denoised = batched.denoised(self.denoiser, prepared.detach(), level, classes)
            score = (denoised - prepared.detach()) / level**2
            total = (prepared * score).sum() + self.transform.log_abs_det_jacobian(rows).sum()
            (gradient,) = torch.autograd.grad(total, rows)
        return shaped_like(x, gradient, self.schema)

    def denoise(self, x: Any, sigma: float, *, labels: Any = None) -> Any:
        """E[x₀ | x₀ + noise = x]: the rows of x with noise of level sigma taken away.

        For bounded columns the mean is taken on the log or logit scale. Parameters and errors as
        in `score`, and so is the form of the result.
        """
        rows, classes = self._rows(x, labels)
        level = level_of(sigma, self.transform, self.schema, self.process)
        denoised = batched.denoised(self.denoiser, self.transform.forward(rows), level, classes)
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

    def _rows(self, x: Any, labels: Any) -> tuple[Tensor, Tensor | None]:
        """Rows in float64 ``(n, *event)`` on the CPU, and their classes on the model's device."""
        data = rows_like(x, self.schema, labels)
        rows = torch.from_numpy(data.values)
        if self.class_frequencies is None:
            return rows, None
        if data.labels is None:
            raise InvalidInput(
                "the model was fitted with labels: the rows must carry them, or be given labels=."
            )
        return rows, torch.from_numpy(data.labels).to(self.denoiser.base.mean.device)


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
