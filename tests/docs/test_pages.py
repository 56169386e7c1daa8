"""The code of the pages runs, prints what the pages say, and its commands parse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.datasets import load_digits

import scorematching as sm
from docs.pages import TOP, blocks, commands, difference, pages, printed, python
from fits import merged
from scorematching.cli import main as cli

PAGES = {str(page.relative_to(TOP)): page for page in pages()}
RUNNABLE = [name for name, page in PAGES.items() if python(page)]
#: Pages that train for minutes; their figures depend on the machine's rounding.
TRAINED = {name: 0.1 for name in RUNNABLE if any("sm.fit(" in b.text for b in python(PAGES[name]))}
EXACT = 2e-3
SMALL = {
    "net": {"type": "ResidualMLP", "width": 8, "n_blocks": 1},
    "training": {"n_members": 1},
    "sampling": {"n_evaluations": 4},
    "likelihood": {"n_steps": 4},
}


def _rows_file(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 3))
    columns = {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "kind": list("ab") * 200}
    pq.write_table(pa.table(columns), folder / "rows.parquet", row_group_size=100)
    return {"x": x}


def _normal(mean: float) -> Callable[..., torch.Tensor]:
    """The score of N(mean, I), and the noisy one where a level is given."""

    def score(x: torch.Tensor, t: torch.Tensor | float = 0.0) -> torch.Tensor:
        variance = 1 + torch.as_tensor(t, dtype=x.dtype).reshape(-1, 1) ** 2
        return (mean - x) / variance

    return score


def _two_scores(_: Path) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(200, 2, generator=generator, dtype=torch.float64)
    scores = {"score_p": _normal(0.0), "score_q": _normal(0.5)}
    return {"sm": sm, "rows": rows, "generator": generator, **scores}


def _measured(_: Path) -> dict[str, Any]:
    y = torch.tensor([[1.0], [-0.5]], dtype=torch.float64)
    parts = {"A": torch.ones(1, 2, dtype=torch.float64), "y": y, "start": y.expand(2, 2)}
    return {"sm": sm, "noisy_score": _normal(0.0), "process": sm.noise.EDM(0.05, 20.0), **parts}


def _digit_images(folder: Path) -> dict[str, Any]:
    digits = load_digits()
    np.save(folder / "digits.npy", digits.images[:60])
    return {"classes": digits.target[:60]}


#: What a page takes for granted, as a reader would have it: made before its blocks are run.
GIVEN: dict[str, Callable[[Path], dict[str, Any]]] = {
    "docs/images.md": _digit_images,
    "docs/large.md": _rows_file,
    "docs/information.md": _two_scores,
    "docs/inverse.md": _measured,
}

#: What a page that trains by itself runs at small settings: its own words, and others.
FEWER: dict[str, dict[str, str]] = {
    "docs/tutorials/engineer.md": {
        "range(500)": "range(5)",
        "(4, 9, 19)": "(2, 3, 4)",
        "n_steps=16": "n_steps=2",
        "held_out[:100]": "held_out[:10]",
    }
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sm.fit` with a tiny network for a few steps, whatever it is asked for."""
    real = sm.fit

    def fit(x: Any, **options: Any) -> Any:
        options |= {"max_steps": 4, "time_limit": None, "quiet": True}
        wanted = SMALL
        if options.get("net") is not None:
            wanted = {name: value for name, value in SMALL.items() if name != "net"}
        given = options.get("configuration") or {}
        asked = {name: value for name, value in given.items() if name != "net"}
        training = {k: v for k, v in asked.get("training", {}).items() if k != "max_steps"}
        options["configuration"] = merged({**asked, "training": training}, wanted)
        return real(x, **options)

    monkeypatch.setattr(sm, "fit", fit)


def _run(
    name: str, folder: Path, instead: dict[str, str] | None = None
) -> list[tuple[int, str, str]]:
    """Run a page: the line of each block that shows its output, that output, and the real one."""
    for words in instead or {}:
        assert words in PAGES[name].read_text(encoding="utf-8"), words
    given = GIVEN.get(name, lambda _: {})(folder)
    shown = printed(PAGES[name], given, instead)
    return [(block.line, block.output, out) for block, out in shown if block.output is not None]


@pytest.mark.parametrize("name", [name for name in RUNNABLE if name not in TRAINED])
def test_a_page_prints_what_it_says(place: Path, name: str) -> None:
    for line, said, got in _run(name, place):
        assert difference(said, got, EXACT) is None, f"{name}:{line}"


@pytest.mark.parametrize("name", sorted(TRAINED))
def test_a_page_that_trains_runs_at_small_settings(small: None, place: Path, name: str) -> None:
    for line, said, got in _run(name, place, FEWER.get(name)):
        assert len(said.splitlines()) == len(got.strip().splitlines()), f"{name}:{line}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", sorted(n for n in TRAINED if any(b.output for b in python(PAGES[n])))
)
def test_a_page_that_trains_prints_about_what_it_says(place: Path, name: str) -> None:
    for line, said, got in _run(name, place):
        assert difference(said, got, TRAINED[name]) is None, f"{name}:{line}"


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if any(commands(page))])
def test_the_commands_of_a_page_parse(name: str) -> None:
    app = cli.get_command(cli.app)
    for line, words in commands(PAGES[name]):
        if "--help" in words or "COMMAND" in words:
            continue
        command = app.commands[words[1]]  # type: ignore[attr-defined]
        context = command.make_context(words[1], words[2:], obj=cli.Session())
        assert context.params, f"{name}:{line}"


PAGE = """# Title

```python
x = 1
```

```python
print("x is", x + 1.04, "and not -1e-3")
```

```text
x is 2.04 and not -1e-3
```

<!-- not run: it needs a card -->

```python
raise ValueError
```

```sh
scorematching fit builtin:wine \\
  --out runs/wine  # a comment
ls
```
"""


def test_blocks_their_output_and_commands_are_read(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert [b.language for b in blocks(PAGE)] == ["python", "python", "python", "sh"]
    assert [b.skipped for b in blocks(PAGE)] == [None, None, "it needs a card", None]
    assert [words for _, words in commands(page)] == [
        ["scorematching", "fit", "builtin:wine", "--out", "runs/wine"]
    ]
    (_, first), (block, second) = printed(page)
    assert first == ""
    assert block.output is not None
    assert difference(block.output, second, EXACT) is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("x is 2.14", "'x is 2.04'"),
        ("y is 2.04", "'x is 2.04'"),
        ("x is -2.04", "prints"),
        ("x is 2.04\nand more", "2 lines"),
    ],
)
def test_a_page_that_says_something_else_is_told_apart(said: str, words: str) -> None:
    assert words in str(difference(said, "x is 2.04\n", EXACT))
    assert difference("x is 2.05", "x is 2.04", EXACT) is None  # the last digit may be rounded
    assert difference("x is 2.04", "x is 2.14", 0.1) is None


def test_a_block_that_fails_names_its_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n```python\nx = 1\nx / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as raised:
        list(printed(page))
    assert raised.traceback[-1].lineno + 1 == 5
