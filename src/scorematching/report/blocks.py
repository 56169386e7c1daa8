"""What a section of the page is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup


@dataclass(frozen=True)
class Picture:
    """A picture and the text below it."""

    body: Markup
    caption: str = ""


@dataclass(frozen=True)
class Pictures:
    """Pictures in a grid: ``large``, ``wide`` or ``small`` ones, or ``sheets`` of images."""

    items: Sequence[Picture]
    size: str = "wide"
    kind: str = field(default="pictures", init=False)


@dataclass(frozen=True)
class Words:
    """A paragraph."""

    text: str
    kind: str = field(default="words", init=False)


@dataclass(frozen=True)
class Table:
    """A table that scrolls where it is wider than the page.

    Attributes
    ----------
    name
        What it holds, for those who do not see it.
    groups
        Headings above the head, and how many columns each spans.
    head, rows
        Text, or pictures.
    folded
        Whether it is shown only when asked for.
    numbers
        Whether cells but for the first one of a row are numbers.
    """

    name: str
    head: Sequence[str]
    rows: Sequence[Sequence[str | Markup]]
    groups: Sequence[tuple[str, int]] = ()
    folded: bool = False
    numbers: bool = True
    kind: str = field(default="table", init=False)


@dataclass(frozen=True)
class Commands:
    """Commands and what they do."""

    items: Sequence[tuple[str, str]]
    kind: str = field(default="commands", init=False)


Block = Pictures | Words | Table | Commands


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    key: str
    title: str
    blocks: Sequence[Block]
