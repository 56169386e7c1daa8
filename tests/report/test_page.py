"""The page of every kind of data: whole, safe, and readable in a browser."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from report.chromium import Browser, browser, found
from report.subjects import EVIL, KINDS, facts
from scorematching.report.page import figures_of_merit, flattened, page, write_page

VOID = {"meta", "img", "br", "wbr", "link", "path", "use", "rect"}
PHONE, DESKTOP = 390, 1280


@cache
def html(kind: str) -> str:
    """The page of a kind of data, hostile names everywhere."""
    found = facts(kind)
    return page(
        found,
        figures_of_merit(found),
        about=[("Data", EVIL)],
        commands=[(f"scorematching sample '{EVIL}'", "Draw:")],
        notes=[EVIL],
    )


class Reader(HTMLParser):
    """The elements of a page; raises where they do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attributes}))
        self.words.append("" if tag == "wbr" else " ")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        self.words.append(" ")
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(text)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


@pytest.mark.parametrize("kind", KINDS)
def test_names_of_the_user_are_shown_and_never_run(kind: str) -> None:
    reader = Reader(html(kind))
    tags = Counter(tag for tag, _ in reader.found)
    assert tags["script"] == 0
    assert not any(name.startswith("on") for _, attributes in reader.found for name in attributes)
    assert reader.text.count(EVIL) >= 4  # the head, a note, a command, the title


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_needs_nothing_from_outside(kind: str) -> None:
    text = html(kind)
    reader = Reader(text)
    for tag, attributes in reader.found:
        for name in ("src", "href", "xlink:href", "data", "action"):
            address = attributes.get(name, "#")
            assert address.startswith("#") or (tag == "img" and address.startswith("data:image/"))
    assert {tag for tag, _ in reader.found}.isdisjoint({"link", "iframe", "object", "base"})
    assert not re.search(r"@import|url\((?!#)", text)
    (policy,) = [a["content"] for _, a in reader.found if a.get("http-equiv")]
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize("kind", KINDS)
def test_every_picture_has_a_text_and_every_id_is_used_once(kind: str) -> None:
    reader = Reader(html(kind))
    pictures = [each for each in reader.found if each[0] in ("svg", "img")]
    assert len(pictures) >= 3
    for tag, attributes in pictures:
        assert len(attributes["aria-label" if tag == "svg" else "alt"]) > 5
        assert tag == "img" or attributes["role"] == "img"
    ids = [attributes["id"] for _, attributes in reader.found if "id" in attributes]
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    used = re.findall(r'(?:url\(|href=")#([^")]+)', html(kind))
    assert {*used} <= {*ids}
    for tag in ("th", "td"):
        assert all(a.get("scope") for t, a in reader.found if t == "th") or tag == "td"


def test_a_page_says_what_is_good_and_bad_and_why_settings_are_so() -> None:
    text = Reader(html("table")).text
    for merit in figures_of_merit(facts("table")):
        for words in (merit.name, merit.shown, merit.verdict, merit.good, merit.bad):
            assert " ".join(words.split()) in text
    model = facts("table").subject.model
    for name, why in model.reasons.items():
        assert name in text
        assert all(part in text for part in why.split(": ", 1))
    for name, value in flattened(model.configuration):
        assert f"{name} {value}" in text


@pytest.mark.parametrize(
    ("kind", "sections"),
    [
        ("table", ["Data and samples", "Training", "Denoising", "Settings, and why"]),
        ("plane", ["Score and density"]),
        ("classes in the plane", ["Class 0: score", "Class 1: log-density"]),
        ("numbers", ["Density"]),
        ("images", ["Images of the data, by class", "4 training images with noise"]),
        ("signals", ["held-out rows with noise"]),
        ("colours", ["4 held-out images with noise"]),
        ("wide", ["The first 24 of 30 columns", "training rows were looked at"]),
    ],
)
def test_each_kind_of_data_has_the_sections_that_it_needs(kind: str, sections: list[str]) -> None:
    text = Reader(html(kind)).text
    for words in sections:
        assert words in text
    assert ("Score and density" in text) == ("plane" in kind)


def test_a_page_is_the_same_when_it_is_made_again() -> None:
    before = html("numbers")
    html.cache_clear()
    assert html("numbers") == before


def test_a_page_is_written_whole_and_takes_the_place_of_another(tmp_path: Path) -> None:
    for text in ("one", "zwei ü"):
        write_page(tmp_path / "p.html", text)
        assert (tmp_path / "p.html").read_text(encoding="utf-8") == text
    assert [each.name for each in tmp_path.iterdir()] == ["p.html"]


# ------------------------------------------------------------------------------- in a browser

#: The texts of the page whose contrast to what is behind them is below 4.5, as WCAG 2 has it.
FAINT = """
(() => {
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parts(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.tagName === 'STYLE') continue;
    const svg = e.namespaceURI.endsWith('svg');
    const style = getComputedStyle(e);
    const [a, b] = [light(parts(svg ? style.fill : style.color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push([e.textContent.trim().slice(0, 30), ratio]);
  }
  return faint;
})()
"""
#: The smallest size of a text, in CSS pixels, as it is drawn.
SMALLEST = """
Math.min(...[...document.querySelectorAll('svg text, p, td, th, li, dd, figcaption')]
  .filter(e => e.textContent.trim() && e.getClientRects().length)
  .map(e => parseFloat(getComputedStyle(e).fontSize)
    * (e.getCTM ? Math.hypot(e.getScreenCTM().a, e.getScreenCTM().b) : 1)))
"""
#: What sticks out of the page at the right, but for what scrolls within its own box.
OUTSIDE = """
[...document.querySelectorAll('body *')]
  .filter(e => !e.closest('.scroll') && !e.closest('svg *')
    && e.getBoundingClientRect().right > WIDTH + 0.5)
  .map(e => e.tagName + ' ' + e.className)
"""
BLIND = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
#: Pictures that take up no room to speak of.
TINY = """
[...document.querySelectorAll('svg, img')].filter(e => e.getClientRects().length)
  .map(e => e.getBoundingClientRect()).filter(r => r.width < 24 || r.height < 24).length
"""
#: Texts of one picture that lie over one another, by more than the room around their letters.
OVERLAPPING = """
[...document.querySelectorAll('svg')].flatMap(svg => {
  const texts = [...svg.querySelectorAll('text')].filter(e => e.textContent.trim());
  const boxes = texts.map(e => e.getBoundingClientRect());
  return boxes.flatMap((a, i) => boxes.slice(i + 1).flatMap((b, j) => {
    const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    return width > 1 && height > 0.3 * Math.min(a.height, b.height)
      ? [texts[i].textContent + ' | ' + texts[i + 1 + j].textContent] : [];
  }));
})
"""
#: Characters that no font here has: they look like one that no font can have.
GLYPHLESS = """
(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const looks = c => {
    canvas.clearRect(0, 0, 40, 40);
    canvas.font = '24px ' + getComputedStyle(document.body).fontFamily;
    canvas.fillText(c, 4, 28);
    return canvas.getImageData(0, 0, 40, 40).data.join();
  };
  const box = looks('\\u{10FFFF}');
  return [...new Set(document.body.textContent)].filter(c => c.trim() && looks(c) === box);
})()
"""
OPEN_ALL = "document.querySelectorAll('details').forEach(e => { e.open = true; })"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = found()
    if program is None:
        pytest.skip("there is no Chromium here to look at the page with")
    with browser(program, tmp_path_factory.mktemp("chromium")) as started:
        yield started


QUICKLY = ("table", "plane", "images")


@pytest.mark.parametrize(
    "kind",
    [*QUICKLY, *(pytest.param(k, marks=pytest.mark.slow) for k in KINDS if k not in QUICKLY)],
)
def test_a_browser_shows_the_page_on_a_desk_and_on_a_phone_by_day_and_by_night(
    chromium: Browser, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "a page — ü.html"
    write_page(path, html(kind))
    backgrounds = set()
    for width, dark in ((DESKTOP, False), (PHONE, True), (PHONE, False)):
        chromium.open(path, width, dark=dark)
        chromium.value(OPEN_ALL)
        assert chromium.value("innerWidth") == width
        assert chromium.value("document.documentElement.scrollWidth") <= width
        assert chromium.value(OUTSIDE.replace("WIDTH", str(width))) == []
        assert chromium.value(FAINT) == []
        assert chromium.value(SMALLEST) >= 9.5
        assert chromium.value(BLIND) == 0
        assert chromium.value(TINY) == 0
        assert chromium.value(OVERLAPPING) == []
        assert chromium.value(GLYPHLESS) == []
        assert chromium.requests() == []
        assert chromium.complaints() == []
        backgrounds.add(chromium.value("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2
    assert chromium.picture().startswith(b"\x89PNG")


def test_a_page_that_is_too_wide_too_faint_or_loads_something_is_caught(
    chromium: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "bad.html"
    path.write_text(
        "<!doctype html><meta name=viewport content='width=device-width'><body>"
        "<p style='color:#999;font-size:8px'>faint</p><div style='width:900px'>wide</div>"
        "<img src='there-is-none.png'><script>console.log('ran')</script>"
        "<svg width=9 height=90><text y=20>one</text><text y=22>two</text></svg>&#x378;",
        encoding="utf-8",
    )
    chromium.open(path, PHONE)
    assert chromium.value("document.documentElement.scrollWidth") > PHONE
    assert chromium.value(OUTSIDE.replace("WIDTH", str(PHONE))) == ["DIV "]
    faint: Any = chromium.value(FAINT)
    assert [text for text, _ in faint] == ["faint"]
    assert chromium.value(SMALLEST) == 8
    assert chromium.value(BLIND) == 1
    assert chromium.value(TINY) == 2
    assert chromium.value(OVERLAPPING) == ["one | two"]
    assert chromium.value(GLYPHLESS) == ["\u0378"]
    assert [url.rpartition("/")[2] for url in chromium.requests()] == ["there-is-none.png"]
    assert len(chromium.complaints()) >= 1
