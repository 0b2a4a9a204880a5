"""Measures what docs/DESIGN.md promises: `python -m tools.bench [NAME ...]` prints a table, writes build/bench.json.

Each tools/bench_*.py has `figures()`: rows of {name, value, unit, better, goal, met}.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    names = sys.argv[1:] or sorted(path.stem.removeprefix("bench_") for path in (ROOT / "tools").glob("bench_*.py"))
    rows: list[dict[str, Any]] = []
    print(f"{'name':34}{'value':>12} {'unit':10}{'goal':>12}  met")
    for name in names:
        if not (ROOT / "tools" / f"bench_{name}.py").exists():
            print(f"bench: {name}: no tools/bench_{name}.py", file=sys.stderr)
            return 1
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        for row in importlib.import_module(f"tools.bench_{name}").figures():
            rows.append(row)
            goal = "" if row["goal"] is None else f"{row['goal']:g}"
            met = {True: "yes", False: "NO", None: ""}[row["met"]]
            print(f"{row['name']:34}{row['value']:>12.5g} {row['unit']:10}{goal:>12}  {met}", flush=True)
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "bench.json").write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
