"""Benchmark of the prompts: a year in every IANA time zone on the VM, against an auditor's times and zoneinfo.

A watch in each zone asks through 2027, with the zone's POSIX rule, as a watch is set up; zones of one rule share a run.
Each log is then judged by names: the due times an auditor computes, missed, doubled, or outside the waking window by
the zone's own table. Where a table has changes that its rule has not (law that changes in the year), the watch keeps
the rule until it is given another: those zones are judged by their rule, and counted.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tools import vm, zones
from tools.due_times import due_times

YEAR = 2027
SECRET = bytes(range(32))
WAKING, COUNT, SPACING_S, ANSWER_S, REMINDER_S, TRIES = (420, 1320), 5, 3600, 900, 300, 3
FIRMWARE = Path(__file__).resolve().parent.parent / "firmware"

SCRIPT = """
import json, sys
sys.path.append({firmware!r})
from muster.prompts import ASK, LAPSED, Prompts, Schedule
from muster.timezone import Zone

def year(text, first_day, days):
    schedule = Schedule({secret!r}, Zone(text), *{schedule!r})
    prompts = Prompts(schedule, *{answering!r})
    boot_s = now_s = schedule.zone.utc_s(first_day, 0)
    end_s = schedule.zone.utc_s(first_day + days, 0)
    asked = []
    while now_s < end_s:
        event = prompts.poll(now_s, now_s - boot_s)
        if event is None:
            now_s = prompts.next_wake_s()
        elif event.mark:
            prompts.apply(event.mark)
            if event.kind == ASK:
                asked.append(now_s)
                if len(asked) % 2:
                    prompts.apply(prompts.conclude(event.day, event.k))
    return asked

with open({inputs!r}) as file:
    rules, first_day, days = json.load(file)
with open({outputs!r}, "w") as file:
    for text in rules:
        file.write(json.dumps(year(text, first_day, days)) + "\\n")
"""


def asked_by_rule(rules: list[str], first: date, days: int, bits: int = 64) -> dict[str, list[int]]:
    """When the watch asked in those days, unix seconds, by POSIX rule."""
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs, main = (Path(folder) / name for name in ("inputs.json", "outputs.jsonl", "main.py"))
        inputs.write_text(json.dumps([rules, (first - date(1970, 1, 1)).days, days]))
        main.write_text(SCRIPT.format(firmware=str(FIRMWARE), secret=SECRET, schedule=(*WAKING, COUNT, SPACING_S),
                                      answering=(ANSWER_S, REMINDER_S, TRIES), inputs=str(inputs),
                                      outputs=str(outputs)))
        subprocess.run([vm.find(bits), main], timeout=600, check=True)
        return dict(zip(rules, map(json.loads, outputs.read_text().splitlines()), strict=True))


def faults(asked: list[int], zone: ZoneInfo, first: date, days: int) -> int:
    """Prompts missed, doubled, unexpected, or asked outside the waking window."""
    expected = [due for n in range(days) for due in due_times(SECRET, first + timedelta(days=n), zone, WAKING, COUNT,
                                                              SPACING_S)]
    missed, unexpected = set(expected) - set(asked), set(asked) - set(expected)
    outside = [unix_s for unix_s in asked if not WAKING[0] <= _minute(unix_s, zone) < WAKING[1]]
    return len(missed) + len(unexpected) + len(asked) - len(set(asked)) + len(outside)


def figures() -> list[dict]:
    first, days = date(YEAR, 1, 1), 365
    alike: dict[tuple, list[str]] = {}  # names of the zones that have one rule and one table this year
    for name in zones.names():
        alike.setdefault((zones.posix(name), *_offsets(zones.zone(name))), []).append(name)
    asked = asked_by_rule(sorted({rule for rule, *_ in alike}), first, days)
    count = out_of_rule = 0
    for (rule, *offsets), names in alike.items():
        zone = zones.zone(names[0])
        if offsets != _offsets(zones.zone_of(rule)):
            zone = zones.zone_of(rule)
            out_of_rule += len(names)
        count += len(names) * faults(asked[rule], zone, first, days)
    total = len(zones.names())
    return [
        {"name": "schedule.faults", "value": count, "unit": f"prompts of a year in {total} zones",
         "better": "lower", "goal": 0, "met": count == 0},
        {"name": "schedule.zones_out_of_rule", "value": out_of_rule, "unit": f"zones of {total}",
         "better": "lower", "goal": None, "met": True},
    ]


def _minute(unix_s: int, zone: ZoneInfo) -> int:
    local = datetime.fromtimestamp(unix_s, zone)
    return local.hour * 60 + local.minute


def _offsets(zone: ZoneInfo) -> list[timedelta | None]:
    start = int(datetime(YEAR, 1, 1, tzinfo=UTC).timestamp())
    return [datetime.fromtimestamp(unix_s, zone).utcoffset() for unix_s in range(start, start + 366 * 86400, 10800)]


if __name__ == "__main__":
    print(json.dumps(figures(), indent=1))
