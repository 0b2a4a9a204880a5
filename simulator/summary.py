"""What came of a day: counts, prompts, track error, and each record checked from the watch's flash to the receiver."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from simulator import accounts, report
from simulator.day import Day
from simulator.power_budget import budget
from simulator.receiver.decode import OUTCOMES, decode_segment
from simulator.receiver.state import State
from simulator.receiver.store import Store
from simulator.receiver.verify import verify_store

CAUSES = {1: "power", 2: "reset pin", 3: "watchdog", 4: "deep sleep", 5: "software"}
METRES_PER_DEGREE = 111_195
BURST_US = 100_000  # frames closer than this are of one burst
STEP_S = 10  # between two points at which the tracks are compared


class Summary:
    """The figures of a lived day; `values` is what build/day/summary.json holds."""

    def __init__(self, day: Day, wall_s: float):
        self.day = day
        state = State(day.provision.state)
        with closing(Store(state.database)) as store:
            segments = list(store.stored())
            self.verified = verify_store(state, store)
        self.records = [record for stored in segments for record in decode_segment(stored)]
        self.fixes = [fix for record in self.records if record.get("type") == "track" for fix in record["fixes"]]
        balance = accounts.balance(accounts.written(day.watch.image), [stored.message for stored in segments])
        self.values = self._values(segments, balance) | {
            "wall_s": round(wall_s, 1), "realtime_ratio": round(day.scenario.hours * 3600 / wall_s)}

    @property
    def flaws(self) -> list[str]:
        """What is not as it must be, whatever the scenario; none in a good day."""
        v = self.values
        checks = [(v["missing"], "records written but not received"), (v["duplicates"], "records received twice"),
                  (v["segments"] - v["verified_segments"], "segments not verified"),
                  (v["records"] - v["decrypted"], "records not decrypted"),
                  (v["frames_without_light"], "frames taken without the light"),
                  (v["firmware_faults"], "faults of the firmware")]
        return [f"{count} {what}" for count, what in checks if count]

    @property
    def frames(self) -> list[tuple[int, np.ndarray]]:
        """The frames that were looked at: each taken alone, not in the run of those in which the sensor settles."""
        kept = self.day.watch.camera.frames
        times = np.array([us for us, _ in kept])
        apart = np.diff(times, prepend=-BURST_US, append=1 << 62) > BURST_US
        return [frame for frame, before, after in zip(kept, apart, apart[1:], strict=False) if before and after]

    def write_report(self, path: Path) -> None:
        day = self.day
        times = np.arange(0, day.scenario.hours * 3600, 30) + day.scenario.start_unix_s
        true = [(p.lat, p.lon) for p in (day.gnss.true_position(float(t)) for t in times)]
        recorded = [(fix["lat_e5"] / 1e5, fix["lon_e5"] / 1e5) for fix in self.fixes]
        screens = [(self._clock(us / 1e6), day.watch.screens.folder / name) for us, name in day.watch.screens.shown]
        frames = [(self._clock(us / 1e6), rgb) for us, rgb in self.frames]
        good = {(v.number, v.frame): v.is_signed and v.is_chained and v.is_stored for v in self.verified}
        rows = [{"time": self._local(record["at_s"]), "type": record["type"], "segment": record["segment"],
                 "frame": record["frame"], "verified": good[record["segment"], record["frame"]],
                 "content": content(record)} for record in self.records]
        report.write(path, self.values, {"true": true, "recorded": recorded}, screens, frames, rows)

    def _values(self, segments: list[Any], balance: accounts.Balance) -> dict[str, Any]:
        scenario, watch = self.day.scenario, self.day.watch
        prompts = [self._prompt(record) for record in self.records if record["type"] == "check-in"]
        bad_segments = {v.number for v in self.verified if not (v.is_signed and v.is_chained)}
        return {
            "scenario": scenario.name, "start": f"{self._start():%Y-%m-%d %H:%M}", "hours": scenario.hours,
            "seed": scenario.seed, "prompts": prompts,
            "outcomes": {name: sum(prompt["outcome"] == name for prompt in prompts) for name in OUTCOMES},
            "fixes": len(self.fixes), "gnss_seconds": round(scenario.hours * 3600),
            "track_error_m": self._track_error(),
            "no_fix": [{"from": self._local(r["from_s"]), "to": self._local(r["to_s"]), "reason": r["reason"]}
                       for r in self.records if r["type"] == "no fix"],
            "records": balance.received, "records_by_type": dict(sorted(Counter(
                record["type"] for record in self.records).items())),
            "firmware_faults": sum(record.get("part") == "services" for record in self.records),
            "written": balance.written, "missing": balance.missing, "duplicates": balance.twice,
            "segments": len(segments), "bytes": sum(len(stored.message) for stored in segments),
            "verified_segments": len(segments) - len(bad_segments),
            "decrypted": sum(v.is_stored for v in self.verified),
            "boots": [{"at_s": us / 1e6, "time": self._clock(us / 1e6), "cause": CAUSES[cause]}
                      for us, cause in watch.boots],
            "power": budget(watch, scenario.hours),
            "frames": len(watch.camera_opened), "frames_without_light": sum(not lit for _, lit in watch.camera_opened),
            "screens": len(watch.screens.shown),
            "sky": [{"from_s": p.start_s, "to_s": p.end_s, "kind": p.kind} for p in scenario.sky],
            "network": [{"from_s": p.start_s, "to_s": p.end_s, "kind": p.kind} for p in scenario.network],
            "upload_times_s": sorted({stored.received_s - scenario.start_unix_s for stored in segments}),
        }

    def _prompt(self, record: dict[str, Any]) -> dict[str, Any]:
        score = record["score_e4"]
        return {"k": record["k"], "due": self._local(record["due_s"]),
                "due_s": record["due_s"] - self.day.scenario.start_unix_s,
                "answered": self._local(record["answered_s"]) if record["answered_s"] else None,
                "outcome": record["outcome"], "reason": record["reason"], "tries": record["tries"],
                "score": None if score is None else score / 10000, "threshold": record["threshold_e4"] / 10000,
                "manual_check": record["manual_check"]}

    def _track_error(self) -> dict[str, float | None]:
        """Metres between the recorded track, straight between its fixes, and the true one, where there was a fix."""
        points = sorted((fix["at_s"], fix["lat_e5"] / 1e5, fix["lon_e5"] / 1e5) for fix in self.fixes
                        if fix["at_s"] is not None)
        if len(points) < 2:
            return {"p50": None, "p95": None}
        known = np.array(points)
        times = np.arange(known[0, 0], known[-1, 0], STEP_S)
        for record in self.records:
            if record["type"] == "no fix" and record["from_s"] is not None:
                times = times[(times < record["from_s"]) | (times > record["to_s"])]
        true = np.array([self.day.gnss.true_position(float(t))[:2] for t in times])
        north = (np.interp(times, known[:, 0], known[:, 1]) - true[:, 0]) * METRES_PER_DEGREE
        east = (np.interp(times, known[:, 0], known[:, 2]) - true[:, 1]) * METRES_PER_DEGREE
        error = np.hypot(north, east * np.cos(np.radians(true[:, 0])))
        return {"p50": round(float(np.percentile(error, 50)), 1), "p95": round(float(np.percentile(error, 95)), 1)}

    def _start(self) -> datetime:
        return datetime.fromtimestamp(self.day.scenario.start_unix_s, UTC) + timedelta(
            seconds=self.day.scenario.utc_offset_s)

    def _local(self, unix_s: int | None) -> str:
        return "" if unix_s is None else self._clock(unix_s - self.day.scenario.start_unix_s)

    def _clock(self, at_s: float) -> str:
        """The scenario's wall clock, HH:MM:SS, at `at_s` seconds after its start."""
        return (self._start() + timedelta(seconds=at_s)).strftime("%H:%M:%S")


def content(record: dict[str, Any]) -> str:
    """A record in words."""
    if record["type"] == "track":
        return f"{len(record['fixes'])} fixes, worst HDOP {record['worst_hdop_e1'] / 10}"
    hidden = ("device", "wearer", "boot_count", "segment", "frame", "type", "at", "at_s", "dt_s", "clock",
              "clock_uncertainty_ms")
    return ", ".join(f"{name} {value}" for name, value in record.items() if name not in hidden and value is not None)
