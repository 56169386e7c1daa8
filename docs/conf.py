"""Sphinx: MyST pages, and the reference from the docstrings."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # names.py, which lists the public names

project = "scorematching"
author = "The scorematching developers"
project_copyright = author
version = release = installed_version("scorematching")

extensions = [
    "myst_parser",
    "sphinx.ext.apidoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "api/names.md"]
myst_heading_anchors = 3

apidoc_modules = [
    {
        "path": "../src/scorematching",
        "destination": "api",
        "separate_modules": True,
        "module_first": True,
        "automodule_options": {"members"},
    }
]
# An object is described where it is defined, not once more where it is re-exported.
autodoc_default_options = {"ignore-module-all": True, "member-order": "bysource"}
autodoc_typehints = "signature"
napoleon_google_docstring = False

html_theme = "pydata_sphinx_theme"
html_title = "scorematching"
html_theme_options = {"secondary_sidebar_items": ["page-toc"], "show_prev_next": False}

_LITERAL = re.compile(r"(``[^`]*``|`[^`]*`)")
_MARKUP = re.compile(r"(?<!\*)\*(?!\*)|\|")


def escape_notation(
    app: object, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Keep ``(n, *event)``, s* and |x| as they are written: a lone * or | is no markup here."""
    parts = _LITERAL.split("\n".join(lines))
    parts[::2] = [_MARKUP.sub(r"\\\g<0>", part) for part in parts[::2]]
    lines[:] = "".join(parts).split("\n")


def leave_out(
    app: object, what: str, name: str, member: object, skip: bool, options: object
) -> bool | None:
    """Learned attributes and fields of named tuples: they stand in the docstring of the class."""
    learned = isinstance(member, property) and name.endswith("_")
    return True if learned or type(member).__name__ == "_tuplegetter" else None


def write_names(app: object) -> None:
    """The public names, for api.md to include."""
    import names

    path = HERE / "api" / "names.md"
    path.parent.mkdir(exist_ok=True)
    text = names.page()
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def setup(app: object) -> None:
    """Run before napoleon, which sees the docstring as it was written otherwise."""
    connect = app.connect  # type: ignore[attr-defined]
    connect("autodoc-process-docstring", escape_notation, priority=400)
    connect("autodoc-skip-member", leave_out)
    connect("builder-inited", write_names)
