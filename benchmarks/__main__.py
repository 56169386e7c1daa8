"""All measurements behind RESULTS.md, one after the other: about three hours on one idle core.

python -m benchmarks
"""

from __future__ import annotations

from benchmarks import (
    coverage,
    digits,
    digits_labelled,
    mnist,
    resume,
    shapes,
    solvers,
    tables,
    tables_c2st,
)


def main() -> None:
    """Run every benchmark at its defaults; each prints a markdown table."""
    benchmarks = (
        resume.main,
        solvers.main,
        coverage.main,
        tables.main,
        tables_c2st.main,
        digits.main,
        digits_labelled.main,
        mnist.main,
        shapes.main,
    )
    for benchmark in benchmarks:
        benchmark()
        print()


if __name__ == "__main__":
    main()
