"""Lives through a scenario: provisions a watch and a receiver, and runs the watch on the VM in the scenario's world."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from simulator.devices.gnss import Gnss, Window
from simulator.devices.spoofer import Deceit, Spoofer
from simulator.expect import Findings, observe
from simulator.incidents import plan
from simulator.provision import Provision, provision
from simulator.receiver.clock import SharedClock
from simulator.route import Route, from_gpx
from simulator.scenario import Scenario
from simulator.watch import Watch
from simulator.wearer import Wearer
from simulator.wiring import BOARDS

ROOT = Path(__file__).resolve().parent.parent
STEP_S = 900  # virtual time between two lines of progress
SETTINGS = {"waking": [420, 1320], "prompts_per_day": 5, "spacing_s": 3600, "answer_s": 900, "reminder_s": 300,
            "tries": 3, "upload_s": 3600, "receiver_port": 8443, "wifi": [{"ssid": "home", "key": "simulated"}]}
NETWORKS = ("embedder.tflite", "finder.tflite", "networks.json")


class ReceiverError(Exception):
    """The receiver's process did not start."""


class Receiver:
    """The receiver as a process of its own on loopback; its clock is the scenario's."""

    def __init__(self, state: Path, unix_ms: int):
        self.clock = SharedClock(state / "clock", unix_ms)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "simulator.receiver", "serve", state, "--port", "0", "--clock", state / "clock"],
            stdout=subprocess.PIPE, stderr=(state / "receiver.log").open("w"), text=True, cwd=ROOT)
        assert self._process.stdout
        line = self._process.stdout.readline().split()
        if line[:1] != ["port"]:
            raise ReceiverError((state / "receiver.log").read_text().strip())
        self.address = ("127.0.0.1", int(line[1]))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)


@dataclass
class Day:
    """A day that is lived: the watch with all its devices, and what was provisioned."""

    scenario: Scenario
    folder: Path
    watch: Watch
    gnss: Gnss
    provision: Provision
    findings: Findings = field(default_factory=dict)  # by the expectations that have their time


def firmware_files() -> dict[str, bytes]:
    """What is flashed: path on the watch to content."""
    source = ROOT / "firmware"
    files = {str(path.relative_to(source)): path.read_bytes() for path in sorted(source.rglob("*.py"))}
    return files | {f"models/{name}": (ROOT / "models" / name).read_bytes() for name in NETWORKS}


@contextmanager
def begin(scenario: Scenario, folder: Path, bits: int = 64) -> Iterator[Day]:
    """A day about to start below `folder`, emptied first (flash images made before are kept); ended on leaving."""
    for part in ("watch", "provision"):
        shutil.rmtree(folder / part, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    settings = SETTINGS | {"board": scenario.board, "zone": scenario.zone} | scenario.settings
    made = provision(folder / "provision", scenario.seed, settings=settings, now_s=scenario.start_unix_s)
    route = _route(scenario)
    windows = [Window(scenario.start_unix_s + period.start_s, scenario.start_unix_s + period.end_s, period.kind)
               for period in scenario.sky]
    gnss = Gnss(route, scenario.seed, windows, scenario.gnss_rollover)
    receiver = Receiver(made.state, scenario.start_unix_s * 1000)
    try:
        watch = Watch(firmware_files() | made.bundle.files, folder / "watch", start_unix_s=scenario.start_unix_s,
                      seed=scenario.seed, bits=bits, sentences=_spoofer(gnss, route, scenario).sentences,
                      server=receiver.address, wiring=BOARDS[scenario.board],
                      nvs={"muster": {name: data.hex() for name, data in made.bundle.nvs.items()}})
        try:
            watch.network_used = lambda: receiver.clock.set(watch.world.unix_ms)
            Wearer(watch, scenario)
            plan(watch, scenario)
            yield Day(scenario, folder, watch, gnss, made)
        finally:
            watch.close()
    finally:
        receiver.close()


def live(scenario: Scenario, folder: Path, progress: Callable[[float], None] = lambda virtual_s: None,
         bits: int = 64) -> Day:
    """Live through the whole scenario."""
    with begin(scenario, folder, bits) as day:
        day.findings = observe(day.watch, scenario, day.provision.state)
        now_us, end_s = 0, scenario.hours * 3600
        while now_us < end_s * 1e6:
            day.watch.run(until_s=min(end_s, now_us // 1_000_000 // STEP_S * STEP_S + STEP_S))
            now_us = day.watch.world.now_us
            progress(now_us / 1e6)
    return day


def _route(scenario: Scenario) -> Route:
    """Raises RouteError."""
    start_s = scenario.start_unix_s
    if scenario.gpx:
        return from_gpx(Path(scenario.gpx), start_s)
    return Route([(start_s + point["at_s"], point["lat"], point["lon"]) for point in scenario.route])


def _spoofer(gnss: Gnss, route: Route, scenario: Scenario) -> Spoofer:
    start_s = scenario.start_unix_s
    return Spoofer(gnss, route, scenario.seed, [
        Deceit(start_s + spoof.start_s, start_s + spoof.end_s, spoof.north_m, spoof.east_m, spoof.days)
        for spoof in scenario.spoof])
