"""The site builds without a warning, and describes every public name."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_site_builds_without_a_warning_and_describes_every_public_name(tmp_path: Path) -> None:
    for package in ("sphinx", "myst_parser", "pydata_sphinx_theme"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}, of the extra docs")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    built = subprocess.run(
        [*command, str(TOP / "docs"), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (built.returncode, built.stderr) == (0, "")
    page = (tmp_path / "api.html").read_text(encoding="utf-8")
    listed = re.findall(r"{py:obj}`\S+ <(\S+)>`", (TOP / "docs/api/names.md").read_text("utf-8"))
    assert len(listed) > 150
    linked = {*re.findall(r'href="api/[^"#]*#([\w.]+)"', page)}
    assert {*listed} - linked == set()
