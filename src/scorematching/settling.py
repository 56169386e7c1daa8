"""The user's settings laid over the chosen ones; none that has no effect goes unsaid."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scorematching.configuration import (
    Configuration,
    OwnNetSettings,
    names_given,
    overridden,
)
from scorematching.errors import InvalidInput
from scorematching.training import Precision, TrainingSettings

VALIDATIONS = 8
VALIDATE_EVERY = "training.validate_every"
NEEDS_VALIDATION = (VALIDATE_EVERY, "training.patience")


@dataclass(frozen=True)
class Choice:
    """A configuration and why: reasons by the dotted name of a setting."""

    configuration: Configuration
    reasons: dict[str, str]

    def because(self, name: str, reason: str) -> Choice:
        """The same choice with one more reason, the first to be told."""
        return Choice(self.configuration, {name: reason, **self.reasons})


def laid_over(
    chosen: Choice,
    given: Configuration | Mapping[str, Any] | None = None,
    max_steps: int | None = None,
    *,
    own_net: bool = False,
    validation: bool = False,
) -> Choice:
    """The settings of a fit and the reasons for them.

    Parameters
    ----------
    chosen
        What was chosen from the data.
    given
        A whole configuration, or a nested mapping of some settings.
    max_steps
        In place of the number of steps.
    own_net
        Whether the fit is given a network of the user's.
    validation
        Whether the fit is given rows to validate by.

    Raises
    ------
    InvalidInput
        A setting is unknown, unusable, or would have no effect.
    """
    settings, reasons = chosen.configuration, dict(chosen.reasons)
    names: list[str] = []
    if isinstance(given, Configuration):
        names = names_given(given.model_dump(mode="json", exclude_unset=True))
        settings, reasons = given, {"all": "as given"}
    elif isinstance(given, Mapping):
        settings = overridden(settings, given, "the configuration")
        names = names_given(given)
        reasons = _with_given(reasons, settings, names)
        if type(settings.net) is not type(chosen.configuration.net):
            reasons = {k: v for k, v in reasons.items() if not k.startswith("net.") or k in names}
            reasons["net"] = f"{settings.net.type}: as given"
    elif given is not None:
        raise InvalidInput(
            "configuration must be a Configuration or a nested dict of settings: "
            f"got {type(given).__name__}."
        )
    if max_steps is not None:
        settings = overridden(settings, {"training": {"max_steps": max_steps}}, "max_steps")
        reasons["training.max_steps"] = f"{max_steps}: as given"
        names = [*names, "training.max_steps"]
    if own_net != isinstance(settings.net, OwnNetSettings):
        raise InvalidInput(
            "a net of your own is given as net=…, and the configuration's net.type is then 'own'."
        )
    if own_net and settings.training.n_members > 1:
        if "training.n_members" in names:
            raise InvalidInput(
                "n_members repeats the library's networks and has no effect on a net of your own: "
                f"got {settings.training.n_members}. Pass net=nets.Ensemble([…]) of as many."
            )
        settings = overridden(settings, {"training": {"n_members": 1}}, "the configuration")
        reasons.pop("training.n_members", None)
    _check_weighting(settings, names)
    return Choice(_validated(settings, names, reasons, validation=validation), reasons)


def training_settings(
    settings: Configuration, seed: int, time_limit: float | None
) -> TrainingSettings:
    """What the training loop takes; a batch holds as many rows for each member.

    Raises
    ------
    InvalidInput
        seed or time_limit are unusable, or settings clash.
    """
    try:
        seed = operator.index(seed)
    except TypeError as error:
        raise InvalidInput(f"seed must be an integer: got {seed!r}.") from error
    members = settings.training.n_members
    return TrainingSettings(
        **settings.training.model_dump(
            exclude={"n_members", "batch_size", "precision", "condition_dropout"}
        ),
        precision=Precision(settings.training.precision),
        batch_size=settings.training.batch_size * members,
        seed=seed,
        time_limit=time_limit,
    )


def _with_given(
    reasons: dict[str, str], settings: Configuration, names: list[str]
) -> dict[str, str]:
    """The reasons, those of given settings (and of their section as a whole) replaced."""
    sections = {name.partition(".")[0] for name in names} - {"net"}
    kept = {name: why for name, why in reasons.items() if name not in sections}
    values = settings.model_dump(mode="json")
    for name in names:
        section, _, inner = name.partition(".")
        kept[name] = f"{values[section][inner] if inner else values[section]}: as given"
    return kept


def _check_weighting(settings: Configuration, names: list[str]) -> None:
    idle = [name for name in ("noise.log_mean", "noise.log_std") if name in names]
    if settings.noise.weighting == "likelihood" and idle:
        raise InvalidInput(
            f"{' and '.join(idle)} have no effect with noise.weighting 'likelihood', whose levels "
            "are drawn uniformly in ln σ: leave them out, or use weighting 'unit'."
        )


def _validated(
    settings: Configuration, names: list[str], reasons: dict[str, str], *, validation: bool
) -> Configuration:
    """settings with a say on validation that agrees with the rows there are to validate by."""
    training: dict[str, Any] = {}
    changes: dict[str, Any] = {"training": training}
    if validation:
        if "validation_fraction" in names and settings.validation_fraction > 0:
            raise InvalidInput(
                "validation_fraction has no effect where validation rows are given: got "
                f"{settings.validation_fraction:g}. Leave one of them out."
            )
        changes["validation_fraction"] = 0.0
        reasons.pop("validation_fraction", None)
        reasons["validation"] = "as given: those rows choose the best weights"
    validates = validation or settings.validation_fraction > 0
    every = settings.training.validate_every
    if not validates:
        idle = [
            name
            for name in NEEDS_VALIDATION
            if name in names and getattr(settings.training, name.partition(".")[2]) is not None
        ]
        if idle:
            raise InvalidInput(
                f"{' and '.join(idle)} have no effect without validation rows: pass validation=…, "
                "or a validation_fraction above 0."
            )
        training |= {"validate_every": None, "patience": None}
    elif every is not None and "training.max_steps" in names and VALIDATE_EVERY not in names:
        training["validate_every"] = min(every, -(-settings.training.max_steps // VALIDATIONS))
    return overridden(settings, changes, "the configuration")
