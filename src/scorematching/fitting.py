"""`fit`: rows in, a fitted score out."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scorematching.configuration import Configuration, OwnNetSettings, UNetSettings
from scorematching.data import Dataset, as_dataset
from scorematching.data.transform import Compose, dequantise
from scorematching.defaults import Choice, settled
from scorematching.denoising import DenoisingLoss, FlowValidation
from scorematching.errors import InvalidInput
from scorematching.fitted import FittedScore
from scorematching.forms import Form, form_of, rows_like
from scorematching.nets import GaussianBase, PreconditionedDenoiser
from scorematching.objectives import LogNormalTimes
from scorematching.preprocessing import preprocessing
from scorematching.random import forked, seeded
from scorematching.saved import build_net
from scorematching.training import Interrupts, Record, TrainingSettings, logged, shown, train

VALIDATION_ROWS = 256
CHECKPOINTS = "checkpoints"
LOG = "log.jsonl"


def fit(
    x: Any,
    *,
    labels: Any = None,
    validation: Any = None,
    columns: Sequence[str] | None = None,
    drop: Collection[str] = (),
    label: str | None = None,
    positive: Collection[str] = (),
    bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
    net: nn.Module | None = None,
    configuration: Choice | Configuration | Mapping[str, Any] | None = None,
    time_limit: float | None = None,
    max_steps: int | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
    out: str | Path | None = None,
    resume: bool = False,
    quiet: bool = False,
    on_record: Callable[[Record], None] | None = None,
    interrupts: Interrupts | None = None,
) -> FittedScore:
    """Fit a score model by denoising score matching over all noise levels.

    The settings are chosen from the data; `FittedScore.reasons` says why.

    Parameters
    ----------
    x
        Rows: a NumPy array or tensor ``(n, *event)`` of event rank 0 to 4, a pandas, polars or
        Arrow table, or a `data.Dataset` (what `data.read` returns for a file).
    labels
        For arrays: a class a row, to fit all classes in one conditional model.
    validation
        Rows to choose the best weights by, of the form of x; a tenth of x by default.
    columns, drop, label, positive, bounds
        For frames: the columns to use or leave out, the label column, and the columns that are
        positive or bounded, ``{name: (low, high)}``.
    net
        A module of the user's own in place of ours: F(x, ln σ[, classes]) → like x, x of unit
        variance.
    configuration
        Settings that replace the chosen ones: a `Configuration`, a nested dict of some, or what
        `defaults.settled` chose before.
    time_limit
        Seconds for training, turned into a number of steps.
    max_steps
        Optimiser steps, in place of the chosen number.
    seed
        Of everything random.
    device
        Where to train.
    out
        A folder for checkpoints, the log and the fitted model.
    resume
        Go on with the run in that folder.
    quiet
        Show no progress.
    on_record
        Called with every `training.Record`.
    interrupts
        Stops after the current step when a signal arrives; see `training.Interrupts`.

    Returns
    -------
    FittedScore

    Raises
    ------
    InvalidInput
        The data or an option are unusable; the message says which and what would work.
    TrainingFailed
        The loss was not finite too many times in a row.
    """
    form = form_of(x)
    data = _dataset(x, labels, columns, drop, label, positive, bounds)
    own = None if net is None else type(net).__name__
    choice = settled(data, own, configuration, max_steps)
    settings, reasons = choice.configuration, choice.reasons
    if (net is None) == isinstance(settings.net, OwnNetSettings):
        raise InvalidInput(
            "a net of your own is given as net=…, and the configuration's net.type is then 'own'."
        )
    for note in data.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    train_data, validation_data = split_rows(data, validation, settings, seed)
    model, rows = _prepare(train_data, settings, seed, net, form, reasons, device)
    process = model.process
    validate = None
    if validation_data is not None:
        few = _subset(validation_data, np.arange(min(validation_data.n, VALIDATION_ROWS)))
        held_out = _prepared(model.transform, few, settings, seed, device)
        validate = FlowValidation(process, *held_out)
    times = LogNormalTimes(settings.noise.log_mean, settings.noise.log_std)
    folder = None if out is None else Path(out)
    records = train(
        model.denoiser,
        DenoisingLoss(process, times),
        rows,
        _training_settings(settings, seed, time_limit, validate=validate is not None),
        validate=validate,
        folder=None if folder is None else folder / CHECKPOINTS,
        resume=resume,
        interrupts=interrupts,
    )
    if folder is not None:
        records = logged(records, folder / LOG)
    for record in shown(records, quiet=quiet):
        if on_record is not None:
            on_record(record)
    if folder is not None:
        model.save(folder)
    return model


def _dataset(
    x: Any,
    labels: Any,
    columns: Sequence[str] | None,
    drop: Collection[str],
    label: str | None,
    positive: Collection[str],
    bounds: Mapping[str, tuple[float | None, float | None]] | None,
) -> Dataset:
    options: dict[str, Any] = {
        "columns": columns,
        "drop": drop,
        "label": label,
        "positive": positive,
        "bounds": bounds,
    }
    given = {name: value for name, value in options.items() if value}
    form = form_of(x)
    if form in (Form.ARRAY, Form.TENSOR) and given:
        raise InvalidInput(
            f"{', '.join(given)} name columns, and an array has none. Pass a pandas, polars or "
            "Arrow table."
        )
    if labels is not None:
        if form not in (Form.ARRAY, Form.TENSOR):
            raise InvalidInput(
                "labels= goes with arrays: name the label column of a table by label=NAME."
            )
        given["labels"] = labels
    return as_dataset(x, **given)


def split_rows(
    data: Dataset, validation: Any, settings: Configuration, seed: int
) -> tuple[Dataset, Dataset | None]:
    """Rows to train on, and rows to choose the weights by (None without any)."""
    if validation is not None:
        return data, rows_like(validation, data.schema)
    held_out = int(data.n * settings.validation_fraction)
    if held_out < 1:
        return data, None
    order = torch.randperm(data.n, generator=seeded(seed, "validation split")).numpy()
    return _subset(data, order[held_out:]), _subset(data, order[:held_out])


def _subset(data: Dataset, index: NDArray[np.int64]) -> Dataset:
    labels = None if data.labels is None else data.labels[index]
    return dataclasses.replace(data, values=data.values[index], labels=labels)


def _prepare(
    data: Dataset,
    settings: Configuration,
    seed: int,
    net: nn.Module | None,
    form: Form,
    reasons: dict[str, str],
    device: str | torch.device,
) -> tuple[FittedScore, tuple[Tensor, ...]]:
    """The model before training, and the preprocessed rows to train it on."""
    transform, notes = preprocessing(data, _dequantised(data, settings, seed))
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=3)
    rows = _prepared(transform, data, settings, seed, device)
    n_classes, frequencies = 0, None
    if data.labels is not None and data.schema.label is not None:
        n_classes = len(data.schema.label.classes)
        counts = np.bincount(data.labels, minlength=n_classes)
        frequencies = tuple((counts / counts.sum()).tolist())
    if net is None:
        with forked(seed, "initialisation"):
            net = build_net(settings, data.schema.event, n_classes)
    feed_base = isinstance(settings.net, UNetSettings)
    denoiser = PreconditionedDenoiser(net, GaussianBase.fit(rows[0]), feed_base=feed_base)
    model = FittedScore(
        denoiser.to(device), transform, data.schema, settings, reasons, frequencies, form
    )
    return model, rows


def _dequantised(data: Dataset, settings: Configuration, seed: int) -> Tensor:
    values = torch.from_numpy(data.values)
    if not settings.dequantise:
        return values
    return dequantise(values, data.schema, seeded(seed, "dequantise", data.n))


def _prepared(
    transform: Compose,
    data: Dataset,
    settings: Configuration,
    seed: int,
    device: str | torch.device,
) -> tuple[Tensor, ...]:
    """The preprocessed rows, and their classes where they have any."""
    values = transform.forward(_dequantised(data, settings, seed)).float().to(device)
    if data.labels is None:
        return (values,)
    return values, torch.from_numpy(data.labels).to(device)


def _training_settings(
    settings: Configuration, seed: int, time_limit: float | None, *, validate: bool
) -> TrainingSettings:
    training = settings.training.model_dump(exclude={"n_members", "batch_size"})
    if not validate:
        training |= {"validate_every": None, "patience": None}
    return TrainingSettings(
        **training,
        batch_size=settings.training.batch_size * settings.training.n_members,
        seed=seed,
        time_limit=time_limit,
    )
