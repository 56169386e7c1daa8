"""Sphinx: MyST pages, and the reference from the docstrings."""

from __future__ import annotations

import re
from importlib.metadata import version as installed_version

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
exclude_patterns = ["_build"]

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


def setup(app: object) -> None:
    """Run before napoleon, which sees the docstring as it was written otherwise."""
    app.connect("autodoc-process-docstring", escape_notation, priority=400)  # type: ignore[attr-defined]
