"""The pictures of tutorials that train, from their own code: `python docs/figures/trained.py`."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import scorematching as sm

DOCS = Path(__file__).resolve().parents[1]
GREY, BLUE, RED = "0.6", "#0072b2", "#d55e00"


def ran(name: str, until: str | None = None) -> dict[str, Any]:
    """The names that the code of a tutorial leaves behind, up to a heading of it."""
    text = (DOCS / "tutorials" / name).read_text(encoding="utf-8")
    text = text if until is None else text[: text.index(until)]
    module = ModuleType("page")
    sys.modules["page"] = module
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for block in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            exec(block, module.__dict__)
        os.chdir(DOCS)
    return module.__dict__


def scientist() -> None:
    """Log-densities of three groups of wines, and two measurements that the score points to."""
    page = ran("scientist.md")
    groups = (("fitted on", GREY), ("kept aside", BLUE), ("other", RED))
    names = ("fitted on", "kept aside", "third cultivar")
    rows = [page["fitted_on"], page["kept"], page["other"]]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
    nats = [page["fitted"].log_density(each) for each in rows]
    edges = np.linspace(min(map(min, nats)), max(map(max, nats)), 30).tolist()
    for value, name, (_, colour) in zip(nats, names, groups, strict=True):
        left.hist(value, edges, density=True, alpha=0.65, color=colour, label=name)
    left.axvline(page["limit"], color="0.2", linestyle=":", linewidth=1.2)
    left.set(xlabel="log-density in nats", yticks=[])
    left.legend(frameon=False, loc="upper left")
    a, b = (page["table"].columns[j] for j in page["order"][:2])
    for each, (_, colour) in zip(rows, groups, strict=True):
        right.plot(each[a], each[b], "o", ms=3.5, color=colour)
    right.set(xlabel=a, ylabel=b)
    left.spines[["top", "right", "left"]].set_visible(False)
    right.spines[["top", "right"]].set_visible(False)
    figure.savefig(DOCS / "images" / "tutorial-scientist.png", dpi=140)


def engineer() -> None:
    """Digits, and samples of two solvers with few evaluations."""
    page = ran("engineer.md", until="## Log-densities")
    solvers = (sm.samplers.DDIM(), sm.samplers.DPMSolver2M())
    titles = ("held-out digits", *(f"{n + 1} evaluations" for n in (4, 9, 19)))
    figure, axes = plt.subplots(2, 4, figsize=(9.6, 2.3), layout="constrained")
    for row, solver in zip(axes, solvers, strict=True):
        sheets = [page["held_out"], *(page["draw"](n, solver).x for n in (4, 9, 19))]
        if solver is solvers[1]:
            sheets[0] = sheets[0][24:]
        for panel, rows, title in zip(row, sheets, titles, strict=True):
            tiles = rows[:24, 0].reshape(3, 8, 8, 8).permute(0, 2, 1, 3).reshape(24, 64)
            panel.imshow(tiles, cmap="gray_r", vmin=-0.9, vmax=1.9)
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
            if solver is solvers[0]:
                panel.set_title(title, fontsize=10, loc="left")
    for row, name in zip(axes, ("DDIM", "DPM++ 2M"), strict=True):
        row[1].set_ylabel(name, fontsize=9)
    figure.savefig(DOCS / "images" / "tutorial-engineer.png", dpi=140)


if __name__ == "__main__":
    for name in sys.argv[1:] or ("scientist", "engineer"):
        {"scientist": scientist, "engineer": engineer}[name]()
