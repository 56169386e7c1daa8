"""`fit`: rows in, a fitted score out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from scorematching.batched import process_of, trace_of
from scorematching.conditioning import prepared
from scorematching.configuration import Configuration
from scorematching.data import Dataset, Stream
from scorematching.defaults import settled
from scorematching.denoising import DenoisingLoss, FlowValidation, LevelLosses
from scorematching.errors import InvalidInput
from scorematching.fitted import FittedScore
from scorematching.forms import rows_like
from scorematching.objectives import ImportanceWeight, Likelihood, LikelihoodTimes, LogNormalTimes
from scorematching.preparing import VALIDATION_ROWS as VALIDATION_ROWS
from scorematching.preparing import Prepared, in_memory, streamed
from scorematching.settling import Choice, training_settings
from scorematching.shapes import event_size
from scorematching.sources import Source, opened
from scorematching.training import Interrupts, Record, joined, logged, shown, train
from scorematching.training_rows import (
    absent_classes,
    at_most,
    class_frequencies,
    dequantised,
    hold_out,
)

CHECKPOINTS = "checkpoints"
LOG = "log.jsonl"


def fit(
    x: Any,
    *,
    labels: Any = None,
    condition: Any = None,
    validation: Any = None,
    validation_labels: Any = None,
    validation_condition: Any = None,
    columns: Sequence[str] | None = None,
    drop: Collection[str] = (),
    label: str | None = None,
    positive: Collection[str] = (),
    bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
    stream: bool | None = None,
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

    The settings are chosen from the data; `FittedScore.reasons` says why. In a script started by
    ``torchrun`` the processes fit one model together: see `training.train`.

    Parameters
    ----------
    x
        Rows: a NumPy array or tensor ``(n, *event)`` of event rank 0 to 4, a pandas, polars or
        Arrow table, a `data.Dataset` or a `data.Stream`; or the path of a file or folder, as for
        `data.read` and `data.stream`.
    labels
        For arrays: a class a row, to fit all classes in one conditional model.
    condition
        What is given of each row, and not modelled: numbers ``(n, k)`` or ``(n,)`` in an array,
        tensor or frame; or, for frames and paths, the names of columns. The model is then of x
        given them.
    validation, validation_labels, validation_condition
        Rows to choose the best weights by, of the form of x, and their classes and condition where
        those of x are passed beside it; a tenth of x by default.
    columns, drop, label, positive, bounds
        For frames and paths: the columns to use or leave out, the label column, and the columns
        that are positive or bounded, ``{name: (low, high)}``.
    stream
        For paths: whether to read the rows a group at a time, as they are needed, in place of all
        at once. None does so where they would take more than 512 MiB as float64, and for folders of
        Parquet or NPY files; ``reasons["rows"]`` says so. Besides the network it then holds 256 MiB
        of rows, the group that is being read, and d × d numbers for d ≤ 2048 coordinates.
    net
        A module of the user's own in place of ours, trained in place: F(x, ln σ[, classes][,
        condition]) → like x, for rows x ``(n, *event)`` of unit variance, ln σ ``(n,)``, classes
        ``(n,)`` and a standardised condition ``(n, k)``. With ``training.condition_dropout``, 0
        for such a net unless set, some rows are told nothing: class −1 and a condition of NaN.
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
        Called with every `training.Record`; under ``torchrun``, in process 0.
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
    options = {"columns": columns, "drop": drop, "label": label}
    options |= {"positive": positive, "bounds": bounds}
    with joined() as processes:
        source = opened(x, labels, condition, stream, options)
        own_net = None if net is None else type(net).__name__
        validated = validation is not None
        choice = settled(source.rows, own_net, configuration, max_steps, validation=validated)
        choice = choice if source.reason is None else choice.because("rows", source.reason)
        settings = choice.configuration
        training = training_settings(settings, seed, time_limit)
        given = (validation, validation_labels, validation_condition)
        ready = _prepared(source, given, choice, training.seed, net, device)
        if processes.first:
            for note in ready.notes:
                warnings.warn(note, UserWarning, stacklevel=2)
        validate, level_losses = _validation(ready, settings, training.seed)
        model, folder = ready.model, None if out is None else Path(out)
        records = train(
            model.denoiser,
            loss_of(settings),
            ready.rows,
            training,
            validate=validate,
            level_losses=level_losses,
            folder=None if folder is None else folder / CHECKPOINTS,
            resume=resume,
            interrupts=interrupts,
            processes=processes,
        )
        if folder is not None and processes.first:
            records = logged(records, folder / LOG)
        for record in shown(records, quiet=quiet or not processes.first):
            if on_record is not None and processes.first:
                on_record(record)
        if folder is not None:
            processes.by_first(lambda: model.save(folder))
    return model


def split_rows(
    data: Dataset,
    validation: Any,
    settings: Configuration,
    seed: int,
    labels: Any = None,
    condition: Any = None,
) -> tuple[Dataset, Dataset | None]:
    """Rows to train on, and rows to choose the weights by (None without any).

    Parameters
    ----------
    data, validation
        All rows, and those to validate by that the user gives, if any.
    settings, seed
        How many are held out otherwise, and which.
    labels, condition
        Of the validation rows, where they do not carry them.

    Raises
    ------
    InvalidInput
        The validation rows are not like the data, or lack what is given of those.
    """
    given = _given(validation, labels, condition, data)
    return hold_out(data, settings.validation_fraction, seed) if given is None else (data, given)


def _given(validation: Any, labels: Any, condition: Any, data: Dataset | Stream) -> Dataset | None:
    """The rows to validate by that the user gives, if any."""
    if validation is None:
        for name, value in (("labels", labels), ("condition", condition)):
            if value is not None:
                raise InvalidInput(
                    f"validation_{name} are those of validation=…, which is not given."
                )
        return None
    held_out = rows_like(validation, data.schema, labels, condition)
    if data.schema.label is not None and held_out.labels is None:
        raise InvalidInput(
            "the model is fitted with labels, and the validation rows have none: "
            "pass validation_labels=…, or a frame with the label column."
        )
    if data.schema.condition and held_out.condition is None:
        raise InvalidInput(
            "the model is fitted with a condition, and the validation rows have none: "
            "pass validation_condition=…, or a frame with its columns."
        )
    return held_out


def loss_of(settings: Configuration) -> DenoisingLoss:
    """What a configuration says is minimised."""
    noise, process = settings.noise, process_of(settings)
    share = settings.training.condition_dropout
    if noise.weighting == "unit":
        levels = LogNormalTimes(noise.log_mean, noise.log_std)
        return DenoisingLoss(process, levels, condition_dropout=share)
    times = LikelihoodTimes()
    return DenoisingLoss(process, times, ImportanceWeight(Likelihood(), times), share)


def _prepared(
    source: Source,
    validation: tuple[Any, Any, Any],
    choice: Choice,
    seed: int,
    net: nn.Module | None,
    device: str | torch.device,
) -> Prepared:
    """The model and the rows of a source, with all there is to note.

    validation holds rows, their labels and their condition, as the user gives them.
    """
    rows, settings = source.rows, choice.configuration
    if isinstance(rows, Stream):
        held_out = _given(*validation, rows)
        ready = streamed(rows, held_out, choice, seed, net, source.form, device)
        return replace(ready, notes=(*rows.notes, *ready.notes))
    train_data, held_out = split_rows(rows, validation[0], settings, seed, *validation[1:])
    shares = class_frequencies(rows)  # held-out rows count as well
    ready = in_memory(train_data, held_out, shares, choice, seed, net, source.form, device)
    return replace(ready, notes=(*rows.notes, *ready.notes, *absent_classes(rows)))


def _validation(
    ready: Prepared, settings: Configuration, seed: int
) -> tuple[FlowValidation | None, LevelLosses | None]:
    """What the best weights are chosen by, and the losses a noise level."""
    if ready.held_out is None:
        return None, None
    model, process = ready.model, process_of(settings)
    few = at_most(ready.held_out, VALIDATION_ROWS, seed)
    values = dequantised(few, seed, enabled=settings.dequantise)
    unseen = prepared(model.transform, values, few, model.conditions, model.denoiser.base.mean)
    trace = trace_of(settings.likelihood, event_size(unseen[0]))
    flow = FlowValidation(process, trace, unseen[0], unseen[1:])
    return flow, LevelLosses.of(process, unseen, seed)
