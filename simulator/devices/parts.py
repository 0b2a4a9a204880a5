"""The parts of one watch as the power model sees them: which state each is in, and for which service."""

from __future__ import annotations

from collections.abc import Callable

from simulator.devices.currents import microamperes
from simulator.devices.meter import Meter
from simulator.wiring import Wiring

AT_REST = {"camera": "standby", "camera light": "off", "panel": "asleep", "backlight": "off", "lamp": "off",
           "Wi-Fi": "off", "PSRAM": "on", "board": "on"}  # what these draw at rest is sleep's
SERVICES = {"camera": "check-ins", "camera light": "check-ins", "panel": "screen", "backlight": "screen",
            "lamp": "screen", "Wi-Fi": "uploads", "GNSS": "positions"}


class Parts:
    """`put` tells of a part's new state. The chip's current goes to the service that it is awake for: the first of
    uploads (Wi-Fi is on), check-ins (camera), screen (backlight), console (USB), positions (GNSS receiver); other."""

    def __init__(self, meter: Meter, wiring: Wiring, now_us: Callable[[], int]):
        self._meter, self._now_us = meter, now_us
        self._models = {"chip": "ESP32-S3", "camera": wiring.sensor, "panel": "ST7789", "GNSS": wiring.receiver,
                        "lamp": "LED" if wiring.lamp else "WS2812"}
        has = {"panel": wiring.panel, "backlight": wiring.panel, "lamp": wiring.lamp or wiring.pixel}
        self._at_rest = {part: state for part, state in AT_REST.items() if has.get(part, True)}
        self._states: dict[str, str] = {}
        self._mhz = 240
        self.is_plugged = False

    def put(self, part: str, state: str) -> None:
        """Any of AT_REST's parts, or "GNSS", in a state of currents.py; or "chip": "waiting", "running", ..."""
        if self._states.get(part) == state:
            return
        self._states[part] = state
        if part == "chip":
            self._set_chip()
            return
        self._set(part, state, "sleep" if state == AT_REST.get(part, "standby") else SERVICES.get(part, "sleep"))
        if part in ("Wi-Fi", "camera", "backlight", "lamp", "GNSS"):
            self._set_chip()

    def frequency(self, mhz: int) -> None:
        self._mhz = mhz
        self._set_chip()

    def plug(self, is_plugged: bool) -> None:
        self.is_plugged = is_plugged
        self._set_chip()

    @property
    def is_on(self) -> bool:
        """Whether there is power."""
        return bool(self._states)

    def rest(self) -> None:
        """What all parts but chip and receiver do before anybody asks anything of them."""
        for part, state in self._at_rest.items():
            self.put(part, state)

    def off(self) -> None:
        """No power."""
        for part in self._states:
            self._meter.set(part, 0, "", self._now_us())
        self._states.clear()

    def _set(self, part: str, state: str, service: str) -> None:
        self._meter.set(part, microamperes(self._models.get(part, part), state), service, self._now_us())

    def _set_chip(self) -> None:
        state = self._states.get("chip")
        if state in ("waiting", "running"):
            self._set("chip", f"{state} at {self._mhz} MHz", self.service)
        elif state:
            self._set("chip", state, "sleep")

    @property
    def service(self) -> str:
        """What the chip is awake for."""
        states = self._states
        if states.get("Wi-Fi") != "off":
            return "uploads"
        if states.get("camera") == "active":
            return "check-ins"
        if "on" in (states.get("backlight"), states.get("lamp")):
            return "screen"
        if self.is_plugged:
            return "console"
        return "positions" if states.get("GNSS") in ("acquisition", "tracking") else "other"
