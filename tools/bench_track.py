"""Benchmark of the kept track: its error against the truth and its size, through the firmware on the real VM, whose
receiver rests as a watch's does.

Routes: a day in a town by foot and bus, and the shared GPX track where it is there; the receiver's noise is the
simulator's. The error is that of the straight line in space and time between kept fixes, each second outside no-fix.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from simulator.devices.gnss import METRES_PER_DEGREE, Gnss
from simulator.route import Route, from_gpx, from_waypoints
from tools import vm

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = """
import gc, json, sys
sys.path.append({firmware!r})
from muster import records
from muster.cose import cbor
from muster.duty import Duty
from muster.gnss import Parser
from muster.track import RESTING, Track

gc.threshold(65536)
START_S = 2  # from waking to the first fix: a hot start
parser, track, duty, on_s = Parser(), Track(0), Duty(1, 60), 0
events, batch, size, now_s = [], [], 0, 0
with open({stream!r}, "rb") as stream:
    while True:
        head = stream.read(2)
        if not head:
            break
        now_s += 1
        data = stream.read(head[0] | head[1] << 8)
        found = []
        if now_s > on_s:
            for fix in parser.feed(data):
                found += track.add(fix, now_s)
            found += track.tick(now_s)
            rest_s = duty.rest_s(now_s, bool(track.last and track.last[0] == now_s), track.settled)
            if rest_s:
                duty.begin(now_s + rest_s)
                on_s = now_s + rest_s + START_S
        else:
            found += track.tick(now_s, RESTING)
        for event in found:
            events.append(event)
            if event[0] == "fix":
                batch.append(event[1:])
                if len(batch) == records.TRACK_BATCH:
                    kind, *body = records.track(batch, now_s)
                    size += len(cbor.dumps([kind, now_s, 0xff] + body))
                    batch = []
print(json.dumps([events, size]))
"""
TOWN = (("07:40", 46.0512, 14.5060), ("07:44", 46.0530, 14.5042), ("07:47", 46.0551, 14.5055),
        ("07:52", 46.0553, 14.5060), ("08:02", 46.0702, 14.4901), ("08:09", 46.0811, 14.4712),
        ("08:15", 46.0818, 14.4722), ("12:00", 46.0818, 14.4722), ("12:06", 46.0829, 14.4751),
        ("12:35", 46.0829, 14.4752), ("12:42", 46.0818, 14.4722), ("16:30", 46.0818, 14.4722),
        ("16:36", 46.0811, 14.4712), ("16:50", 46.0702, 14.4901), ("16:58", 46.0560, 14.5055),
        ("17:20", 46.0569, 14.5110), ("17:26", 46.0566, 14.5130), ("17:33", 46.0512, 14.5060))


def figures() -> list[dict[str, Any]]:
    """track.p95_m: of the worst route. track.bytes_per_fix: all routes' full track records over their fixes."""
    routes = [from_waypoints([{"at": at, "lat": lat, "lon": lon} for at, lat, lon in TOWN], date(2026, 7, 1))]
    gpx = Path(os.environ.get("MUSTER_SHARED", ROOT.parent / "shared" / "data")) / "gpx" / "cerknicko-jezero.gpx"
    if gpx.exists():
        routes.append(from_gpx(gpx))
    p95_m, fixes, size = 0.0, 0, 0
    for route in routes:
        start_s = int(route.start_s) - 600
        events, route_size = _record(Gnss(route, seed=1), start_s, int(route.end_s) + 600 - start_s)
        p95_m = max(p95_m, float(np.percentile(_errors_m(route, events, start_s), 95)))
        count = sum(event[0] == "fix" for event in events)
        fixes += count - count % 12
        size += route_size
    bytes_per_fix = size / fixes
    return [{"name": "track.p95_m", "value": p95_m, "unit": "m", "better": "lower", "goal": 10, "met": p95_m < 10},
            {"name": "track.bytes_per_fix", "value": bytes_per_fix, "unit": "bytes", "better": "lower", "goal": 8,
             "met": bytes_per_fix < 8}]


def _record(receiver: Gnss, start_s: int, length_s: int) -> tuple[list[list[Any]], int]:
    """The track's events, their times counted from start_s, and the bytes of its full records."""
    with tempfile.TemporaryDirectory() as folder:
        stream = Path(folder) / "nmea"
        with stream.open("wb") as file:
            for unix_s in range(start_s + 1, start_s + length_s):
                data = receiver.sentences(unix_s * 1000)
                file.write(len(data).to_bytes(2, "little") + data)
        script = SCRIPT.format(firmware=str(ROOT / "firmware"), stream=str(stream))
        run = subprocess.run([vm.find(64), "-X", "heapsize=8M", "-c", script], capture_output=True, text=True,
                             timeout=120, check=True)
    events, size = json.loads(run.stdout)
    return events, size


def _errors_m(route: Route, events: list[list[Any]], start_s: int) -> np.ndarray:
    kept = np.array([event[1:4] for event in events if event[0] == "fix"])
    seconds = np.arange(kept[0, 0], kept[-1, 0] + 1)
    for _, from_s, to_s, _ in (event for event in events if event[0] == "nofix"):
        seconds = seconds[(seconds <= from_s) | (seconds >= to_s)]
    lat, lon, _, _ = route.sample(start_s + seconds)
    north = np.interp(seconds, kept[:, 0], kept[:, 1] / 1e5) - lat
    east = (np.interp(seconds, kept[:, 0], kept[:, 2] / 1e5) - lon) * np.cos(np.radians(lat))
    return np.hypot(north, east) * METRES_PER_DEGREE
