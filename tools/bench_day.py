"""A simulated day against real time, and the memory that the firmware takes."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from simulator import scenario
from simulator.day import begin
from simulator.watch import Watch

EMPTY = b"""
import asyncio, gc
async def main():
    gc.collect()
    print(gc.mem_alloc(), "used")
    await asyncio.sleep(3600)
asyncio.run(main())
"""


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
        used_kb = (_heap(Path(folder)) - _empty_heap(Path(folder))) / 1024
    return [
        {"name": "day.wall_s", "value": wall_s, "unit": "s", "better": "less", "goal": 10, "met": wall_s < 10},
        {"name": "day.realtime_ratio", "value": day.hours * 3600 / wall_s, "unit": "x", "better": "more",
         "goal": None, "met": None},
        {"name": "firmware.heap_kb", "value": used_kb, "unit": "KB", "better": "less", "goal": 200,
         "met": used_kb < 200},
    ]


def _heap(folder: Path) -> int:
    """Bytes in use with the whole firmware running, the emulated modules included."""
    with begin(scenario.load("day"), folder / "heap", bits=32) as begun:
        begun.watch.run(until_s=120)
        return _used(begun.watch.console("status"))


def _empty_heap(folder: Path) -> int:
    """Bytes that the emulated modules and asyncio take by themselves."""
    watch = Watch({"main.py": EMPTY}, folder / "empty", start_unix_s=0, bits=32)
    watch.run(until_s=1)
    watch.close()
    return _used(watch.console_output.decode())


def _used(text: str) -> int:
    found = re.search(r"(\d+) used", text)
    assert found, text
    return int(found[1])
