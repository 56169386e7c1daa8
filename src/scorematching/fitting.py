"""`fit`: rows in, a fitted score out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from scorematching.batched import process_of, trace_of
from scorematching.configuration import Configuration, UNetSettings
from scorematching.data import Dataset, as_dataset
from scorematching.defaults import settled
from scorematching.denoising import DenoisingLoss, FlowValidation, LevelLosses
from scorematching.errors import InvalidInput
from scorematching.fitted import FittedScore
from scorematching.forms import Form, form_of, rows_like
from scorematching.nets import GaussianBase, PreconditionedDenoiser
from scorematching.objectives import LogNormalTimes
from scorematching.preprocessing import preprocessing
from scorematching.random import forked
from scorematching.saved import build_net
from scorematching.settling import Choice, training_settings
from scorematching.shapes import event_size
from scorematching.training import Interrupts, Record, logged, shown, train
from scorematching.training_rows import (
    absent_classes,
    at_most,
    class_frequencies,
    dequantised,
    hold_out,
    prepared,
)

VALIDATION_ROWS = 256
CHECKPOINTS = "checkpoints"
LOG = "log.jsonl"


def fit(
    x: Any,
    *,
    labels: Any = None,
    validation: Any = None,
    validation_labels: Any = None,
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
    validation, validation_labels
        Rows to choose the best weights by, of the form of x, and their classes where x is an
        array with labels; a tenth of x by default.
    columns, drop, label, positive, bounds
        For frames: the columns to use or leave out, the label column, and the columns that are
        positive or bounded, ``{name: (low, high)}``.
    net
        A module of the user's own in place of ours, trained in place: F(x, ln σ[, classes]) → like
        x, for rows x ``(n, *event)`` of unit variance, ln σ ``(n,)`` and classes ``(n,)``.
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
    RunLocked, CorruptCheckpoint, Interrupted, OSError
        With ``out``: see `training.train`.
    """
    data = as_dataset(
        x, labels, columns=columns, drop=drop, label=label, positive=positive, bounds=bounds
    )
    own_net = None if net is None else type(net).__name__
    choice = settled(data, own_net, configuration, max_steps, validation=validation is not None)
    settings = choice.configuration
    training = training_settings(settings, seed, time_limit)
    seed = training.seed
    train_data, held_out = split_rows(data, validation, settings, seed, validation_labels)
    shares = class_frequencies(data)  # held-out rows count as well
    model, rows, notes = _prepare(train_data, shares, choice, seed, net, form_of(x), device)
    for note in (*data.notes, *notes, *absent_classes(data)):
        warnings.warn(note, UserWarning, stacklevel=2)
    process = process_of(settings)
    validate = level_losses = None
    if held_out is not None:
        few = at_most(held_out, VALIDATION_ROWS, seed)
        values = dequantised(few, seed, enabled=settings.dequantise)
        unseen = prepared(model.transform, values, few, model.denoiser.base.mean)
        trace = trace_of(settings.likelihood, event_size(rows[0]))
        validate = FlowValidation(process, trace, *unseen)
        level_losses = LevelLosses.of(process, unseen, seed)
    times = LogNormalTimes(settings.noise.log_mean, settings.noise.log_std)
    folder = None if out is None else Path(out)
    records = train(
        model.denoiser,
        DenoisingLoss(process, times),
        rows,
        training,
        validate=validate,
        level_losses=level_losses,
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


def split_rows(
    data: Dataset,
    validation: Any,
    settings: Configuration,
    seed: int,
    validation_labels: Any = None,
) -> tuple[Dataset, Dataset | None]:
    """Rows to train on, and rows to choose the weights by (None without any).

    Raises
    ------
    InvalidInput
        The validation rows are not like the data, or lack the labels that those have.
    """
    if validation is None:
        if validation_labels is not None:
            raise InvalidInput("validation_labels are those of validation=…, which is not given.")
        return hold_out(data, settings.validation_fraction, seed)
    held_out = rows_like(validation, data.schema, validation_labels)
    if data.labels is not None and held_out.labels is None:
        raise InvalidInput(
            "the model is fitted with labels, and the validation rows have none: "
            "pass validation_labels=…, or a frame with the label column."
        )
    return data, held_out


def _prepare(
    data: Dataset,
    frequencies: tuple[float, ...] | None,
    choice: Choice,
    seed: int,
    net: nn.Module | None,
    form: Form,
    device: str | torch.device,
) -> tuple[FittedScore, tuple[Tensor, ...], tuple[str, ...]]:
    """The model before training, the preprocessed rows to train it on, and what to warn of."""
    settings = choice.configuration
    values = dequantised(data, seed, enabled=settings.dequantise)
    transform, notes = preprocessing(data, values)
    rows = prepared(transform, values, data, _like(net, device))
    own = net is not None
    if net is None:
        with forked(seed, "initialisation"):
            net = build_net(settings, data.schema.event, len(frequencies or ()))
    feed_base = isinstance(settings.net, UNetSettings)
    denoiser = PreconditionedDenoiser(net, GaussianBase.fit(rows[0]), feed_base=feed_base)
    denoiser = denoiser.to(rows[0].device)
    if own:
        _try_out(denoiser, rows, seed)
    model = FittedScore(
        denoiser, transform, data.schema, settings, choice.reasons, frequencies, form
    )
    return model, rows, notes


def _like(net: nn.Module | None, device: str | torch.device) -> Tensor:
    """An empty tensor of the device and of the net's dtype: float32, or float64 if its own is."""
    double = net is not None and any(p.dtype == torch.float64 for p in net.parameters())
    try:
        return torch.empty(0, dtype=torch.float64 if double else torch.float32, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InvalidInput(f"device {str(device)!r} cannot be used: {error}.") from error


def _try_out(denoiser: PreconditionedDenoiser, rows: tuple[Tensor, ...], seed: int) -> None:
    """Call a net of the user's on two rows, so that what it cannot take is said before training.

    Raises
    ------
    InvalidInput
        It raises, whatever that is, or returns another shape.
    """
    two = [each[:2] for each in rows]
    try:
        with torch.no_grad(), forked(seed, "trial"):
            denoiser.eval()(two[0], two[0].new_ones(2), *two[1:])
    except InvalidInput:
        raise
    except Exception as error:
        shapes = [f"x {tuple(two[0].shape)}", "ln σ (2,)", *(["classes (2,)"] if two[1:] else [])]
        raise InvalidInput(
            f"the net cannot be called on {', '.join(shapes)} of {two[0].dtype}: "
            f"{type(error).__name__}: {error}. It must take them and return a tensor like x."
        ) from error
