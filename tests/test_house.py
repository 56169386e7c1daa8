"""The rules of the house, each enforced, and each shown to catch what it is there to catch."""

from __future__ import annotations

import inspect
import json
import os
import re
import resource
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

import scorematching as sm
from house import examples, floors, packages, sources
from scorematching.cli.examples import EXAMPLES

TOP = Path(__file__).resolve().parents[1]
TESTS = TOP / "tests"
PACKAGE = TOP / "src" / "scorematching"
BESIDE = ("benchmarks", "scripts", "examples", "docs")
ROOMS = {"": PACKAGE, **{room: TOP / room for room in BESIDE}}

# Tests that mirror no source file, and why there is none.
LISTED = {
    "test_house.py",  # the rules of the house
    "docs/test_pages.py",  # the code in the pages
    "docs/test_site.py",  # the site that Sphinx makes of them
    "benchmarks/test_protocol_digits.py",  # of benchmarks/protocols/, whose files they name
    "benchmarks/test_protocol_metrics.py",
    "benchmarks/test_protocol_tables.py",
}

HEAVY = {"torch", "sklearn", "pandas"}  # what a command may not load to print its help
HELP_SECONDS = 0.5


def write(root: Path, files: dict[str, str]) -> Path:
    """A tree of Python files under root: name without its ending → text."""
    for name, text in files.items():
        path = root / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


# ---------------------------------------------------------------------------------- the floors


def test_imports_run_down_the_floors_only() -> None:
    assert floors.violations(PACKAGE) == []


@pytest.mark.parametrize(
    ("room", "text", "complaint"),
    [
        ("noise", "from scorematching.nets.mlp import MLP", "lies above"),
        ("noise", "def f():\n    import scorematching.samplers", "lies above"),
        ("noise", "from ..fitted import FittedScore", "lies above"),
        ("noise", "from scorematching import training", "lies above"),
        ("noise", "m = importlib.import_module('scorematching.cli.main')", "lies above"),
        ("samplers", "from scorematching.training import loop", "samplers never imports"),
        ("estimation", "from scorematching.nets import mlp", "estimation never imports"),
        ("noise", "from scorematching import esm", "imports esm, which is no room"),
        ("noise", "import scorematching as sm", "imports the index"),
        ("attic", "import torch", "attic: not in the table"),
        ("noise", "from scorematching.densities import mixture", "circle"),
    ],
)
def test_an_import_that_breaks_the_floors_is_named(
    tmp_path: Path, room: str, text: str, complaint: str
) -> None:
    back = "from scorematching.noise import one"
    tree = write(tmp_path, {f"{room}/one": text, "densities/two": back})
    assert any(complaint in line for line in floors.violations(tree))


def test_imports_downwards_and_along_one_floor_are_allowed(tmp_path: Path) -> None:
    tree = write(
        tmp_path,
        {
            "__init__": "from scorematching.cli import main",
            "samplers/walk": "from scorematching.likelihood import flow\n"
            "from scorematching import noise",
            "likelihood/flow": "from .other import f\nfrom ..noise.ve import VE",
        },
    )
    assert floors.violations(tree) == []


# -------------------------------------------------------------------------------- dependencies


def declared() -> dict[str, list[str]]:
    """The requirements of pyproject.toml: "" for the package's own, then each extra's."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {extra: packages.requirement_names(lines) for extra, lines in groups.items()}


def pinned() -> list[str]:
    """The package names of constraints.txt, in its order."""
    return packages.requirement_names((TOP / "constraints.txt").read_text("utf-8").splitlines())


def test_torchvision_is_asked_for_by_nothing() -> None:
    asked = packages.closure("scorematching")
    assert len(asked) > 30  # the walk went below the first level
    assert "torchvision" not in asked, f"asked for by {asked['torchvision']}"
    assert "torchvision" not in pinned()
    assert "torchvision" not in [name for names in declared().values() for name in names]


def fake_distribution(folder: Path, name: str, *metadata: str) -> None:
    info = folder / f"{name}-1.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1", *metadata]
    (info / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_package_behind_an_extra_of_a_dependency_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = 'Requires-Dist: middle[pictures]; extra == "all"'
    fake_distribution(tmp_path, "outer", "Provides-Extra: all", extra)
    hidden = 'Requires-Dist: Torch_Vision >=0.1; extra == "pictures"'
    fake_distribution(tmp_path, "middle", "Provides-Extra: pictures", hidden)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert packages.closure("outer") == {"middle": {"outer"}, "torch-vision": {"middle"}}


def test_every_package_of_the_closure_is_pinned_and_torch_first() -> None:
    # What comes with a CUDA build of torch is pinned by torch itself.
    with_cuda = re.compile(r"(nvidia|cuda|triton)\b")
    needed = {name for name in packages.closure("scorematching") if not with_cuda.match(name)}
    assert needed - {*pinned(), "scorematching"} == set(), "run `make pins`"
    assert pinned()[0] == "torch"


def test_every_import_is_of_a_declared_package() -> None:
    core = {*declared()[""]}
    extras = {name for names in declared().values() for name in names}
    own = {"scorematching", "benchmarks"} | {path.stem for path in TESTS.iterdir()}
    used = packages.undeclared_imports(PACKAGE.rglob("*.py"), core, own)
    used += packages.undeclared_imports(TESTS.rglob("*.py"), extras | {"packaging"}, own)
    used += packages.undeclared_imports((TOP / "examples").glob("*.py"), core, {"scorematching"})
    assert used == []


def test_an_undeclared_import_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"one": "import os, numpy.linalg\nfrom pandas import DataFrame"})
    files = [tmp_path / "one.py"]
    assert packages.undeclared_imports(files, {"numpy"}, set()) == ["one.py:2: pandas"]
    assert packages.undeclared_imports(files, {"numpy", "pandas"}, set()) == []


# ---------------------------------------------------------------------------- the command line


def run(code: str, *path: Path) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that runs code, with path before everything installed."""
    plain = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    environment = os.environ | plain | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )


def help_of(command: list[str], *path: Path) -> tuple[str, set[str]]:
    """What a command prints for --help, and the heavy packages that it loaded to do so."""
    result = run(
        f"import sys, json\nsys.argv = ['scorematching', *{command}, '--help']\n"
        "from scorematching.cli.main import main\n"
        "try:\n    status = main()\nexcept SystemExit as stop:\n    status = stop.code\n"
        "print(json.dumps([status, *sys.modules]), file=sys.stderr)\n",
        *path,
    )
    assert result.returncode == 0, result.stderr
    status, *loaded = json.loads(result.stderr.splitlines()[-1])
    assert not status, result.stdout
    return result.stdout, HEAVY & {*loaded}


def commands() -> list[str]:
    """The subcommands, as the help lists them."""
    return re.findall(r"^│ ([a-z][a-z-]*)(?= )", help_of([])[0], flags=re.MULTILINE)


def test_help_loads_neither_torch_nor_scikit_learn_nor_pandas() -> None:
    found = commands()
    assert {"fit", "sample", "loglik", "demo"} <= {*found}
    for command in [[], *([name] for name in found)]:
        text, heavy = help_of(command)
        assert "Usage" in text
        assert heavy == set(), f"`scorematching {' '.join([*command, '--help'])}` loads {heavy}"


def test_a_help_that_loads_torch_is_caught(tmp_path: Path) -> None:
    text = "import torch\ndef main():\n    print('Usage')"
    write(tmp_path, {"torch": "", "scorematching/__init__": "", "scorematching/cli/main": text})
    assert help_of([], tmp_path) == ("Usage\n", {"torch"})


def cpu_seconds(code: str) -> float:
    """Processor time of a fresh interpreter that runs code: what neighbours do does not count."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = run(code)
    assert result.returncode == 0, result.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_takes_less_than_half_a_second() -> None:
    code = "import sys\nsys.argv[1:] = ['--help']\nfrom scorematching.cli.main import main\nmain()"
    assert min(cpu_seconds(code) for _ in range(5)) < HELP_SECONDS


def test_a_slow_start_is_measured() -> None:
    spin = f"import time\nwhile time.process_time() < {HELP_SECONDS}: pass"
    assert cpu_seconds(spin) > HELP_SECONDS


# -------------------------------------------------------------------------------- source files


def test_no_source_file_uses_global_randomness_or_loads_code() -> None:
    assert list(sources.forbidden_calls(PACKAGE)) == []
    assert list(sources.forbidden_calls(TOP / "examples")) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("import torch\ntorch.manual_seed(0)", "global random state"),
        ("import torch\nz = torch.randn_like(x)", "global random state"),
        ("import torch\nz = torch.randn(3)", "without generator="),
        ("from torch import randperm as order\norder(3)", "without generator="),
        ("z = x.clone().normal_()", "without generator="),
        ("import numpy as np\nnp.random.seed(0)", "global random state"),
        ("import numpy as np\nnp.random.default_rng()", "no seed"),
        ("import random\nrandom.shuffle(x)", "global random state"),
        ("from scipy.stats import norm\nz = norm(0, 1).rvs(3)", "without random_state="),
        ("import torch as t\nt.load(path)", "code from a file"),
        ("from pickle import loads as read\nread(b)", "code from a file"),
        ("eval('1')", "code from a file"),
        ("import numpy as np\nnp.load(path, allow_pickle=flag)", "allows pickle"),
    ],
)
def test_a_forbidden_call_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    found = list(sources.forbidden_calls(write(tmp_path, {"one": text})))
    assert len(found) == 1
    assert complaint in found[0]


def test_seeded_draws_and_evaluation_mode_are_allowed(tmp_path: Path) -> None:
    text = (
        "import torch, numpy as np\nfrom scorematching import random\nfrom torch import nn\n"
        "torch.randn(3, generator=g)\nnet.eval()\nrandom.normal((3,), x)\nz.normal_(generator=g)\n"
        "np.random.default_rng(0)\nnn.init.normal_(w)\nnp.load(path, allow_pickle=False)\n"
    )
    assert list(sources.forbidden_calls(write(tmp_path, {"one": text}))) == []


def test_source_files_are_short_enough_to_hold_in_the_head(tmp_path: Path) -> None:
    assert sources.long_files(PACKAGE) == []
    limit = sources.MAX_LINES
    write(tmp_path, {"short": "\n" * limit, "long": "\n" * (limit + 1)})
    assert sources.long_files(tmp_path) == [f"long.py: {limit + 1} lines"]


def test_no_file_names_a_private_path_or_a_package_host() -> None:
    files = sources.project_files(TOP)
    assert TOP / "pyproject.toml" in files
    assert sources.private_mentions(files) == []


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("see /" + "work/notes.md", 1),
        ("cd /" + "home/me", 1),
        ("pip install -i https://" + "pypi" + ".org/simple", 1),
        ("../shared/data, src/root/x, https://a.example/" + "work/x", 0),
    ],
)
def test_a_private_path_is_caught_and_a_relative_one_is_not(
    tmp_path: Path, text: str, hits: int
) -> None:
    (tmp_path / "notes.md").write_text(text, encoding="utf-8")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    assert len(sources.private_mentions(sorted(tmp_path.iterdir()))) == hits


def test_every_test_file_mirrors_a_source_file() -> None:
    assert sources.unmirrored(TESTS, ROOMS, LISTED) == []
    assert [name for name in LISTED if not (TESTS / name).is_file()] == []


def test_a_stray_test_file_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "src", {"noise/ve": "", "walk": ""})
    mirrors = ["noise/test_ve", "noise/test_ve_limits", "test_noise", "test_walk"]
    tests = write(tmp_path / "tests", dict.fromkeys([*mirrors, "nets/test_ve", "test_attic"], ""))
    assert sources.unmirrored(tests, {"": source}, set()) == ["nets/test_ve.py", "test_attic.py"]
    assert sources.unmirrored(tests, {"": source}, {"nets/test_ve.py", "test_attic.py"}) == []


# ------------------------------------------------------------------------------------ examples


def test_the_examples_are_short_and_use_public_names_only() -> None:
    scripts = sorted((TOP / "examples").glob("*.py"))
    assert scripts
    assert [fault for script in scripts for fault in examples.breaches(script)] == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("#\n" * 80, "expected at most 80"),
        ("def draw(): ...", "no function compute"),
        ("def compute(quick): ...", "compute takes ['quick']"),
        ("from scorematching.calculus import Exact", "imports from the package"),
        ("import scorematching.noise", "imports scorematching.noise"),
        ("sm.calculus", "sm.calculus is no public name"),
        ("sm.families.triangles.symmetric()", "sm.families.triangles is no public name"),
        ("model._parts", "_parts is private"),
    ],
)
def test_an_example_that_breaks_a_rule_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    good = '"""Title."""\nimport scorematching as sm\nsm.ism\nsm.noise.VE\nsm.Exact().of\n'
    good += "r._asdict()\ndef draw(r): ...\n"
    compute = "" if "def" in line else "def compute(quick=False, seed=0): ...\n"
    write(tmp_path, {"one": good + "def compute(quick=False, seed=0): ..."})
    assert list(examples.breaches(tmp_path / "one.py")) == []
    write(tmp_path, {"one": f"{good}{compute}{line}"})
    assert any(complaint in fault for fault in examples.breaches(tmp_path / "one.py"))


def test_every_example_has_its_demo_page_picture_and_test() -> None:
    assert list(examples.missing(TOP, EXAMPLES)) == []


def test_what_an_example_lacks_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"examples/one": ""})
    found = "\n".join(examples.missing(tmp_path, {"two"}))
    for words in (
        "two: in the table of demos, and no script",
        "one: not in the table of demos",
        "one: no docs/examples/one.md",
        "one: no docs/images/examples/one.png",
        "one: no tests/examples/test_one.py",
        "one: no '](one.md)' in docs/examples/index.md",
    ):
        assert words in found
    for path, text in {
        "docs/examples/one.md": "no picture",
        "docs/images/examples/one.png": " " * (examples.MAX_BYTES + 1),
    }.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    found = "\n".join(examples.missing(tmp_path, {"one"}))
    assert "one.png: 400,001 bytes" in found
    assert "one.md: does not show" in found


# -------------------------------------------------------------------------------- public names


def undocumented(names: dict[str, object]) -> list[str]:
    """Names without a docstring of their own: a dataclass that has none makes one up."""
    found = []
    for name, value in names.items():
        own = getattr(value, "__doc__", None) if inspect.isclass(value) else inspect.getdoc(value)
        made_up = inspect.isclass(value) and (own or "").startswith(f"{value.__name__}(")
        if not (own or "").strip() or made_up:
            found.append(name)
    return found


def test_every_public_name_resolves_and_has_a_docstring() -> None:
    public = [name for name in sm.__all__ if not name.startswith("__")]
    assert len(public) == len({*public}) > 0
    assert {*public} <= {*dir(sm)}
    assert undocumented({name: getattr(sm, name) for name in public}) == []
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(sm, "no_such_name")  # noqa: B009  (a plain attribute would not pass the type check)


def test_a_missing_docstring_is_named() -> None:
    @dataclass
    class Bare:
        x: int

    @dataclass
    class Written:
        """A class with a sentence."""

        x: int

    assert undocumented({"bare": Bare, "written": Written, "f": lambda: 0, "run": run}) == [
        "bare",
        "f",
    ]


def loaded_by_import(*path: Path) -> set[str]:
    """The heavy packages that `import scorematching` loads."""
    result = run("import scorematching, sys\nprint(*sys.modules)", *path)
    assert result.returncode == 0, result.stderr
    return HEAVY & {*result.stdout.split()}


def test_public_names_are_resolved_lazily(tmp_path: Path) -> None:
    assert loaded_by_import() == set()
    eager = write(tmp_path, {"torch": "", "scorematching/__init__": "import torch"})
    assert loaded_by_import(eager) == {"torch"}
