"""The hands of a live session: what its visitor, or the session's file later, does to the watch, and the watch's time.

The watch is let come to rest before each touch: what it did up to then, and what the touch does, are the same however
fast the session was lived, for its VM is a process that would otherwise still be at work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from simulator import live_commands as commands
from simulator.day import Day
from simulator.devices.camera import SceneError
from simulator.live_commands import Break, OnWatch, Power, Press, Show, Sky, Switch, Type
from simulator.scenario import Scenario
from simulator.watch import WatchError

Record = Callable[[int, dict[str, Any]], None]


def without_wearer(scenario: Scenario) -> Scenario:
    """The scenario with nobody in it: the visitor answers and presses."""
    actions = tuple(action for action in scenario.actions if action.do != "press")
    return replace(scenario, answers=(), actions=actions, presses_per_hour=0)


class Hands:
    """`record(at_us, values)` is told each command that is carried out, with the time at which it was."""

    def __init__(self, day: Day, record: Record = lambda at_us, values: None):
        self._watch, self._gnss, self._record = day.watch, day.gnss, record
        self._usual_sky = day.watch.sentences
        self.sky: str | None = None  # what GNSS receives, None: as the scenario has it
        day.watch.lit = lambda: None  # nor does the scenario's wearer look

    def do(self, command: OnWatch) -> None:
        """Raises SceneError."""
        watch = self._watch
        match command:
            case Press(button):
                watch.press(button)
            case Type(line):
                watch.type(line.encode() + b"\r")
            case Show(scene):
                watch.camera.show(scene)
            case Switch(name, is_on):
                self._switch(name, is_on)
            case Break(fault):
                watch.camera.fault = fault
            case Sky(kind):
                self.sky = kind
                watch.sentences = self._gnss.under(kind).sentences if kind else self._usual_sky
            case Power(how):
                watch.reset() if how == "reset" else watch.power.cut()
        self._record(watch.world.now_us, commands.values_of(command))

    def run(self, until_s: float) -> str:
        """Live on; returns "", or what went wrong. Where a frame could not be taken the watch was started again, with
        nobody before it, for its VM would wait for that frame.
        """
        try:
            self._watch.run(until_s=until_s)
            self._watch.settle()
        except WatchError as error:
            lines = str(error).strip().splitlines()
            return lines[0] if len(lines) == 1 else f"the firmware ended: {lines[-1]}"
        except SceneError as error:
            self._watch.camera.show(None)
            self._watch.power.cut()
            return f"{error}; the watch was started again"
        return ""

    def _switch(self, name: str, is_on: bool) -> None:
        network = self._watch.network
        {"network-down": lambda on: network.down() if on else network.up(), "network-hangs": self._watch.set_hang,
         "network-slow": partial(setattr, network, "slow"), "network-lossy": partial(setattr, network, "lossy"),
         "network-captive": partial(setattr, network, "captive"), "button-stuck": self._watch.stick}[name](is_on)
