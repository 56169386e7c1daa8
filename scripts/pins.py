"""Print the pins of this environment, for constraints.txt (`make pins`).

Only what the project's own requirements lead to, extras included, is pinned: a package that
happens to be installed as well stays out. torch comes first, because the Makefile installs it
before anything else, and without its local build tag, so that any build of that version fits.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = "scorematching"
HEADER = """\
# The exact versions that development and CI use; `make pins` rewrites this file.
# torch first: installed alone before the rest, so that nothing else chooses its build.
"""


def closure(root: str) -> dict[str, str]:
    """Name → version of every installed distribution that root, with all extras, leads to."""
    versions: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    stack = [
        (root, extra)
        for extra in ["", *(distribution(root).metadata.get_all("Provides-Extra") or [])]
    ]
    while stack:
        name, extra = stack.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # a requirement of another platform
        versions[name] = found.version
        for line in found.requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                required = canonicalize_name(requirement.name)
                stack += [(required, wanted) for wanted in ["", *requirement.extras]]
    del versions[root]
    return versions


def main() -> None:
    """Write the pins to standard output."""
    versions = closure(PROJECT)
    torch = Version(versions.pop("torch")).public
    print(HEADER + f"torch=={torch}")
    for name in sorted(versions):
        print(f"{name}=={Version(versions[name]).public}")


if __name__ == "__main__":
    main()
