"""A fitted score on disk: JSON and safetensors with checksums, and no code.

``model.json`` holds the schema, the settings and the preprocessing; ``weights.safetensors`` the
tensors. Names of types come from the closed table of `configuration`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from scorematching.conditioning import Conditions
from scorematching.configuration import (
    Configuration,
    MLPSettings,
    OwnNetSettings,
    UNetSettings,
    configuration_from,
)
from scorematching.data import Schema, schema_from_json
from scorematching.data.transform import Compose
from scorematching.errors import CorruptCheckpoint, InvalidInput
from scorematching.forms import Form
from scorematching.nets import (
    ConditionalBase,
    Ensemble,
    GaussianBase,
    PreconditionedDenoiser,
    ResidualMLP,
    UNet,
)
from scorematching.random import forked
from scorematching.storage import (
    NewerFormat,
    has_snapshot,
    pack_tensors,
    read_snapshot,
    unpack_tensors,
    write_snapshot,
)

FORMAT_VERSION = 2  # version 1 had no conditions
FOLDER = "model"
BASE = ("mean", "directions", "variances", "rest")


def build_net(configuration: Configuration, schema: Schema) -> nn.Module:
    """The network of a configuration for rows of a schema, freshly initialised.

    Raises
    ------
    InvalidInput
        The network is the user's own, or does not fit the event shape.
    """
    settings, event = configuration.net, schema.event
    given: dict[str, Any] = {
        "n_classes": 0 if schema.label is None else len(schema.label.classes),
        "n_conditions": len(schema.condition),
        "droppable": configuration.training.condition_dropout > 0,
    }
    members: list[nn.Module] = []
    for _ in range(configuration.training.n_members):
        if isinstance(settings, MLPSettings):
            members.append(
                ResidualMLP(
                    math.prod(event), settings.width, settings.n_blocks, settings.dropout, **given
                )
            )
        elif isinstance(settings, UNetSettings):
            if len(event) not in (2, 3):
                raise InvalidInput(
                    "a U-Net takes images of shape (C, H, W) or signals of shape (C, L): got rows "
                    f"of shape {event}. Use the ResidualMLP."
                )
            members.append(
                UNet(
                    2 * event[0],
                    event[0],
                    settings.channels,
                    settings.dropout,
                    patch=settings.patch,
                    attention=settings.attention,
                    rank=len(event) - 1,
                    **given,
                )
            )
        else:
            raise InvalidInput(
                f"the model has a network of its own, {settings.name}: pass it as net=…, "
                "built with the arguments it was fitted with."
            )
    return members[0] if len(members) == 1 else Ensemble(members)


def save_parts(fields: Mapping[str, Any], folder: Path) -> None:
    """Write the fields of a `FittedScore`; see `FittedScore.save`."""
    write_snapshot(folder / FOLDER, "model", model_files(fields))


def model_files(fields: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a saved model, by name."""
    denoiser, transform = fields["denoiser"], fields["transform"]
    form = {
        "format_version": FORMAT_VERSION,
        "schema": fields["schema"].to_json(),
        "configuration": fields["configuration"].model_dump(mode="json"),
        "reasons": fields["reasons"],
        "transform": transform.to_json(),
        "class_frequencies": fields["class_frequencies"],
        "form": fields["form"].value,
        "feed_base": denoiser.feed_base,
    }
    tensors = {f"denoiser.{k}": v for k, v in denoiser.state_dict().items()}
    tensors |= {f"transform.{k}": v for k, v in transform.tensors().items()}
    if fields["conditions"] is not None:
        tensors |= {f"conditions.{k}": v for k, v in fields["conditions"].tensors().items()}
    return {
        "model.json": json.dumps(form, indent=1, allow_nan=False).encode(),
        "weights.safetensors": pack_tensors(tensors),
    }


def load_parts(folder: Path, net: nn.Module | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields of a saved `FittedScore`, and warnings; see `fitted.load`."""
    root = folder / FOLDER
    if not has_snapshot(root):
        raise InvalidInput(
            f"{folder} holds no fitted model. Give the folder that was passed to save, or to "
            "--out of the fit command."
        )
    snapshot = read_snapshot(root)
    try:
        form = json.loads(snapshot.files["model.json"])
        version = form["format_version"]
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise NewerFormat(
                f"{folder} was written by a newer version of scorematching (format {version}, "
                f"this one reads up to {FORMAT_VERSION}): upgrade the package."
            )
        tensors = unpack_tensors(snapshot.files["weights.safetensors"])
        fields = _fields(form, tensors)
        weights = _under(tensors, "denoiser.")
        base = _base(_under(weights, "base."), fields["conditions"])
        _check_rows(fields, base)
        feed_base = bool(form["feed_base"])
        given = net is not None
        if net is None and not isinstance(fields["configuration"].net, OwnNetSettings):
            net = _blank(fields, _under(weights, "net."))
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError, RuntimeError) as error:
        raise CorruptCheckpoint(
            f"the model in {folder} is damaged: {type(error).__name__}: {error}. Save it again."
        ) from error
    if net is None:
        net = build_net(fields["configuration"], fields["schema"])
    denoiser = PreconditionedDenoiser(net, base, feed_base=feed_base).to(base.mean)
    try:
        denoiser.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        if not given:
            raise CorruptCheckpoint(
                f"the weights in {folder} do not fit its settings: {error}. Save it again."
            ) from error
        raise InvalidInput(
            f"the weights in {folder} do not fit the net that was given: {error}. Build it with "
            "the arguments it was fitted with."
        ) from error
    return {**fields, "denoiser": denoiser.eval()}, snapshot.warnings


def _fields(form: dict[str, Any], tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The fields of a saved `FittedScore` but for the denoiser."""
    frequencies, schema = form["class_frequencies"], schema_from_json(form["schema"])
    condition = _under(tensors, "conditions.")
    if bool(condition) != bool(schema.condition):
        raise ValueError(f"the condition {schema.condition} and tensors of {sorted(condition)}")
    return {
        "transform": Compose.from_json(form["transform"], _under(tensors, "transform.")),
        "schema": schema,
        "conditions": Conditions.from_tensors(condition, schema) if condition else None,
        "configuration": configuration_from(form["configuration"]),
        "reasons": {str(k): str(v) for k, v in form["reasons"].items()},
        "class_frequencies": None if frequencies is None else tuple(map(float, frequencies)),
        "form": Form(form["form"]),
    }


def _base(
    tensors: dict[str, Tensor], conditions: Conditions | None
) -> GaussianBase | ConditionalBase:
    """The Gaussian of a saved model."""
    if conditions is None:
        return GaussianBase(*(tensors[name] for name in BASE))
    marginal, residual = (
        GaussianBase(*(tensors[f"{part}.{name}"] for name in BASE))
        for part in ("marginal", "residual")
    )
    base = ConditionalBase(marginal, residual, tensors["slopes"])
    if len(base.slopes) != conditions.rows.shape[1]:
        raise ValueError(f"slopes of shape {tuple(base.slopes.shape)} for another condition")
    return base


def _check_rows(fields: dict[str, Any], base: GaussianBase | ConditionalBase) -> None:
    """Raise ValueError where the parts are not of one event shape and one set of classes."""
    schema, frequencies = fields["schema"], fields["class_frequencies"]
    if tuple(base.mean.shape) != schema.event:
        raise ValueError(f"rows of shape {schema.event} and a mean of {tuple(base.mean.shape)}")
    row = base.mean.double()[None]
    if fields["transform"].inverse(row).shape != row.shape:
        raise ValueError("the transform is of another shape than the rows")
    n_classes = 0 if schema.label is None else len(schema.label.classes)
    if len(frequencies or ()) != n_classes or not all(0 <= p <= 1 for p in frequencies or ()):
        raise ValueError(f"{n_classes} classes and the frequencies {frequencies}")


def _blank(fields: dict[str, Any], weights: dict[str, Tensor]) -> nn.Module:
    """The network to be filled with the weights; nothing is allocated unless they fit."""
    arguments = fields["configuration"], fields["schema"]
    with torch.device("meta"):
        shapes = {name: each.shape for name, each in build_net(*arguments).state_dict().items()}
    wrong = [
        name
        for name in sorted({*shapes, *weights})
        if name not in shapes or name not in weights or shapes[name] != weights[name].shape
    ]
    if wrong:
        raise ValueError(f"the weights do not fit the settings: {', '.join(wrong[:8])}")
    with forked("load"):  # the initial values, drawn from the global state, are overwritten
        return build_net(*arguments)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
