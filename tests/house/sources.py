"""What a source file must not do, read off its text."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

MAX_LINES = 300

# Loading any of these can run code that the file's author wrote.
UNSAFE = re.compile(
    r"(torch\.(jit\.)?load|joblib\.load|(pickle|_pickle|cloudpickle|dill|marshal|shelve)\.\w+"
    r"|eval|exec|__import__)$"
)
# Reads or changes the state that the whole process shares.
GLOBAL_STATE = re.compile(
    r"(torch\.(random\.)?(manual_seed|seed|set_rng_state)|torch\.cuda\.(manual_seed|seed)(_all)?"
    r"|torch\.(randn|rand|randint)_like"
    r"|numpy\.random\.(?!(default_rng|Generator|SeedSequence|PCG64|Philox)$)\w+"
    r"|random\.(?!(Random|SystemRandom)$)\w+)$"
)
# Draws from that state unless told otherwise, by the keyword (or the seed) given here.
NEEDS = {
    "generator": re.compile(
        r"(torch\.(randn|rand|randint|randperm|multinomial|bernoulli|normal|poisson)"
        r"|torch\.utils\.data\.(RandomSampler|random_split)"
        r"|\?\..*(normal|uniform|exponential|bernoulli|random|cauchy|geometric|log_normal)_"
        r"|\?\..*(multinomial|bernoulli))$"
    ),
    "random_state": re.compile(r"\?\..*rvs$"),
}
# The one file that may: it puts the shared state back.
EXEMPT = {"random.py": {"torch.random.set_rng_state", "torch.cuda.manual_seed_all"}}

# Written so that the patterns do not match themselves.
PRIVATE = re.compile(
    r"(?<![\w.])/(wor[k]|roo[t]|hom[e]|User[s])/\w"
    r"|pyp[i]\.org|pythonhoste[d]|download\.pytorc[h]|registry\.npm[j]s|deb\.debi[a]n|conda\.anacond[a]"
)


def _names(tree: ast.Module) -> dict[str, str]:
    """Local name → the dotted name it was imported as."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.split(".")[0]
                names[local] = alias.name if alias.asname else local
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            for alias in node.names:
                names[alias.asname or alias.name] = f"{'.' * node.level}{module}.{alias.name}"
    return names


def _called(node: ast.Call, names: dict[str, str]) -> str:
    """The full dotted name of what is called; ``?.name`` for a method of a local object."""
    parts: list[str] = []
    function: ast.expr = node.func
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    if isinstance(function, ast.Name):
        known = names.get(function.id)
        parts.append(known or (function.id if not parts else "?"))
    else:
        parts.append("?")
    return ".".join(reversed(parts))


def forbidden_calls(root: Path) -> Iterator[str]:
    """Calls that run a file's code, or draw without a generator, under the folder root."""
    for file in sorted(root.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = _names(tree)
        exempt = EXEMPT.get(file.relative_to(root).as_posix(), set())
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            call = _called(node, names)
            where = f"{file.relative_to(root).as_posix()}:{node.lineno}: {call}"
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            if call in exempt:
                continue
            if UNSAFE.match(call):
                yield f"{where} may run code from a file"
            if GLOBAL_STATE.match(call):
                yield f"{where} uses the global random state"
            for keyword, needing in NEEDS.items():
                if needing.match(call) and keyword not in given:
                    yield f"{where} draws without {keyword}="
            if call == "numpy.random.default_rng" and not (node.args or node.keywords):
                yield f"{where} has no seed"
            pickled = given.get("allow_pickle")
            if pickled is not None and ast.unparse(pickled) != "False":
                yield f"{where} allows pickle"


def long_files(root: Path) -> list[str]:
    """Source files under root that are too long to hold in the head."""
    counted = ((file, len(file.read_text("utf-8").splitlines())) for file in root.rglob("*.py"))
    return sorted(f"{file.relative_to(root)}: {n} lines" for file, n in counted if n > MAX_LINES)


def project_files(top: Path) -> list[Path]:
    """The files that git tracks or would track under top."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=top,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return [top / name for name in listing.split("\0") if name and (top / name).is_file()]


def private_mentions(files: list[Path]) -> list[str]:
    """Where a text file names a path of someone's machine or the host of a package index."""
    found: list[str] = []
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture or an array
        for number, line in enumerate(lines, 1):
            if hit := PRIVATE.search(line):
                found.append(f"{file}:{number}: {hit[0]}")
    return found


def unmirrored(tests: Path, rooms: dict[str, Path], listed: set[str]) -> list[str]:
    """Test files that stand where no source file of their name stands.

    ``tests/noise/test_ve.py`` and ``test_ve_limits.py`` mirror ``noise/ve.py``; a test of a whole
    room, ``tests/test_noise.py``, mirrors the folder. rooms maps a folder under tests to the source
    tree it mirrors, "" to the package; listed names the tests that mirror nothing.
    """
    found: list[str] = []
    for test in sorted(tests.rglob("test_*.py")):
        inside = test.relative_to(tests)
        head = inside.parts[0] if inside.parts[0] in rooms else ""
        folder = rooms[head].joinpath(*inside.parts[bool(head) : -1])
        words = test.stem.removeprefix("test_").split("_")
        stems = ["_".join(words[:k]) for k in range(1, len(words) + 1)]
        mirrored = any((folder / f"{s}.py").is_file() or (folder / s).is_dir() for s in stems)
        if not mirrored and inside.as_posix() not in listed:
            found.append(inside.as_posix())
    return found
