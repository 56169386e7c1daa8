"""What a user holds: a fitted score, and what it is good for."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from scorematching.calculus import Exact
from scorematching.configuration import Configuration
from scorematching.data import Schema
from scorematching.data.transform import Compose
from scorematching.errors import InvalidInput
from scorematching.forms import Form, codes_of, given_back, rows_like
from scorematching.hutchinson import check_count
from scorematching.likelihood import FixedProbes, FlowLogDensity, flow_log_density
from scorematching.nets import ForClasses, NoisedBase, PreconditionedDenoiser
from scorematching.noise import EDM, DenoiserScore
from scorematching.preprocessing import one_scale
from scorematching.random import RowNoise
from scorematching.samplers import (
    KarrasGrid,
    Walk,
    probability_flow,
    reverse_sde,
)
from scorematching.saved import load_parts, save_fitted
from scorematching.shapes import event_size, per_row, positive
from scorematching.typing import Denoiser

BATCH = 1024


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
        return EDM(self.configuration.noise.sigma_min, self.configuration.noise.sigma_max)

    def sample(self, n: int, *, seed: int = 0, labels: Any = None) -> Any:
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
            frequencies if left out.

        Returns
        -------
        array, tensor, frame or Dataset
            As the data were given to `fit`, whole numbers rounded, declared bounds kept.

        Raises
        ------
        InvalidInput
            n is no positive integer, or labels do not fit the model.
        Diverged
            All rows became non-finite. Where some did they are left out, with a warning.
        """
        check_count(n, "n")
        classes = self._classes(labels, n, seed)
        values, kept = [], []
        for first in range(0, n, BATCH):
            size = min(BATCH, n - first)
            picked = None if classes is None else classes[first : first + size]
            walk = self._draw(RowNoise(first, size, (seed, "sample")), picked)
            rows = self.transform.inverse(walk.x.double().cpu())
            finite = torch.isfinite(rows.reshape(size, -1)).all(1) & ~walk.diverged.cpu()
            values.append(rows[finite])
            kept.append(first + finite.nonzero()[:, 0])
        rows, index = torch.cat(values), torch.cat(kept)
        if len(index) < n:
            warnings.warn(
                f"{n - len(index)} of {n} samples became non-finite and are left out.",
                RuntimeWarning,
                stacklevel=2,
            )
        codes = None if classes is None else classes.cpu()[index].numpy()
        return given_back(self.form, rows.numpy(), self.schema, codes)

    def log_density(self, x: Any, *, labels: Any = None) -> Any:
        """log p of each row of x, in nats and the units of the data, ``(n,)``.

        By the probability flow, from the lowest noise level up; the log-Jacobian of the
        preprocessing is included. It is the density of the data blurred by that lowest level
        (and, for whole-number columns, spread over unit intervals). With labels it is conditional
        on them.

        Parameters
        ----------
        x
            Rows in any form that `fit` accepts, or a Dataset.
        labels
            A class a row, for a model fitted with labels, where x does not hold them.

        Returns
        -------
        ndarray or Tensor
            float64 ``(n,)``; a tensor for a tensor. −inf where x is outside the declared bounds.

        Raises
        ------
        InvalidInput
            x is not of the form of the data, or labels do not fit the model.
        """
        value = self.flow_log_density(x, labels=labels).value
        return value if isinstance(x, Tensor) else value.numpy()

    def flow_log_density(
        self, x: Any, *, labels: Any = None, step_doubling: bool = False
    ) -> FlowLogDensity:
        """`log_density` with what is known of its errors; see `likelihood.FlowLogDensity`."""
        rows, classes = self._rows(x, labels)
        prepared = self.transform.forward(rows)
        noise, settings = self.configuration.noise, self.configuration.likelihood
        exact = event_size(rows) <= settings.exact_up_to
        trace = Exact() if exact else FixedProbes(settings.n_probes)
        parts = []
        for chunk in _chunks(len(rows)):
            picked = None if classes is None else classes[chunk]
            score = DenoiserScore(self._denoiser(picked), self.process)
            result = flow_log_density(
                score,
                self.process,
                self._cast(prepared[chunk]),
                prior=NoisedBase(self.denoiser.base, noise.sigma_max),
                n_steps=settings.n_steps,
                trace=trace,
                step_doubling=step_doubling,
                chunk_size=BATCH,
            )
            parts.append(result)
        jacobian = self.transform.log_abs_det_jacobian(rows)
        return FlowLogDensity(
            torch.cat([part.value.double().cpu() for part in parts]) + jacobian,
            _joined([part.step_error for part in parts]),
            _joined([part.probe_error for part in parts]),
            parts[0].n_evaluations,
        )

    def score(self, x: Any, sigma: float | None = None, *, labels: Any = None) -> Any:
        """∇ₓ log p_σ at the rows of x, in the units of the data, shaped like the rows.

        Parameters
        ----------
        x
            Rows in any form that `fit` accepts.
        sigma
            The noise level: a standard deviation in the units of the data for images and arrays
            of more than one axis, in those of the whitened rows for tables. The lowest level of
            the model by default.
        labels
            As in `log_density`.

        Returns
        -------
        ndarray or Tensor
            float64, ``(n, *event)``; a tensor for a tensor.

        Raises
        ------
        InvalidInput
            sigma is outside the noise levels of the model, or as `log_density`.
        """
        rows, classes = self._rows(x, labels)
        level = self._level(sigma)
        with torch.enable_grad():
            rows = rows.requires_grad_()
            prepared = self.transform.forward(rows)
            denoised = self._denoise(prepared.detach(), level, classes)
            score = (denoised - prepared.detach()) / level**2
            total = (prepared * score).sum() + self.transform.log_abs_det_jacobian(rows).sum()
            (gradient,) = torch.autograd.grad(total, rows)
        return gradient if isinstance(x, Tensor) else gradient.numpy()

    def denoise(self, x: Any, sigma: float, *, labels: Any = None) -> Any:
        """E[x₀ | x₀ + noise = x]: the rows of x with noise of level sigma taken away.

        For bounded columns the mean is taken on the log or logit scale. Parameters and errors as
        in `score`; the result has the form of `log_density`'s.
        """
        rows, classes = self._rows(x, labels)
        denoised = self._denoise(self.transform.forward(rows), self._level(sigma), classes)
        clean = self.transform.inverse(denoised)
        return clean if isinstance(x, Tensor) else clean.numpy()

    def save(self, folder: str | Path) -> None:
        """Save the model in a folder, as JSON and safetensors with checksums; see `load`.

        Raises
        ------
        OSError
            The folder cannot be written; a model saved there before is kept.
        """
        save_fitted(self, Path(folder))

    def describe(self) -> str:
        """The settings and the reasons for them, as text."""
        lines = [f"{name}: {reason}" for name, reason in self.reasons.items()]
        return "\n".join([*lines, json.dumps(self.configuration.model_dump(mode="json"))])

    def _draw(self, noise: RowNoise, classes: Tensor | None) -> Walk:
        """Samples of the preprocessed rows."""
        settings = self.configuration.sampling
        base = self.denoiser.base
        start = base.draw(noise.normal(base.mean, tuple(base.mean.shape)), settings.sigma_max)
        steps = settings.n_evaluations - 1
        grid = KarrasGrid(steps, sigma_min=settings.sigma_min, sigma_max=settings.sigma_max)
        score = DenoiserScore(self._denoiser(classes), self.process)
        if settings.stochastic:
            return reverse_sde(score, self.process, start, grid, noise=noise)
        return probability_flow(score, self.process, start, grid)

    def _denoiser(self, classes: Tensor | None) -> Denoiser:
        return self.denoiser if classes is None else ForClasses(self.denoiser, classes)

    def _denoise(self, prepared: Tensor, level: float, classes: Tensor | None) -> Tensor:
        with torch.no_grad():
            parts = []
            for chunk in _chunks(len(prepared)):
                y = self._cast(prepared[chunk])
                picked = None if classes is None else classes[chunk]
                sigma = torch.full((len(y),), level, dtype=y.dtype, device=y.device)
                parts.append(self._denoiser(picked)(y, sigma).double().cpu())
            return torch.cat(parts)

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

    def _level(self, sigma: float | None) -> float:
        """A noise level of the preprocessed rows."""
        low, high = self.process.sigma_min, self.process.sigma_max
        if sigma is None:
            return low
        unit = 1.0
        if one_scale(self.schema):
            ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
            rows = per_row(ends, ends.new_empty(2, *self.schema.event)).expand(
                2, *self.schema.event
            )
            unit = self.transform.forward(rows).diff(dim=0).flatten()[0].item()
        level = float(positive(sigma, "sigma")) * unit
        if not low <= level <= high:
            raise InvalidInput(
                f"sigma must lie within the noise levels of the model, {low / unit:g} to "
                f"{high / unit:g}: got {sigma:g}."
            )
        return level

    def _cast(self, x: Tensor) -> Tensor:
        return x.to(self.denoiser.base.mean)

    def _classes(self, labels: Any, n: int, seed: int) -> Tensor | None:
        """The classes of n samples ``(n,)``, on the model's device."""
        if self.class_frequencies is None:
            if labels is not None:
                raise InvalidInput("the model was fitted without labels: leave labels out.")
            return None
        device = self.denoiser.base.mean.device
        if labels is None:
            frequencies = torch.tensor(self.class_frequencies, dtype=torch.float64)
            edges = frequencies.cumsum(0) / frequencies.sum()
            u = RowNoise(0, n, (seed, "labels")).uniform(frequencies)
            return torch.searchsorted(edges, u, right=True).clamp(max=len(edges) - 1).to(device)
        return torch.from_numpy(codes_of(labels, n, self.schema)).to(device)


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


def _chunks(n: int) -> list[slice]:
    return [slice(first, min(first + BATCH, n)) for first in range(0, n, BATCH)]


def _joined(parts: list[Tensor | None]) -> Tensor | None:
    found = [part.double().cpu() for part in parts if part is not None]
    return torch.cat(found) if found else None
