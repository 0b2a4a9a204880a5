"""A simulated day against real time, and the memory that the firmware takes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from typing import Any

from simulator import scenario
from simulator.day import firmware_files
from tools.sizes import heap


def figures() -> list[dict[str, Any]]:
    """day.wall_s (the whole command, report included) and day.realtime_ratio, on the 64-bit VM; firmware.heap_kb on the
    32-bit one, nearest to the chip."""
    day = scenario.load("day")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "simulator", "run", "--out", folder]
        subprocess.run(command, check=True, capture_output=True)  # the flash image is made before the clock starts
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        wall_s = time.perf_counter() - started
    used_kb = heap(firmware_files())[0] / 1024
    return [
        {"name": "day.wall_s", "value": wall_s, "unit": "s", "better": "less", "goal": 10, "met": wall_s < 10},
        {"name": "day.realtime_ratio", "value": day.hours * 3600 / wall_s, "unit": "x", "better": "more",
         "goal": None, "met": None},
        {"name": "firmware.heap_kb", "value": used_kb, "unit": "KB", "better": "less", "goal": 200,
         "met": used_kb < 200},
    ]
