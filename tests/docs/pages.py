"""The code in the pages: its blocks, and what they print when they are run."""

from __future__ import annotations

import contextlib
import io
import math
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

TOP = Path(__file__).resolve().parents[2]
GENERATED = {"contract.md", "api.md", "solvers.md"}
FENCE = re.compile(r"^ *(`{3,})(.*)$")
NOT_RUN = "<!-- not run:"
NUMBER = re.compile(r"(?<![\w.])[-−+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


class Block(NamedTuple):
    """A block of code: where it starts, its language, its text, and what the page says it prints.

    `skipped` is the reason that the page gives for not running it.
    """

    line: int
    language: str
    text: str
    output: str | None = None
    skipped: str | None = None


def pages() -> list[Path]:
    """README and every page of docs/ that a person wrote."""
    found = [p for p in (TOP / "docs").rglob("*.md") if not {"_build", "api"} & {*p.parts}]
    return [TOP / "README.md", *sorted(p for p in found if p.name not in GENERATED)]


def blocks(text: str) -> list[Block]:
    """The blocks of a page; a ``text`` block right after one of Python is what that one prints."""
    found: list[Block] = []
    lines = text.splitlines()
    at, before = 0, ""
    while at < len(lines):
        fence = FENCE.match(lines[at])
        if fence is None:
            before = lines[at] or before
            at += 1
            continue
        start, language = at + 1, fence[2].strip()
        at = next(i for i in range(start, len(lines)) if lines[i].strip() == fence[1])
        body = "\n".join(lines[start:at])
        if language == "text" and before == "```" and found and found[-1].language == "python":
            found[-1] = found[-1]._replace(output=body)
        else:
            why = before.removeprefix(NOT_RUN).removesuffix("-->").strip()
            skipped = why if before.startswith(NOT_RUN) else None
            found.append(Block(start, language, body, None, skipped))
        before = "```"
        at += 1
    return found


def python(page: Path) -> list[Block]:
    """The blocks of Python that are to be run."""
    every = blocks(page.read_text(encoding="utf-8"))
    return [block for block in every if block.language == "python" and block.skipped is None]


def commands(page: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines that call our command, in words, and the line of the page that each stands on."""
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language not in ("sh", "bash", "", "console"):
            continue
        joined = re.sub(r" *\\\n *", " ", block.text)
        for line in joined.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["scorematching"]:
                yield block.line, words


def printed(
    page: Path, given: Mapping[str, Any] | None = None, instead: Mapping[str, str] | None = None
) -> Iterator[tuple[Block, str]]:
    """Run the blocks of a page one after another, as one module; what each prints.

    `given` has names that the page takes for granted; `instead` has words of the page and what to
    run in their place, fewer steps for instance.
    """
    module = ModuleType("page")
    module.__dict__.update(given or {})
    sys.modules[module.__name__] = module  # where a dataclass looks for the names of its fields
    for block in python(page):
        out, text = io.StringIO(), block.text
        for words, others in (instead or {}).items():
            text = text.replace(words, others)
        # Blank lines above, so that a traceback names the line of the page.
        code = compile("\n" * block.line + text, str(page), "exec")
        with contextlib.redirect_stdout(out):
            exec(code, module.__dict__)
        yield block, out.getvalue()


def difference(expected: str, got: str, relative: float) -> str | None:
    """The first line that differs in its words, or in a number by more than the tolerance."""
    said, found = expected.strip().splitlines(), got.strip().splitlines()
    for one, other in zip(said, found, strict=False):
        if _words(one) != _words(other) or not _close(one, other, relative):
            return f"the page says {one!r}, and it prints {other!r}"
    if len(said) != len(found):
        return f"the page shows {len(said)} lines, and it prints {len(found)}"
    return None


def _words(line: str) -> list[str]:
    return NUMBER.sub("#", line).split()


def _close(one: str, other: str, relative: float) -> bool:
    """Whether the numbers agree, to the tolerance or to the last digit that the page shows."""
    for a, b in zip(NUMBER.findall(one), NUMBER.findall(other), strict=True):
        x, y = _value(a), _value(b)
        digits = re.split("e", a)[0].partition(".")[2]
        last = 10.0 ** -len(digits) * (1 if "e" not in a else 10.0 ** int(a.split("e")[1]))
        if not math.isclose(x, y, rel_tol=relative, abs_tol=1.5 * last if digits else 0.0):
            return False
    return True


def _value(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))
