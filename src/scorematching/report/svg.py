"""Small panels drawn by matplotlib, as SVG inside the page: its colours follow light and dark.

Every panel is drawn at the width it is read at on a phone, and a grid lays them out, so that text
has one size everywhere. The colours below stand for variables of the page's style sheet.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

INK, MUTED, GRID = "#1b1f24", "#5f6873", "#dadee3"
DATA, SAMPLE = "#30343b", "#cf5c39"
STEPS = ("#7a6bd0", "#3a86c8", "#23958a", "#b5801a", "#cb5a3c", "#b04a8c")  # readable on both
VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--rule", DATA: "--data", SAMPLE: "--sample"}

WIDE, SMALL = 300.0, 150.0  # points; shown about 1.2 pixels to the point
TEXT = 8.5  # points
NAME = 26  # characters of a column's name in a picture


def panel(width: float = WIDE, height: float = 185.0, columns: int = 1) -> list[Axes]:
    """Axes side by side on a transparent figure of a size in points, the scales shared."""
    figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")
    shared = columns > 1
    grid = figure.subplots(1, columns, squeeze=False, sharex=shared, sharey=shared)
    axes = list(grid[0])
    for each in axes:
        each.set_facecolor("none")
        each.spines[["top", "right"]].set_visible(False)
        each.spines[["left", "bottom"]].set_color(MUTED)
        each.spines[["left", "bottom"]].set_linewidth(0.6)
        each.tick_params(colors=MUTED, labelsize=TEXT, width=0.6, length=2.5, pad=2)
        each.set_axisbelow(True)
    return axes


def margins(
    axes: Axes, left: float, right: float, top: float, bottom: float, gap: float = 0
) -> None:
    """Leave points free around the axes of a figure, for their labels, and between them."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    width, height = figure.get_size_inches() * 72
    columns = len(figure.axes)
    inner = (width - left - right - gap * (columns - 1)) / columns
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        top=1 - top / height,
        bottom=bottom / height,
        wspace=gap / inner if columns > 1 else 0,
    )


def label(axes: Axes, x: str = "", y: str = "", title: str = "") -> None:
    """Name the axes; dollar signs and the like in a name are no formula."""
    texts = [axes.set_xlabel(short(x), labelpad=2)] if x else []
    texts += [axes.set_ylabel(short(y), labelpad=2)] if y else []
    texts += [axes.set_title(short(title), loc="left", pad=4)] if title else []
    for text in texts:
        text.set(color=INK, fontsize=TEXT, parse_math=False)


def few_ticks(axes: Axes, x: int | None = 4, y: int | None = 4) -> None:
    """About so many ticks on each axis; 0 for none, None to leave an axis as it is."""
    for axis, count in ((axes.xaxis, x), (axes.yaxis, y)):
        if count is not None:
            axis.set_major_locator(MaxNLocator(count) if count else NullLocator())


def logarithmic(axes: Axes) -> None:
    """A logarithmic x axis of noise levels, with plain numbers at its powers of ten."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=6))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))


def _plain(value: float, position: int | None) -> str:
    return f"{value:g}"


def legend(axes: Axes, entries: Sequence[tuple[str, str]], columns: int = 4) -> None:
    """Colours and what they stand for, above the axes."""
    handles = [Line2D([], [], color=colour, linewidth=2.2) for colour, _ in entries]
    shown = axes.legend(
        handles, [name for _, name in entries],
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=columns, frameon=False,
        fontsize=TEXT, labelcolor=INK, handlelength=1.0, columnspacing=1.0, handletextpad=0.4,
        borderpad=0.2, borderaxespad=0.1,
    )  # fmt: skip
    for text in shown.get_texts():
        text.set_parse_math(False)


def short(name: str, length: int = 44) -> str:
    """A name on one line, cut where it is too long for a picture."""
    line = "".join(each if each.isprintable() else " " for each in name)
    return line if len(line) <= length else f"{line[: length - 1]}…"


def svg(axes: Axes, alt: str, key: str) -> Markup:
    """The figure of some axes as an SVG element with a text alternative.

    Parameters
    ----------
    axes
        Of a figure drawn in the colours above.
    alt
        What the picture shows, for those who do not see it.
    key
        Unlike that of any other picture of the page: ids are derived from it.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    buffer = io.StringIO()
    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": key,
        "font.family": "sans-serif",
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        # The reader's own fonts draw the text, so what ours lack does not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator")))
    return Markup(_inlined(buffer.getvalue(), escape(alt)))


def _inlined(text: str, alt: str) -> str:
    """What matplotlib wrote, as part of a page: smaller, and in its fonts and colours."""
    text = text[text.index("<svg") :]
    text = re.sub(
        r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL
    )
    box = re.search(r'viewBox="([^"]+)"', text)
    assert box is not None
    head = f'<svg class="plot" viewBox="{box[1]}" role="img" aria-label="{alt}">'
    used = {*re.findall(r'<[^>]*(?:url\(|href=")#([^")]+)', text)}
    # Within tags alone: what a user's names say is left as it is.
    text = re.sub(r"<[^>]+>", lambda tag: _lighter(tag[0], used), text)
    text = re.sub(r"(<g [^>]*)>((?:\s*<use [^>]*>)+)", _hoisted, text)
    text = re.sub(r">\s+<", "><", text)
    return re.sub(r"<svg[^>]*>", lambda _: head, text, count=1).strip()


def _lighter(tag: str, used: set[str]) -> str:
    tag = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", tag)
    tag = re.sub(r"\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}", tag)
    tag = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", tag)  # before matplotlib 3.9
    tag = re.sub(r"font-family: [^;\"]*;? ?", "", tag)
    for colour, variable in VARIABLES.items():
        tag = tag.replace(colour, f"var({variable})")
    return re.sub(r"\s+", " ", tag.replace("xlink:href", "href"))


def _hoisted(group: re.Match[str]) -> str:
    """A group of the same marks, their style said once."""
    styles = {*re.findall(r'<use [^>]*(style="[^"]*")', group[2])}
    if len(styles) != 1:
        return group[0]
    style = styles.pop()
    return f"{group[1]} {style}>" + group[2].replace(f" {style}", "")
