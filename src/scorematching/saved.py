"""A fitted score on disk: JSON and safetensors with checksums, and no code.

``model.json`` holds the schema, the settings and the preprocessing; ``weights.safetensors`` the
tensors. Names of types come from the closed table of `configuration`.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from scorematching.configuration import (
    Configuration,
    MLPSettings,
    UNetSettings,
    configuration_from,
)
from scorematching.data import Schema, schema_from_json
from scorematching.data.transform import Compose
from scorematching.errors import CorruptCheckpoint, InvalidInput
from scorematching.forms import Form
from scorematching.nets import Ensemble, GaussianBase, PreconditionedDenoiser, ResidualMLP, UNet
from scorematching.storage import (
    NewerFormat,
    has_snapshot,
    pack_tensors,
    read_snapshot,
    unpack_tensors,
    write_snapshot,
)

if TYPE_CHECKING:
    from scorematching.fitted import FittedScore

FORMAT_VERSION = 1
FOLDER = "model"
MAX_PARAMETERS = 2**30


def build_net(configuration: Configuration, event: tuple[int, ...], n_classes: int) -> nn.Module:
    """The network of a configuration for rows of an event shape, freshly initialised.

    Raises
    ------
    InvalidInput
        The network is the user's own, or does not fit the event shape.
    """
    settings = configuration.net
    members: list[nn.Module] = []
    for _ in range(configuration.training.n_members):
        if isinstance(settings, MLPSettings):
            members.append(
                ResidualMLP(
                    math.prod(event), settings.width, settings.n_blocks, settings.dropout, n_classes
                )
            )
        elif isinstance(settings, UNetSettings):
            if len(event) != 3:
                raise InvalidInput(
                    f"a U-Net takes images of shape (C, H, W): got rows of shape {event}. "
                    "Use the ResidualMLP."
                )
            members.append(
                UNet(2 * event[0], event[0], settings.channels, settings.dropout, n_classes)
            )
        else:
            raise InvalidInput(
                f"the model has a network of its own, {settings.name}: pass it as net=…, "
                "built with the arguments it was fitted with."
            )
    return members[0] if len(members) == 1 else Ensemble(members)


def model_files(fitted: FittedScore) -> dict[str, bytes]:
    """The files of a saved model, by name."""
    form = {
        "format_version": FORMAT_VERSION,
        "schema": fitted.schema.to_json(),
        "configuration": fitted.configuration.model_dump(mode="json"),
        "reasons": fitted.reasons,
        "transform": fitted.transform.to_json(),
        "class_frequencies": fitted.class_frequencies,
        "form": fitted.form.value,
        "feed_base": fitted.denoiser.feed_base,
    }
    tensors = {f"denoiser.{k}": v for k, v in fitted.denoiser.state_dict().items()}
    tensors |= {f"transform.{k}": v for k, v in fitted.transform.tensors().items()}
    return {
        "model.json": json.dumps(form, indent=1, allow_nan=False).encode(),
        "weights.safetensors": pack_tensors(tensors),
    }


def save_fitted(fitted: FittedScore, folder: Path) -> None:
    """See `FittedScore.save`."""
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / FOLDER
    count = len(list(root.glob("v*"))) if root.is_dir() else 0
    write_snapshot(root, f"v{count + 1:04d}", model_files(fitted))


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
        version = form.get("format_version")
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise NewerFormat(
                f"{folder} was written by a newer version of scorematching (format {version}, "
                f"this one reads up to {FORMAT_VERSION}): upgrade the package."
            )
        tensors = unpack_tensors(snapshot.files["weights.safetensors"])
        schema = schema_from_json(form["schema"])
        configuration = configuration_from(form["configuration"], f"the model in {folder}")
        transform = Compose.from_json(form["transform"], _under(tensors, "transform."))
        frequencies = form["class_frequencies"]
        fields: dict[str, Any] = {
            "transform": transform,
            "schema": schema,
            "configuration": configuration,
            "reasons": {str(k): str(v) for k, v in form["reasons"].items()},
            "class_frequencies": None if frequencies is None else tuple(map(float, frequencies)),
            "form": Form(form["form"]),
        }
        feed_base = bool(form["feed_base"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, InvalidInput) and "net=" in str(error):
            raise
        raise CorruptCheckpoint(
            f"the model in {folder} is damaged: {type(error).__name__}: {error}. Save it again."
        ) from error
    weights = _under(tensors, "denoiser.")
    own = net is not None
    n_classes = 0 if frequencies is None else len(frequencies)
    if not own:
        with torch.device("meta"):
            blank = build_net(configuration, schema.event, n_classes)
        _check_size(blank, folder)
        net = build_net(configuration, schema.event, n_classes)
    assert net is not None
    fields["denoiser"] = _filled(net, weights, schema, feed_base, own, folder)
    return fields, snapshot.warnings


def _check_size(net: nn.Module, folder: Path) -> None:
    count = sum(parameter.numel() for parameter in net.parameters())
    if count > MAX_PARAMETERS:
        raise CorruptCheckpoint(f"the model in {folder} asks for {count} parameters.")


def _filled(
    net: nn.Module,
    weights: dict[str, Tensor],
    schema: Schema,
    feed_base: bool,
    own: bool,
    folder: Path,
) -> PreconditionedDenoiser:
    """The denoiser with the saved weights in it."""
    try:
        base = GaussianBase(
            *(weights[f"base.{name}"] for name in ("mean", "directions", "variances", "rest"))
        )
        if tuple(base.mean.shape) != tuple(schema.event):
            raise KeyError("base.mean has another shape than a row")
        denoiser = PreconditionedDenoiser(net, base, feed_base=feed_base)
        denoiser.load_state_dict(weights, strict=True)
    except (KeyError, RuntimeError) as error:
        if own:
            raise InvalidInput(
                f"the weights in {folder} do not fit the net that was given: {error}. Build it "
                "with the arguments it was fitted with."
            ) from error
        raise CorruptCheckpoint(
            f"the weights in {folder} do not fit its settings: {error}"
        ) from error
    return denoiser.eval()


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
