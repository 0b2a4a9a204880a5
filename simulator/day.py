"""Lives through a scenario: provisions a watch and a receiver, and runs the watch on the VM in the scenario's world."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from simulator import pace
from simulator.devices.gnss import Gnss, Window
from simulator.devices.spoofer import Deceit, Spoofer
from simulator.expect import Findings, observe
from simulator.incidents import plan
from simulator.provision import Bundle, Provision, provision
from simulator.receiver.clock import Teller
from simulator.receiver_process import Address, ReceiverProcess
from simulator.route import Route, from_gpx
from simulator.scenario import Scenario
from simulator.watch import Watch
from simulator.wearer import Wearer
from simulator.wiring import BOARDS

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = {"waking": [420, 1320], "prompts_per_day": 5, "spacing_s": 3600, "answer_s": 900, "reminder_s": 300,
            "tries": 3, "upload_s": 3600, "receiver_port": 8443, "wifi": [{"ssid": "home", "key": "simulated"}]}
NETWORKS = ("embedder.tflite", "finder.tflite", "landmarks.tflite", "networks.json")


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


@cache
def firmware_digest() -> str:
    """SHA-256 of all that a watch is flashed with."""
    return sha256(repr(sorted(firmware_files().items())).encode()).hexdigest()


@contextmanager
def begin(scenario: Scenario, folder: Path, bits: int = 64) -> Iterator[Day]:
    """A day about to start below `folder`, emptied first (flash images made before are kept); ended on leaving."""
    for part in ("watch", "provision"):
        shutil.rmtree(folder / part, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    made = provision(folder / "provision", scenario.seed, settings=settings_of(scenario), now_s=scenario.start_unix_s)
    receiver = ReceiverProcess(made.state, scenario.start_unix_s * 1000)
    try:
        with wear(scenario, folder, made.bundle, receiver.address, bits) as (watch, gnss):
            yield Day(scenario, folder, watch, gnss, made)
    finally:
        receiver.close()


def settings_of(scenario: Scenario) -> dict[str, Any]:
    """What provisioning gives the scenario's watch."""
    return SETTINGS | {"board": scenario.board, "zone": scenario.zone} | scenario.settings


@contextmanager
def wear(scenario: Scenario, folder: Path, bundle: Bundle, receiver: Address, bits: int = 64,
         images: Path | None = None) -> Iterator[tuple[Watch, Gnss]]:
    """A provisioned watch in the scenario's world, about to be lived with, and its GNSS; off on leaving."""
    route = route_of(scenario)
    windows = [Window(scenario.start_unix_s + period.start_s, scenario.start_unix_s + period.end_s, period.kind)
               for period in scenario.sky]
    gnss = Gnss(route, scenario.seed, windows, scenario.gnss_rollover)
    watch = Watch(firmware_files(), folder / "watch", own_files=bundle.files, images=images,
                  start_unix_s=scenario.start_unix_s, seed=scenario.seed, bits=bits,
                  sentences=_spoofer(gnss, route, scenario).sentences, server=receiver.server,
                  wiring=BOARDS[scenario.board],
                  nvs={"muster": {name: data.hex() for name, data in bundle.nvs.items()}})
    with closing(watch), closing(Teller(receiver.clock, bundle.ueid)) as time:
        watch.network_used = lambda: time.tell(watch.world.unix_ms)
        Wearer(watch, scenario)
        plan(watch, scenario)
        yield watch, gnss


def live(scenario: Scenario, folder: Path, progress: Callable[[float], None] = lambda virtual_s: None,
         bits: int = 64, speed: float = pace.FASTEST) -> Day:
    """Live through the whole scenario, at `speed` times real time at most."""
    with begin(scenario, folder, bits) as day:
        day.findings = observe(day.watch, scenario, day.provision.state)
        pace.go(lambda until_s: day.watch.run(until_s=until_s), 0, scenario.hours * 3600, speed, progress)
    return day


def route_of(scenario: Scenario) -> Route:
    """Where its wearer goes. Raises RouteError."""
    start_s = scenario.start_unix_s
    if scenario.gpx:
        return from_gpx(Path(scenario.gpx), start_s)
    return Route([(start_s + point["at_s"], point["lat"], point["lon"]) for point in scenario.route])


def _spoofer(gnss: Gnss, route: Route, scenario: Scenario) -> Spoofer:
    start_s = scenario.start_unix_s
    return Spoofer(gnss, route, scenario.seed, [
        Deceit(start_s + spoof.start_s, start_s + spoof.end_s, spoof.north_m, spoof.east_m, spoof.days)
        for spoof in scenario.spoof])
