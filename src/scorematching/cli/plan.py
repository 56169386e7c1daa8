"""What a run of ``scorematching fit`` is going to do, settled before it trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorematching.cli import runs
from scorematching.cli.describe import described, samples_name
from scorematching.cli.session import Messages
from scorematching.cli.settings import (
    Options,
    RunSettings,
    Source,
    check_same_options,
    check_same_rows,
    printable,
    read_settings,
    source_of,
)
from scorematching.data import Dataset, Stream, TableSchema, read
from scorematching.defaults import settled
from scorematching.errors import InvalidInput
from scorematching.settling import Choice, training_settings
from scorematching.sources import read_or_stream

if TYPE_CHECKING:
    from scorematching.fitted import FittedScore
    from scorematching.likelihood import FlowLogDensity

#: Options that may differ on resuming: the rows are compared instead, and a device may be gone.
FREE = frozenset({"validation_data", "device"})


@dataclass(frozen=True)
class Plan:
    """The data, the settings and the device of a run.

    Attributes
    ----------
    source
        DATA as given.
    resumed, has_checkpoint
        Whether the run was started before, and whether it came as far as a first checkpoint.
    """

    source: str
    data: Dataset | Stream
    validation: Dataset | None
    settings: RunSettings
    device: str
    resumed: bool = False
    has_checkpoint: bool = False

    @property
    def choice(self) -> Choice:
        """The resolved configuration and the reasons for it."""
        return Choice(self.settings.configuration, dict(self.settings.reasons))

    def tell(self, messages: Messages, out: Path) -> None:
        """Print what was resolved."""
        options, configuration = self.settings.options, self.settings.configuration
        messages.say("data", f"{printable(self.source)}: {described(self.data)}")
        for note in self.data.notes:
            messages.note(note)
        if self.validation is not None:
            messages.say("", f"{options.validation_data}: {self.validation.n:,} validation rows")
        messages.table("settings", self.settings.reasons.items())
        limit = "" if options.time_limit is None else f", at most {options.time_limit:g} s"
        messages.say(
            "training",
            f"{configuration.training.max_steps:,} steps of "
            f"{min(configuration.training.batch_size, self.data.n)} rows{limit}; "
            f"{self.parameters():,} parameters; seed {options.seed}; device {self.device}",
        )
        how = ""
        if self.resumed:
            how = (
                ", resumed"
                if self.has_checkpoint
                else ", resumed: from the start, as nothing was saved yet"
            )
        messages.say("run", f"{out}{how}")

    def parameters(self) -> int:
        """Number of parameters of the network."""
        import torch

        from scorematching.saved import build_net

        with torch.device("meta"):
            net = build_net(self.settings.configuration, self.data.schema)
        return sum(parameter.numel() for parameter in net.parameters())

    def try_out(self) -> None:
        """Raise now what `fit` would raise before its first step.

        Raises
        ------
        InvalidInput
            The rows cannot be preprocessed.
        """
        import torch

        from scorematching.preprocessing import preprocessing
        from scorematching.surveying import constants

        if isinstance(self.data, Stream):
            spread = self.settings.configuration.dequantise
            none = torch.empty(0, dtype=torch.int64)
            constants(self.data, none, self.settings.options.seed, torch.float32, enabled=spread)
            return
        preprocessing(self.data, torch.from_numpy(self.data.values))

    def fields(self) -> dict[str, Any]:
        """What to report of the plan as JSON."""
        schema, settings = self.data.schema, self.settings
        columns = (
            [each.name for each in schema.columns] if isinstance(schema, TableSchema) else None
        )
        return {
            "data": settings.data.model_dump(),
            "event": list(schema.event),
            "columns": columns,
            "label": None if schema.label is None else schema.label.name,
            "condition": list(schema.condition) or None,
            "classes": None if schema.label is None else list(schema.label.classes),
            "seed": settings.options.seed,
            "device": self.device,
            "configuration": settings.configuration.model_dump(mode="json"),
            "reasons": dict(settings.reasons),
            "parameters": self.parameters(),
        }

    def split(self) -> tuple[Dataset, Dataset | None]:
        """Rows to train on, some of them where they are streamed; held-out rows, if any."""
        from scorematching.fitting import split_rows
        from scorematching.preparing import split_stream

        seed, configuration = self.settings.options.seed, self.settings.configuration
        if isinstance(self.data, Stream):
            return split_stream(self.data, self.validation, configuration, seed)
        return split_rows(self.data, self.validation, configuration, seed)

    def scored(self, model: FittedScore) -> FlowLogDensity | None:
        """The log-densities of the rows that chose the weights, in the units of the data."""
        from scorematching.fitting import VALIDATION_ROWS
        from scorematching.training_rows import at_most

        _, rows = self.split()
        if rows is None:
            return None
        return model.flow_log_density(at_most(rows, VALIDATION_ROWS, self.settings.options.seed))

    def next_command(self, out: Path) -> str:
        """What to run next."""
        name = samples_name(self.source, self.data.schema)
        return runs.command_line("sample", str(out), "-n", "1000", "--out", name)


def of_new(
    source: str, out: Path, given: Mapping[str, Any], changes: Mapping[str, Any] | None
) -> Plan:
    """The plan of a new run: settings chosen from the data, with the user's laid over them.

    Raises
    ------
    InvalidInput
        The data or an option are unusable, or out already holds a run.
    """
    runs.check_new(out)
    options = Options(**given)
    data, validation, reason = rows_of(source, options)
    choice = _choice(data, options, changes, validation is not None)
    choice = choice if reason is None else choice.because("rows", reason)
    runs.torch_device(options.device)
    training_settings(choice.configuration, options.seed, options.time_limit)  # are they usable?
    settings = RunSettings(
        data=source_of(source, data),
        validation=_source_of_validation(options, validation),
        options=options,
        configuration=choice.configuration,
        reasons=choice.reasons,
    )
    return Plan(source, data, validation, settings, options.device)


def of_resumed(
    source: str, out: Path, given: Mapping[str, Any], changes: Mapping[str, Any] | None
) -> Plan:
    """The plan of a run that goes on: its own settings, from ``settings.json``.

    Raises
    ------
    InvalidInput
        There is no run, or the data or an option differ from those it was started with.
    """
    settings = read_settings(out)
    check_same_options(settings.options, given, out, FREE)
    options = settings.options.model_copy(
        update={name: value for name, value in given.items() if name in FREE}
    )
    data, validation, _ = rows_of(source, options)
    check_same_rows(settings.data, source_of(source, data), out)
    now = _source_of_validation(options, validation)
    if now is not None:
        if settings.validation is None:
            raise InvalidInput(
                f"--validation-data was not given to the run in {out}. A resumed run keeps its "
                "settings: leave it out, or start a new run in another folder."
            )
        check_same_rows(settings.validation, now, out)
    if changes is not None:
        again = _choice(data, options, changes, validation is not None).configuration
        if again != settings.configuration:
            raise InvalidInput(
                f"--config differs from the settings of the run in {out}. A resumed run keeps its "
                "settings: leave it out, or start a new run in another folder."
            )
    runs.torch_device(options.device)
    started, _ = runs.state_of(out)
    return Plan(source, data, validation, settings, options.device, True, started)


def rows_of(source: str, options: Options) -> tuple[Dataset | Stream, Dataset | None, str | None]:
    """The rows that the options choose, those to validate by, and why they are streamed, if so."""
    data, reason = read_or_stream(
        source,
        options.stream,
        columns=options.columns,
        drop=options.drop or (),
        label=options.label,
        positive=options.positive or (),
        bounds=options.bounds,
        condition=options.condition or (),
    )
    if options.validation_data is None:
        return data, None, reason
    return data, read(options.validation_data, like=data.schema), reason


def _source_of_validation(options: Options, validation: Dataset | None) -> Source | None:
    if validation is None or options.validation_data is None:
        return None
    return source_of(options.validation_data, validation)


def _choice(
    data: Dataset | Stream, options: Options, changes: Mapping[str, Any] | None, validation: bool
) -> Choice:
    wanted = (changes or {}).get("training")
    steps = wanted.get("max_steps") if isinstance(wanted, Mapping) else None
    if steps is not None and options.max_steps is not None:
        raise InvalidInput(
            f"--max-steps {options.max_steps} and training.max_steps {steps} of --config say the "
            "same thing: leave one of them out."
        )
    return settled(data, None, changes, options.max_steps, validation=validation)
