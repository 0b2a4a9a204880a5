"""A simulated day against real time, where its time goes, how long a cell lasts, and the memory of the firmware."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from simulator import scenario
from simulator.day import firmware_files
from tools.day_profile import profile
from tools.sizes import heap

# The receiver never rests, which no cell of 500 mAh bears for a day.
ALL_DAY_1_HZ = ["settings.fix_still_s=1", "power.capacity_mah=5000"]


def figures() -> list[dict[str, Any]]:
    """day.wall_s (the whole command, report included) and day.realtime_ratio, with GNSS at 1 Hz, on the 64-bit VM, and
    where that day's time goes; day.shipped_wall_s and power.days_500mah of the day as it is shipped; firmware.heap_kb
    on the 32-bit VM, nearest to the chip."""
    day = scenario.load("day", ALL_DAY_1_HZ)
    with tempfile.TemporaryDirectory() as folder:
        _run(folder, "--until", "00:10")  # the flash image is made before the clock starts
        shipped_s = _run(folder)
        days = json.loads((Path(folder) / "summary.json").read_text())["power"]["life_h_500mah"] / 24
        wall_s = _run(folder, *(word for change in ALL_DAY_1_HZ for word in ("--set", change)))
        spent_s = profile(day, Path(folder) / "profile")
    used_kb = heap(firmware_files())[0] / 1024
    return [
        {"name": "day.wall_s", "value": wall_s, "unit": "s", "better": "less", "goal": 10, "met": wall_s < 10},
        {"name": "day.realtime_ratio", "value": day.hours * 3600 / wall_s, "unit": "x", "better": "more",
         "goal": None, "met": None},
        *({"name": f"day.where.{name.replace(' ', '_').replace('-', '')}_s", "value": seconds, "unit": "s",
           "better": "less", "goal": None, "met": None} for name, seconds in spent_s.items()),
        {"name": "day.shipped_wall_s", "value": shipped_s, "unit": "s", "better": "less", "goal": 10,
         "met": shipped_s < 10},
        {"name": "power.days_500mah", "value": days, "unit": "days", "better": "more", "goal": 1, "met": days >= 1},
        {"name": "firmware.heap_kb", "value": used_kb, "unit": "KB", "better": "less", "goal": 200,
         "met": used_kb < 200},
    ]


def _run(folder: str, *options: str) -> float:
    """Seconds of the whole command; a day that is not as it expects counts too, for 1 Hz all day costs its battery."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "simulator", "run", "--out", folder, *options], capture_output=True)
    if done.returncode not in (0, 1):
        done.check_returncode()
    return time.perf_counter() - started
