"""Panels become SVG in the page's colours, and names stay as they are."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from scorematching.report.svg import (
    DATA,
    INK,
    SAMPLE,
    VARIABLES,
    label,
    legend,
    logarithmic,
    margins,
    panel,
    short,
    svg,
)

NAMES = ["<script>alert(1)</script>", "a $b$ $", "#30343b 1.23456", 'url(#x) "q" &amp;']


def drawn(name: str, key: str = "k") -> str:
    (axes,) = panel()
    axes.plot([0.0, 1.0, 2.0], [0.1, 0.2, 0.4], color=DATA)
    axes.plot([0.5, 1.5], [0.1, 0.3], linestyle="none", marker="o", color=SAMPLE)
    label(axes, name, name, name)
    legend(axes, [(SAMPLE, name)])
    margins(axes, 40, 8, 20, 28)
    return str(svg(axes, f"a picture of {name}", key))


@pytest.mark.parametrize("name", NAMES)
def test_names_are_drawn_letter_by_letter_and_never_as_markup_or_formula(name: str) -> None:
    root = ET.fromstring(drawn(name))
    texts = ["".join(each.itertext()) for each in root.iter() if each.tag.endswith("text")]
    assert texts.count(name) == 4
    assert root.get("aria-label") == f"a picture of {name}"
    assert root.get("role") == "img"


def test_colours_and_fonts_are_those_of_the_page() -> None:
    text = drawn("x")
    for colour in (DATA, SAMPLE, INK):
        assert colour not in text
        assert f"var({VARIABLES[colour]})" in text
    assert "DejaVu" not in text
    assert "<style" not in text


def test_ids_of_two_panels_differ_and_none_is_left_over() -> None:
    found = []
    for key in ("one", "two"):
        text = drawn("x", key)
        ids = {each.get("id") for each in ET.fromstring(text).iter() if each.get("id")}
        assert ids
        assert all(f"#{name}" in text for name in ids)
        found.append(ids)
    assert found[0].isdisjoint(found[1])
    assert drawn("x", "one") == drawn("x", "one")


def test_a_name_is_put_on_one_line_and_cut() -> None:
    assert short("a\nb\tc") == "a b c"
    assert short("x" * 50, 10) == "x" * 9 + "…"
    assert short("Größe 😀", 10) == "Größe 😀"


def test_noise_levels_have_plain_numbers() -> None:
    (axes,) = panel()
    axes.plot([0.01, 20.0], [1.0, 2.0])
    logarithmic(axes)
    text = str(svg(axes, "levels", "levels"))
    assert all(f">{number}<" in text for number in ("0.01", "0.1", "1", "10"))
