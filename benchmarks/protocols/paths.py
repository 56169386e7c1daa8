"""Where the benchmarks find their inputs and keep their cache, relative to the project's root."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
CACHE = ROOT / ".bench"
