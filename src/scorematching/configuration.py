"""Every setting of a fit: a closed schema, so that a misspelt name is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from scorematching.errors import InvalidInput

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, lt=1)]
Channels = Annotated[int, Field(ge=8, le=1024, multiple_of=8)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MLPSettings(_Section):
    """`nets.ResidualMLP`."""

    type: Literal["ResidualMLP"] = "ResidualMLP"
    width: Annotated[int, Field(ge=8, le=8192)] = 192
    n_blocks: Annotated[int, Field(ge=1, le=64)] = 3
    dropout: Probability = 0.1


class UNetSettings(_Section):
    """`nets.UNet`, on images or signals."""

    type: Literal["UNet"] = "UNet"
    channels: Annotated[tuple[Channels, ...], Field(min_length=1, max_length=6)] = (32, 64)
    dropout: Probability = 0.1
    patch: Annotated[int, Field(ge=1, le=8)] = 1
    attention: bool = True


class OwnNetSettings(_Section):
    """A module of the user's own; only its weights are saved, so `load` has to be given it."""

    type: Literal["own"] = "own"
    name: str


class NoiseSettings(_Section):
    """The range of noise levels, and how they are weighted in training, for standardised rows.

    "unit": unit weight on the network's output at ln σ ~ N(log_mean, log_std²). "likelihood": the
    weight of maximum likelihood, at importance-sampled levels; see `objectives.LikelihoodTimes`.
    """

    sigma_min: Positive = 0.01
    sigma_max: Positive = 20.0
    log_mean: Annotated[float, Field(allow_inf_nan=False)] = -1.2
    log_std: Positive = 1.2
    weighting: Literal["unit", "likelihood"] = "unit"

    @model_validator(mode="after")
    def _ordered(self) -> NoiseSettings:
        if self.sigma_min >= self.sigma_max:
            raise ValueError("sigma_min must be below sigma_max")
        return self


class TrainSettings(_Section):
    """`training.TrainingSettings` less the seed and the time limit, plus members and dropout.

    condition_dropout is the share of rows that are told nothing of their class or condition, so
    that the network learns the unconditional score as well.
    """

    max_steps: Annotated[int, Field(ge=1)] = 2000
    batch_size: Annotated[int, Field(ge=1)] = 256
    learning_rate: Positive = 3e-3
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    clip_norm: Positive = 5.0
    average_half_life: Positive = 200.0
    validate_every: Annotated[int, Field(ge=1)] | None = None
    patience: Annotated[int, Field(ge=1)] | None = None
    checkpoint_every: Annotated[int, Field(ge=1)] = 500
    n_members: Annotated[int, Field(ge=1, le=64)] = 1
    condition_dropout: Probability = 0.0
    precision: Literal["full", "bfloat16", "float16"] = "full"


class SampleSettings(_Section):
    """Noise levels and number of evaluations of the sampler, and whether it adds noise."""

    n_evaluations: Annotated[int, Field(ge=2)] = 20
    sigma_min: Positive = 0.05
    sigma_max: Positive = 10.0
    stochastic: bool = True


class LikelihoodSettings(_Section):
    """Steps of the flow; probes in place of the exact trace above this many coordinates."""

    n_steps: Annotated[int, Field(ge=2, multiple_of=2)] = 24
    exact_up_to: Annotated[int, Field(ge=0)] = 256
    n_probes: Annotated[int, Field(ge=1)] = 16


class Configuration(_Section):
    """All settings of a fit."""

    net: Annotated[MLPSettings | UNetSettings | OwnNetSettings, Field(discriminator="type")]
    noise: NoiseSettings = NoiseSettings()
    training: TrainSettings = TrainSettings()
    sampling: SampleSettings = SampleSettings()
    likelihood: LikelihoodSettings = LikelihoodSettings()
    dequantise: bool = True
    validation_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.1

    @model_validator(mode="after")
    def _within(self) -> Configuration:
        low, high = self.sampling.sigma_min, self.sampling.sigma_max
        if not self.noise.sigma_min <= low < high <= self.noise.sigma_max:
            raise ValueError(
                "the sampling levels must lie within the noise levels: sigma_min ≤ "
                "sampling.sigma_min < sampling.sigma_max ≤ sigma_max"
            )
        return self


_NETS: dict[str, type[BaseModel]] = {
    "ResidualMLP": MLPSettings,
    "UNet": UNetSettings,
    "own": OwnNetSettings,
}
_SECTIONS: dict[str, type[BaseModel]] = {
    **_NETS,
    "noise": NoiseSettings,
    "training": TrainSettings,
    "sampling": SampleSettings,
    "likelihood": LikelihoodSettings,
}


def configuration_from(data: object, source: str = "the configuration") -> Configuration:
    """A configuration from plain JSON.

    Raises
    ------
    InvalidInput
        A name is unknown or a value unusable; the message lists each one.
    """
    try:
        return Configuration.model_validate(data)
    except ValidationError as error:
        found = error.errors()
        # The cause alone, where the section around it complains as well.
        inner = {each["loc"][:-1] for each in found if each["loc"]}
        problems = "; ".join(_problem(each) for each in found if each["loc"] not in inner)
        raise InvalidInput(f"{source} is unusable: {problems}.") from error


def _problem(each: Mapping[str, Any]) -> str:
    """One complaint of pydantic in the words of a user: the dotted name, what and got."""
    path = [str(part) for part in each["loc"]]
    section: type[BaseModel] = Configuration
    for part in path[:-1]:
        section = _SECTIONS.get(part, section)
    name = ".".join(part for part in path if part not in _NETS)
    if each["type"] == "extra_forbidden":
        return f"{name} is no setting; there are {', '.join(section.model_fields)}"
    message = str(each["msg"]).removeprefix("Value error, ")
    if isinstance(each["input"], dict):
        return f"{name}: {message}" if name else message
    return f"{name}: {message} (got {each['input']!r:.80})"


def names_given(changes: Mapping[str, Any]) -> list[str]:
    """The dotted names of nested changes, ``training.max_steps`` say, in their order."""
    names = []
    for name, value in changes.items():
        inner = [f"{name}.{each}" for each in value] if isinstance(value, Mapping) else [name]
        names += inner
    return names


def with_evaluations(base: Configuration, n_evaluations: int | None) -> Configuration:
    """base with another number of evaluations of the network a sample, if one is asked for."""
    if n_evaluations is None:
        return base
    changes = {"sampling": {"n_evaluations": n_evaluations}}
    return overridden(base, changes, "what is asked of sample")


def overridden(base: Configuration, changes: Mapping[str, Any], source: str) -> Configuration:
    """base with nested changes laid over it; a net of another type starts from its defaults.

    Raises
    ------
    InvalidInput
        As `configuration_from`.
    """
    if not isinstance(changes, Mapping):
        raise InvalidInput(f"{source} must be a table of settings: got {type(changes).__name__}.")
    merged = base.model_dump(mode="json")
    for name, value in changes.items():
        current = merged.get(name)
        another_net = (
            isinstance(value, Mapping)
            and isinstance(current, dict)
            and value.get("type", current.get("type")) != current.get("type")
        )
        if isinstance(value, Mapping) and isinstance(current, dict) and not another_net:
            merged[name] = {**current, **value}
        else:
            merged[name] = dict(value) if isinstance(value, Mapping) else value
    return configuration_from(merged, source)
