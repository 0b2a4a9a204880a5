"""Lives a recorded live session again, exactly and without its page, and compares what came of it with what had."""

from __future__ import annotations

import argparse
import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from simulator import junit, pace
from simulator.day import Day, begin
from simulator.devices.camera import Scene, SceneError
from simulator.devices.scene import WEBCAM, View, open_scene
from simulator.live_hands import Hands, without_wearer
from simulator.receiver.state import State
from simulator.receiver.store import Store
from simulator.runs import MET, NOT_MET
from simulator.session_file import DIGESTS, End, Input, Picture, SessionError, SessionFile
from simulator.summary import Summary

FOLDER = Path(__file__).resolve().parent.parent / "build" / "replay"
CASES = dict(zip(DIGESTS, ("the flash image", "the console's output", "what the receiver stored"), strict=True))


def add(commands: Any) -> None:
    """Put `replay` on the command line."""
    parser = commands.add_parser("replay", help="live a recorded live session again, exactly, without its page",
                                 epilog="exit code: 0 the same came of it, 1 something else, 2 it could not be lived")
    parser.add_argument("session", type=Path, metavar="SESSION", help="build/live/session.jsonl, say")
    parser.add_argument("--speed", type=pace.speed, default=pace.FASTEST, help="times real time; max unless given")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the day")
    parser.add_argument("--report", type=Path, metavar="FILE", help="the HTML page, OUT/report.html unless given")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="what is the same, as JUnit's XML")
    parser.add_argument("--json", type=Path, metavar="FILE", help="that and the summary, as JSON")
    parser.set_defaults(act=_run)


def _run(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    day, flaws = replay(SessionFile(options.session), options.out, options.speed)
    wall_s = time.perf_counter() - started
    summary = Summary(day, wall_s)
    report = options.report or options.out / "report.html"
    summary.write_report(report)
    if options.junit:
        junit.write_flaws(options.junit, "replay", wall_s, {CASES[name]: flaw for name, flaw in flaws.items()})
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"flaws": flaws, "summary": summary.values}, indent=2) + "\n")
    for name, text in CASES.items():
        print(f"{text:26}{flaws.get(name, 'unknown: the session was not closed') or 'the same'}")
    print(f"lived {day.watch.world.now_us / 3.6e9:.2f} h in {wall_s:.1f} s; report: {report}")
    return NOT_MET if any(flaws.values()) else MET


def replay(session: SessionFile, folder: Path, speed: float = pace.FASTEST) -> tuple[Day, dict[str, str]]:
    """Live through the session. Gives the day, and of each of DIGESTS how it is not the same, "" where it is; of a
    session that was not closed nothing. Raises SessionError, and what `day.begin` and `Watch.run` raise.
    """
    flaws: dict[str, str] = {}
    with begin(without_wearer(session.scenario), folder) as day:
        webcam = Webcam(lambda: day.watch.world.now_us)
        day.watch.camera.open = webcam.open
        hands = Hands(day)
        for line in _ahead(session.lines(), webcam.pictures):
            pace.go(hands.run, day.watch.world.now_us / 1e6, line.at_us / 1e6, speed)
            if isinstance(line, End):
                found = digests(day)
                flaws = {name: "" if found[name] == line.digests[name] else "another" for name in DIGESTS}
            else:
                hands.do(line.command)
    return day, flaws


def digests(day: Day) -> dict[str, str]:
    """SHA-256 of what came of a session, by DIGESTS; its watch must be at rest."""
    with closing(Store(State(day.provision.state).database)) as store:
        rows = [(each.device.ueid, each.number, each.received_s, each.message, each.frames) for each in store.stored()]
    found = day.watch.image.read_bytes(), bytes(day.watch.console_output), repr(rows).encode()
    return {name: sha256(data).hexdigest() for name, data in zip(DIGESTS, found, strict=True)}


def _ahead(lines: Iterator[Input | Picture | End], pictures: deque[Picture]) -> Iterator[Input | End]:
    """What is done to the watch; the pictures that it takes until then are there before."""
    for line in lines:
        if isinstance(line, Picture):
            pictures.append(line)
        else:
            yield line


class Webcam(View):
    """Shows the recorded pictures in the place of a webcam, each at its time."""

    def __init__(self, now_us: Callable[[], int]):
        self.pictures: deque[Picture] = deque()
        self._now_us = now_us

    def open(self, scene: Scene | None, seed: int, showing: int) -> View:
        """In the place of scene.open_scene."""
        return self if scene and str(scene.source).startswith(WEBCAM) else open_scene(scene, seed, showing)

    def picture(self, width: int, height: int, shown_us: int, level: float) -> np.ndarray:
        if not self.pictures or self.pictures[0].at_us != self._now_us():  # then it failed in the session too
            raise SceneError("webcam: source: the picture could not be read")
        rgb = self.pictures.popleft().rgb()
        if rgb.shape != (height, width, 3):
            raise SessionError(f"picture at {self._now_us()} us: not of {width} x {height} pixels")
        return rgb
