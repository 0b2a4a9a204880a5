"""A small fleet for a day: is a record lost, how many watches live in a second, and what 2,809 would take here."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WATCHES, WHOLE = 24, 2809


def figures() -> list[dict[str, Any]]:
    """Of the whole command, start-up and table included; fleet.cpu_s is of the VM and its world, of one watch's day."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "fleet.json"
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "simulator", "fleet", "--watches", str(WATCHES), "--out", folder,
                        "--json", table], check=True, capture_output=True)
        wall_s = time.perf_counter() - started
        found = json.loads(table.read_text())
    pace = WATCHES / wall_s

    def row(name: str, value: float, unit: str, better: str, goal: float | None = None) -> dict[str, Any]:
        return {"name": name, "value": value, "unit": unit, "better": better, "goal": goal,
                "met": None if goal is None else value <= goal}

    return [row("fleet.lost", found["lost"], "records", "less", 0),
            row("fleet.watch_days_per_s", pace, "1/s", "more"),
            row("fleet.cpu_s_per_watch_day", found["cpu_s"] / WATCHES, "s", "less"),
            row(f"fleet.hours_of_{WHOLE}", WHOLE / pace / 3600, "h", "less")]
