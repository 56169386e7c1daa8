"""Settings: a closed schema whose complaints say what would work."""

from __future__ import annotations

from typing import Any

import pytest

from scorematching.configuration import (
    Configuration,
    MLPSettings,
    NoiseSettings,
    OwnNetSettings,
    TrainSettings,
    UNetSettings,
    configuration_from,
    names_given,
    overridden,
)
from scorematching.errors import InvalidInput

BASE = Configuration(net=MLPSettings(width=64))


@pytest.mark.parametrize("net", [MLPSettings(), UNetSettings(), OwnNetSettings(name="Mine")])
def test_plain_json_and_back_is_the_same_configuration(net: Any) -> None:
    configuration = Configuration(net=net, training=TrainSettings(patience=3, validate_every=7))
    assert configuration_from(configuration.model_dump(mode="json")) == configuration


def test_changes_are_laid_over_section_by_section() -> None:
    changed = overridden(
        BASE, {"net": {"n_blocks": 5}, "training": {"max_steps": 7}, "dequantise": False}, "it"
    )
    assert changed.net == MLPSettings(width=64, n_blocks=5)
    assert changed.training == TrainSettings(max_steps=7)
    assert not changed.dequantise
    assert changed.noise == BASE.noise
    assert overridden(BASE, {}, "it") == BASE


def test_a_net_of_another_type_starts_from_its_own_defaults() -> None:
    changed = overridden(BASE, {"net": {"type": "UNet", "dropout": 0.4}}, "it")
    assert changed.net == UNetSettings(dropout=0.4)


def test_the_names_of_nested_changes_are_dotted() -> None:
    changes = {"net": {"width": 8, "type": "x"}, "dequantise": True, "training": {}}
    assert names_given(changes) == ["net.width", "net.type", "dequantise"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trainig": {}}, "trainig is no setting; there are net, noise, training"),
        ({"training": {"max_step": 3}}, r"training\.max_step is no setting; there are max_steps,"),
        ({"net": {"widht": 3}}, r"net\.widht is no setting; there are type, width, n_blocks,"),
        (
            {"net": {"type": "UNet", "width": 3}},
            r"net\.width is no setting; there are type, channels, dropout",
        ),
        ({"net": {"type": "Transformer"}}, "net: .*'Transformer'.*'ResidualMLP', 'UNet', 'own'"),
        ({"noise": {"sigma_min": 30}}, "noise: sigma_min must be below sigma_max"),
        ({"sampling": {"sigma_max": 100}}, "sampling levels must lie within the noise levels"),
        ({"training": {"max_steps": 0}}, r"training\.max_steps: .*got 0\)"),
        ({"training": {"learning_rate": float("nan")}}, r"training\.learning_rate: .*finite"),
        (
            {"net": {"type": "UNet", "channels": [12]}},
            r"net\.channels\.0: .*multiple of 8 \(got 12",
        ),
        ({"net": {"dropout": 1.0}}, r"net\.dropout: .*less than 1 \(got 1\.0\)"),
        ({"likelihood": {"n_steps": 7}}, r"likelihood\.n_steps: .*multiple of 2 \(got 7\)"),
        ({"validation_fraction": 0.9}, r"validation_fraction: .*0\.5 \(got 0\.9\)"),
        ({"net": 3}, r"net: .*\(got 3\)"),
        ("net", "must be a table of settings: got str"),
        (
            {"training": {"max_steps": 0, "batch_size": 0}},
            r"training\.max_steps: .*; training\.batch_size: ",
        ),
    ],
)
def test_what_is_unknown_or_unusable_is_named(changes: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=f"^the file (is unusable: )?.*{message}"):
        overridden(BASE, changes, "the file")


def test_a_complaint_about_a_whole_section_does_not_repeat_it() -> None:
    with pytest.raises(InvalidInput) as caught:
        overridden(BASE, {"net": {"type": "UNet", "channels": [12]}}, "the file")
    assert str(caught.value).count("net.channels") == 1
    with pytest.raises(InvalidInput) as caught:
        configuration_from({"net": {"type": "UNet"}, "noise": {"sigma_min": 3, "sigma_max": 1}})
    assert len(str(caught.value)) < 120


def test_sizes_that_a_saved_file_may_ask_for_are_capped() -> None:
    for net in (
        {"type": "ResidualMLP", "width": 10**9},
        {"type": "ResidualMLP", "n_blocks": 10**6},
        {"type": "UNet", "channels": [8] * 7},
        {"type": "UNet", "channels": [8 * 10**6]},
    ):
        with pytest.raises(InvalidInput, match="net"):
            configuration_from({"net": net})
    with pytest.raises(InvalidInput, match="n_members"):
        configuration_from({"net": {"type": "UNet"}, "training": {"n_members": 65}})


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValueError, match="frozen"):
        BASE.noise.sigma_min = 1.0
    assert NoiseSettings() == BASE.noise
