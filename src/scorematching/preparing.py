"""What `fit` trains, and on what: the model before training; rows in memory, or streamed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scorematching.conditioning import Conditions, prepared
from scorematching.configuration import Configuration, UNetSettings
from scorematching.data import Dataset, Schema, Stream
from scorematching.errors import InvalidInput
from scorematching.fitted import FittedScore
from scorematching.forms import Form
from scorematching.nets import ConditionalBase, GaussianBase, PreconditionedDenoiser
from scorematching.preprocessing import preprocessing
from scorematching.random import forked
from scorematching.saved import build_net
from scorematching.settling import Choice
from scorematching.streaming import PreparedGroups, positions
from scorematching.surveying import constants, picked
from scorematching.training import RowGroups
from scorematching.training_rows import dequantised

VALIDATION_ROWS = 256
SHOWN_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model before training, the rows to train it on, and those to choose its weights by.

    Attributes
    ----------
    model
        Freshly initialised.
    rows
        Preprocessed, with what they are given.
    held_out
        Rows in the data's own units; None where nothing is validated.
    notes
        What a user should know.
    """

    model: FittedScore
    rows: tuple[Tensor, ...] | RowGroups
    held_out: Dataset | None
    notes: tuple[str, ...]


def in_memory(
    data: Dataset,
    held_out: Dataset | None,
    frequencies: tuple[float, ...] | None,
    choice: Choice,
    seed: int,
    net: nn.Module | None,
    form: Form,
    device: str | torch.device,
) -> Prepared:
    """From a data set; the frequencies of its classes count the held-out rows as well."""
    settings = choice.configuration
    values = dequantised(data, seed, enabled=settings.dequantise)
    transform, notes = preprocessing(data, values)
    conditions = Conditions.of(data, seed)
    rows = prepared(transform, values, data, conditions, _like(net, device))
    base: GaussianBase | ConditionalBase = GaussianBase.fit(rows[0])
    if conditions is not None:
        base = ConditionalBase.fit(rows[0], rows[-1])
    denoiser = _denoiser(choice, data.schema, seed, net, base)
    if net is not None:
        _try_out(denoiser, rows, seed)
    model = FittedScore(
        denoiser, transform, data.schema, settings, choice.reasons, frequencies, form, conditions
    )
    return Prepared(model, rows, held_out, notes)


def streamed(
    data: Stream,
    validation: Dataset | None,
    choice: Choice,
    seed: int,
    net: nn.Module | None,
    form: Form,
    device: str | torch.device,
) -> Prepared:
    """From a stream: validated by the rows given, or by some that are left out of training."""
    settings, like = choice.configuration, _like(net, device)
    left_out = _left_out(data, settings, seed, validated=validation is not None)
    count = len(left_out)
    found = constants(data, left_out, seed, like.dtype, enabled=settings.dequantise)
    rows = PreparedGroups(data, found.transform, left_out, seed, settings.dequantise, like.dtype)
    counts = data.class_counts
    frequencies = None if counts is None else tuple(each / data.n for each in counts)
    base = found.base.to(like.device)
    denoiser = _denoiser(choice, data.schema, seed, net, base)
    if net is not None:
        group = next(number for number, size in enumerate(rows.sizes) if size)
        _try_out(denoiser, tuple(each.to(like.device) for each in rows.read(group)), seed)
    reasons = dict(choice.reasons)
    if count:
        reasons["validation_fraction"] = f"{count} rows held out choose the best weights"
    model = FittedScore(
        denoiser, found.transform, data.schema, settings, reasons, frequencies, form
    )
    return Prepared(model, rows, found.held_out if count else validation, found.notes)


def split_stream(
    data: Stream, validation: Dataset | None, settings: Configuration, seed: int
) -> tuple[Dataset, Dataset | None]:
    """At most `SHOWN_ROWS` of the rows that `streamed` trains on, and those it validates by."""
    left_out = _left_out(data, settings, seed, validated=validation is not None)
    some = positions(data.n, SHOWN_ROWS, seed, "shown rows")
    train = picked(data, some[~torch.isin(some, left_out)])
    return train, picked(data, left_out) if len(left_out) else validation


def _left_out(data: Stream, settings: Configuration, seed: int, *, validated: bool) -> Tensor:
    """The numbers of the rows to validate by, unless there are others for that."""
    count = 0
    if not validated and settings.validation_fraction > 0:
        count = max(1, min(VALIDATION_ROWS, int(data.n * settings.validation_fraction)))
    return positions(data.n, count, seed, "validation split")


def _denoiser(
    choice: Choice,
    schema: Schema,
    seed: int,
    net: nn.Module | None,
    base: GaussianBase | ConditionalBase,
) -> PreconditionedDenoiser:
    settings = choice.configuration
    if net is None:
        with forked(seed, "initialisation"):
            net = build_net(settings, schema)
    feed_base = isinstance(settings.net, UNetSettings)
    return PreconditionedDenoiser(net, base, feed_base=feed_base).to(base.mean.device)


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
        names = ["classes" if each.ndim == 1 else "condition" for each in two[1:]]
        shapes = [f"x {tuple(two[0].shape)}", "ln σ (2,)"]
        shapes += [f"{n} {tuple(each.shape)}" for n, each in zip(names, two[1:], strict=True)]
        raise InvalidInput(
            f"the net cannot be called on {', '.join(shapes)} of {two[0].dtype}: "
            f"{type(error).__name__}: {error}. It must take them and return a tensor like x."
        ) from error
