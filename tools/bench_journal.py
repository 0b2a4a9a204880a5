"""Benchmark of the journal on the real VM: what power cuts lose, flash wear of a busy day, time to mount a full one.

The busy day: 14 hours under way with a fix each 20 s, five check-ins with their marks, a status each hour, four clocks
set, three tunnels; an upload each hour and after each check-in. Forty such days go around the ring of 1 MiB.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tools import vm
from tools.journal_check import IDENTITY, SCENARIO, losses

TOOLS = Path(__file__).resolve().parent
SETUP = f"""
import json, sys, time
sys.path += [{str(TOOLS.parent / "firmware")!r}, {str(TOOLS)!r}]
import journal_lives
from journal_lives import Flash, Journal, Keys, Segments
who = journal_lives.identity(*{IDENTITY!r})
"""
CUTS = SETUP + f"""
inboxes, life = journal_lives.cut_everywhere(who, 8, {SCENARIO!r}, journal_lives.MODES)
with open(sys.argv[1], "w") as file:
    json.dump(inboxes.result(), file)
"""
DAYS = SETUP + """
from muster import records

class Result:
    outcome, reason, tries, score_e4, needs_person, flaws = 0, 0, 1, 9310, False, []
    class quality:
        brightness, contrast, glare_pm, sharpness_pm, eyes_px, yaw, pitch = 120, 48, 3, 210, 31, -4, 2

HASH = bytes(range(200, 208))
journal = Journal(Flash(256))
uptime_s = 0
segments = Segments(journal, who, Keys.random, lambda: uptime_s * 1000)

def append(record, mark=b""):
    segments.append(record, 1780000000 + uptime_s, 98, mark)

def upload():
    segments.close()
    for closed in list(segments.closed):
        segments.receipted(closed.number)

for day in range(40):
    fixes = []
    for uptime_s in range(day * 86400, (day + 1) * 86400, 20):
        second = uptime_s % 86400
        if 25200 <= second < 75600:
            fixes.append((uptime_s, 4605690 + uptime_s % 977, -1450580 + uptime_s % 1013, 9 + uptime_s % 7))
            if len(fixes) == records.TRACK_BATCH:
                append(records.track(fixes, uptime_s))
                fixes = []
        if second % 3600 == 0:
            append(records.status(3900, 8000000, segments.free_sectors, 0))
            upload()
        if second in (30000, 40000, 50000, 60000, 70000):
            for mark in range(2):
                segments.keep(bytes([112] + [mark] * 11), 0)
            append(records.checkin(20600 + day, 2, 1780000000, 1780000030, Result, 4100, HASH,
                                   [46056900, -14505800, 7]), bytes(12))
            upload()
        if second in (0, 20000, 36000, 54000):
            append(records.clock(3, 1780000000123 + uptime_s * 1000, 1780000000999 + uptime_s * 1000))
        if second in (28000, 46000, 73000):
            append(records.no_fix(uptime_s - 600, uptime_s - 20, 2, uptime_s))

segments.close()
erases, written, free = journal.erases, segments.written, segments.free_sectors
start_ms = time.ticks_ms()
journal = Journal(journal._flash)
mounted_ms = time.ticks_ms()
Segments(journal, who, Keys.random, lambda: 0)
print(json.dumps([erases, written, mounted_ms - start_ms, time.ticks_ms() - mounted_ms]))
"""


def figures() -> list[dict[str, Any]]:
    """journal.lost: records lost or doubled over all lives. journal.erases_per_record: of all records of the days.
    journal.boot_ms: to mount 1 MiB of frames and find out what waits."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "lives.json"
        _run(Path(folder), CUTS, str(out))
        result = json.loads(out.read_text())
        lost = sum(len(missing) + len(more) for _, missing, more in losses(result))
        erases, written, mount_ms, recover_ms = json.loads(_run(Path(folder), DAYS))
    return [_row("journal.lost", lost, "records", 0, lost == 0),
            _row("journal.cuts", len(result["lives"]) - 1, "cuts", None, None) | {"better": "higher"},
            _row("journal.erases_per_record", erases / written, "erases", 0.02, erases / written < 0.02),
            _row("journal.boot_ms", mount_ms + recover_ms, "ms", None, None)]


def _row(name: str, value: float, unit: str, goal: float | None, met: bool | None) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "better": "lower", "goal": goal, "met": met}


def _run(folder: Path, script: str, *arguments: str) -> str:
    main = folder / "main.py"
    main.write_text(script)
    command = [vm.find(64), "-X", "heapsize=64M", main, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
