"""What the live page shows of a day: the watch's screen, the picture before its lens, events, track and records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from simulator.day import Day
from simulator.reading import Reader
from simulator.receiver.decode import decode_segment
from simulator.receiver.state import State
from simulator.receiver.store import Store
from simulator.summary import CAUSES, content

PREVIEW = 240
ROUTE_POINTS = 720
ROWS_AT_ONCE, CONSOLE_AT_ONCE = 1000, 1 << 16  # of what a page is given with one answer
DARK_S = 1  # a screen that was lit a shorter time ago blinks, and its words stay
BLINK_S = 5  # a screen that lights up again sooner only blinks
LATE_US = 3_000_000  # from an upload's first byte to its receipt


class View:
    """Looks at `day` from the thread that lives it; what it has seen may be read from any thread.

    `happened(kind)` is called at each event. `screen`, `preview` and `frame` are (version, encoded picture).
    """

    def __init__(self, day: Day, happened: Callable[[str], None]):
        self._day, self._happened = day, happened
        self._reader = Reader()
        self._store = Store(State(day.provision.state).database)
        self._segment = self._booted = self._sent = 0
        self._look_until_us = 0
        self._read = 0.0, ""  # when the screen was last read, and its words
        self.events: list[dict[str, Any]] = []
        self.records: list[dict[str, Any]] = []
        self.track: list[tuple[float, float]] = []
        self._on_screen = ""
        self.screen = self.preview = self.frame = (0, b"")
        # the state, and how many events, records, points and console bytes belong to it
        self._moment: tuple[dict[str, Any], tuple[int, int, int, int]] = {}, (0, 0, 0, 0)
        self._panel = b""
        watch = day.watch
        watch.lit = self._read_screen
        watch.display.finished = self._drawn
        for at_s, kind, text in _planned(day):
            watch.world.at(round(at_s * 1e6), lambda kind=kind, text=text: self.note(kind, text))

    def close(self) -> None:
        self._store.close()

    def setup(self, ranges: dict[str, Any]) -> dict[str, Any]:
        """What stays the same for the whole day."""
        scenario, start_s = self._day.scenario, self._day.scenario.start_unix_s
        times = np.linspace(0, scenario.hours * 3600, ROUTE_POINTS)
        wiring = self._day.watch.wiring
        return {"name": scenario.name, "hours": scenario.hours, "start_s": start_s,
                "offset_s": scenario.utc_offset_s, "route": [self._place(float(at_s)) for at_s in times],
                "sky": [[p.start_s, p.end_s, p.kind] for p in scenario.sky],
                "network": [[p.start_s, p.end_s, p.kind] for p in scenario.network],
                "buttons": wiring.button_names, "ranges": ranges}

    def note(self, kind: str, text: str, at_s: float | None = None) -> None:
        """Something happened, now or at `at_s`."""
        at_s = self._day.watch.world.now_us / 1e6 if at_s is None else at_s
        self.events.append({"at_s": round(at_s, 3), "kind": kind, "text": text})
        self._happened(kind)

    def look(self) -> None:
        """See what happened while the watch lived on: boots, and what reached the receiver."""
        watch = self._day.watch
        for time_us, cause in watch.boots[self._booted:]:
            self.note("boot", f"Boot: {CAUSES[cause]}", time_us / 1e6)
        self._booted = len(watch.boots)
        if watch.network.bytes_sent != self._sent:
            self._sent = watch.network.bytes_sent
            self._look_until_us = watch.world.now_us + LATE_US
        if watch.world.now_us <= self._look_until_us:
            self._receive()

    def refresh(self, time: dict[str, Any]) -> None:
        """Renew the pictures and the state; `time` is how it goes on."""
        watch = self._day.watch
        panel = watch.display.memory.tobytes() if watch.display.lit and watch.display.on else b""
        if panel != self._panel or not self.screen[0]:
            self._panel = panel
            self._on_screen = self._words()
            self.screen = self.screen[0] + 1, watch.display.png()
        frames = watch.camera.frames
        if len(watch.camera_opened) != self.frame[0] and frames:
            self.frame = len(watch.camera_opened), _jpeg(frames[-1][1])
        now_s = watch.world.now_us / 1e6
        is_blinking = not panel and now_s < self._read[0] + DARK_S
        state = time | {
            "at_s": now_s, "lit": bool(panel), "words": self._read[1] if is_blinking else self._on_screen,
            "light": watch.light,
            "screen": self.screen[0], "preview": self.preview[0], "frame": self.frame[0],
            "frame_s": frames[-1][0] / 1e6 if frames else None,
            "battery_v": round(watch.battery.microvolts(watch.world.now_us) / 1e6, 3),
            "switches": {"network-down": not watch.network.is_up, "network-hangs": watch.network.hangs,
                         "network-slow": watch.network.slow, "network-lossy": watch.network.lossy,
                         "network-captive": watch.network.captive, "button-stuck": watch.is_stuck},
            "camera_fault": watch.camera.fault, "sent": watch.network.bytes_sent, "place": self._place(now_s)}
        self._moment = state, (len(self.events), len(self.records), len(self.track), len(watch.console_output))

    def retake(self) -> None:
        """Draw what is before the lens again. Raises SceneError."""
        watch = self._day.watch
        picture = watch.camera.preview(PREVIEW, PREVIEW, watch.world.now_us)
        version, before = self.preview
        after = _jpeg(picture)
        if after != before:
            self.preview = version + 1, after

    def since(self, events: int, records: int, track: int, console: int) -> dict[str, Any]:
        """The state, and what came after so many events, records, points and bytes of the console."""
        state, (has_events, has_records, has_track, has_console) = self._moment
        console = max(min(console, has_console), has_console - CONSOLE_AT_ONCE)
        fresh = bytes(self._day.watch.console_output[console:has_console])
        return state | {
            "events": self.events[events:min(has_events, events + ROWS_AT_ONCE)],
            "records": self.records[records:min(has_records, records + ROWS_AT_ONCE)],
            "track": self.track[track:min(has_track, track + ROWS_AT_ONCE)],
            "console": fresh.decode(errors="replace"), "console_at": has_console}

    def _drawn(self) -> None:
        """A picture was drawn: it is an event when the wearer can see it, and it is another."""
        screens = self._day.watch.screens
        before = len(screens.shown)
        screens.keep()
        if len(screens.shown) != before:
            self._read_screen()

    def _read_screen(self) -> None:
        words, now_s = self._words(), self._day.watch.world.now_us / 1e6
        if words and (words != self._read[1] or now_s > self._read[0] + BLINK_S):
            self.note("screen", words)
        self._read = now_s, words

    def _words(self) -> str:
        display = self._day.watch.display
        lines = self._reader.lines(display.memory) if display.lit and display.on else []
        return "".join(_joined(before, line) for before, line in zip(["", *lines], lines, strict=False))

    def _receive(self) -> None:
        """Take in the segments that the receiver has stored since the last look."""
        start_s = self._day.scenario.start_unix_s
        if self._store.counts()["segments"] == self._segment:
            return
        for stored in self._store.stored():
            if stored.number <= self._segment:
                continue
            self._segment = stored.number
            records = list(decode_segment(stored))
            for record in records:
                self.records.append(row(record, start_s))
                self.track += [(fix["lat_e5"] / 1e5, fix["lon_e5"] / 1e5) for fix in record.get("fixes", ())]
            self.note("upload", f"Segment {stored.number} received: {len(records)} records",
                      stored.received_s - start_s)

    def _place(self, at_s: float) -> tuple[float, float]:
        position = self._day.gnss.true_position(self._day.scenario.start_unix_s + at_s)
        return round(position.lat, 6), round(position.lon, 6)


def _joined(before: str, line: str) -> str:
    """A line of the screen as it goes on after the one before: a sentence of its own, or more of that one."""
    return (". " if before[-1:].isalnum() and not line[0].islower() else " " if before else "") + line


def row(record: dict[str, Any], start_s: int) -> dict[str, Any]:
    """A decoded record as the page lists it; times are seconds after `start_s`."""
    at_s = record.get("at_s")
    shown = {"at_s": None if at_s is None else at_s - start_s, "type": record.get("type", "flaw"),
             "segment": record["segment"], "text": content(record)}
    if record.get("type") == "check-in":
        shown |= {"due_s": record["due_s"] - start_s, "outcome": record["outcome"],
                  "score": None if record["score_e4"] is None else record["score_e4"] / 10000}
    return shown


def _planned(day: Day) -> list[tuple[float, str, str]]:
    """What the scenario does, as events: (at_s, kind, text)."""
    scenario = day.scenario
    planned = [(action.at_s, "scenario", f"The scenario: {action.do} {action.text}".rstrip())
               for action in scenario.actions]
    for kind, name, periods in (("sky", "GNSS", scenario.sky), ("network", "Network", scenario.network),
                                ("scenario", "Fault", scenario.faults)):
        for period in periods:
            planned += [(period.start_s, kind, f"{name}: {period.kind}"), (period.end_s, kind, f"{name}: usual again")]
    return planned


def _jpeg(rgb: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
