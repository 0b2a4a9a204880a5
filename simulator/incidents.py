"""Puts what a scenario does to a watch into its world: networks that fail, parts that break, power that goes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from simulator.devices.battery import Battery
from simulator.devices.crystal import Crystal
from simulator.scenario import Action, Period, Scenario
from simulator.watch import Watch

CELL_US = 60_000_000  # between two looks at the battery
AWAKE = 0.02  # charge at which a flat watch starts again

CAMERA_FAULTS = {"camera-none": "none-frames", "camera-missing": "not-found", "camera-stuck": "stuck"}


def plan(watch: Watch, scenario: Scenario) -> None:
    """Before the watch first boots."""
    watch.crystal = Crystal(scenario.drift_ppm)
    for period in scenario.network:
        _during(watch, period, _network(watch, period.kind))
    for period in scenario.faults:
        _during(watch, period, _fault(watch, period.kind))
    for action in scenario.actions:
        watch.world.at(_us(action.at_s), _deed(watch, action))
    if scenario.presses_per_hour:
        _fidget(watch, scenario)
    _power(watch, scenario)


def _us(at_s: float) -> int:
    return round(at_s * 1e6)


def _during(watch: Watch, period: Period, switch: Callable[[bool], None]) -> None:
    watch.world.at(_us(period.start_s), lambda: switch(True))
    watch.world.at(_us(period.end_s), lambda: switch(False))


def _network(watch: Watch, kind: str) -> Callable[[bool], None]:
    if kind == "hangs":
        return watch.set_hang
    if kind == "down":
        return lambda is_on: watch.network.down() if is_on else watch.network.up()
    return lambda is_on: setattr(watch.network, kind, is_on)  # slow, lossy, captive


def _fault(watch: Watch, kind: str) -> Callable[[bool], None]:
    if kind == "button-stuck":
        return watch.stick
    return lambda is_on: setattr(watch.camera, "fault", CAMERA_FAULTS[kind] if is_on else None)


def _deed(watch: Watch, action: Action) -> Callable[[], None]:
    def cut() -> None:
        watch.power.off()
        watch.world.after(_us(action.for_s), watch.power.on)

    return {
        "enrol": lambda: watch.type(b"enrol\r"),
        "console": lambda: watch.type(action.text.encode() + b"\r"),
        "reset": watch.reset,
        "power-cut": cut,
        "press": watch.press,
    }[action.do]


def _fidget(watch: Watch, scenario: Scenario) -> None:
    """Presses at random, as often as the scenario says on average."""
    random = Random(f"presses/{scenario.seed}")

    def pause_us() -> int:
        return _us(random.expovariate(scenario.presses_per_hour / 3600))

    def press() -> None:
        watch.press()
        watch.world.after(pause_us(), press)

    watch.world.after(pause_us(), press)


def _power(watch: Watch, scenario: Scenario) -> None:
    power = scenario.power
    watch.battery = Battery(watch.meter, power.level, power.capacity_mah)
    for period in power.charger:
        _during(watch, period, watch.plug)
    watch.brown_out_below = power.brown_out_below
    if power.cut_at_flash_op:
        watch.power.cut(after_flash_ops=power.cut_at_flash_op)
    is_flat = False

    def look() -> None:
        """A flat cell ends the watch, a charger wakes it."""
        nonlocal is_flat
        charge = watch.battery.charge(watch.world.now_us)
        if charge <= 0 and not is_flat:
            is_flat = True
            watch.power.off()
        elif charge >= AWAKE and is_flat:
            is_flat = False
            watch.power.on()
        watch.world.after(CELL_US, look)

    watch.world.after(CELL_US, look)
